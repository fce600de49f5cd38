"""Several models on the same weights: each has a module tree of its own, the tensors are shared.

An adapter puts its layers into its own tree, so its base never changes, and either can go while the
other stays. What bitsandbytes does to quantized weights at their first pass it does for all.
"""

from __future__ import annotations

import copy
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from fmagic.models.loaded import Loaded
from fmagic.models.measures import address, tensors_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from pathlib import Path

SHARED_STATES = ("QuantState", "MatmulLtState")  # where bitsandbytes keeps quantized weights


def share(network: Any) -> Any:
    """Return a module with a tree of its own and the tensors of `network`."""
    memo: dict[int, Any] = {}
    for tensor in (*network.parameters(), *network.buffers()):
        memo[id(tensor)] = tensor
        _keep(getattr(tensor, "quant_state", None), memo)
    for module in network.modules():
        for value in vars(module).values():
            _keep(value, memo)
    return copy.deepcopy(network, memo)


def _keep(value: Any, memo: dict[int, Any]) -> None:
    import torch

    if type(value).__name__ in SHARED_STATES or isinstance(value, torch.Tensor):
        memo[id(value)] = value


@contextmanager
def packed(network: Any) -> Iterator[None]:
    """Keep 4-bit weights that were packed for a processor so while somebody asks for the state.

    peft does. bitsandbytes would unpack them then, with scales that are rounded again, and that
    changes the answers of whoever shares them.
    """
    states: list[Any] = [
        state
        for state in (getattr(each, "quant_state", None) for each in network.parameters())
        if getattr(state, "packing_format_for_cpu", False)
    ]
    for state in states:
        state.packing_format_for_cpu = False
    try:
        yield
    finally:
        for state in states:
            state.packing_format_for_cpu = True


def lender(
    loaded: Iterable[Loaded],
    folder: Path,
    revision: str | None,
    *,
    quant: str | None,
    dtype: str | None,
    devices: Collection[str],
) -> Loaded | None:
    """Return a model whose weights an adapter can share; `None` if there is none.

    Args:
        loaded: models in memory.
        folder: of the base.
        revision: of the base.
        quant: how it must be quantized; `None` if that is all the same.
        dtype: of its unquantized weights; `None` if that is all the same.
        devices: on one of which it must be; one alone, as hooks of several cannot be shared.
    """
    for model in loaded:
        if (
            _is_here(model)
            and model.adapter is None
            and (model.folder, model.revision) == (folder, revision)
            and dtype in (None, model.dtype)
            and str(model.device) in devices
            and quant in (None, model.quant)
        ):
            return model
    return None


def count_once(loaded: Iterable[Loaded]) -> None:
    """Set the bytes of each model to what it holds besides the models before it."""
    seen: set[tuple[str, int]] = set()
    for model in filter(_is_here, loaded):
        model.weight_bytes = 0
        for tensor in tensors_of(model.module):
            place = (str(tensor.device), address(tensor))
            if place not in seen:
                seen.add(place)
                model.weight_bytes += tensor.nbytes


def _is_here(model: object) -> bool:
    """Tell whether a model's weights are in this process; those of a server are not."""
    return isinstance(model, Loaded) and vars(model).get("module") is not None
