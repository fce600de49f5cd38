"""What this kernel holds in memory, by name, and how each gives it back."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fmagic.models.measures import address, tensors_of
from fmagic.views import size

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from fmagic.models.devices import Device
    from fmagic.models.loaded import Loaded

WORTH_TELLING = 10_000_000  # bytes
MOST_TOLD = 4


@dataclass(frozen=True, slots=True)
class Held:
    """Something that takes memory.

    Attributes:
        name: of the model, or of the user's variable.
        what: what it is.
        bytes: that come back when it goes.
        free: the line that frees it.
    """

    name: str
    what: str
    bytes: int
    free: str


def holdings(
    models: Iterable[Loaded], variables: Mapping[str, object], device: Device
) -> list[Held]:
    """Return what is held on a device: models, the least recently used first, then variables.

    Tensors of models do not count again where a variable names them too; of several variables for
    the same memory the first counts.

    Args:
        models: that are loaded.
        variables: of the user.
        device: where.
    """
    seen: set[tuple[str, int]] = set()
    here = [each for each in models if each.is_loaded and each.device.touches(device)]
    for model in here:
        for tensor in tensors_of(model.module):
            seen.add((str(tensor.device), address(tensor)))
    found = [
        Held(each.name, "model", each.weight_bytes, f"%unload {each.name}")
        for each in sorted(here, key=lambda model: model.used)
    ]
    named = []
    for name, value in variables.items():
        amount = sum(_new_bytes(value, device, seen))
        if amount >= WORTH_TELLING:
            named.append(Held(name, type(value).__name__, amount, f"del {name}"))
    return [*found, *sorted(named, key=lambda each: -each.bytes)]


def offer(held: Iterable[Held]) -> str:
    """Return one line that says what could be freed and how; empty if nothing could."""
    worth = [each for each in held if each.bytes >= WORTH_TELLING][:MOST_TOLD]
    if not worth:
        return ""
    said = "; ".join(f"`{each.free}` ({each.what}, {size(each.bytes)})" for each in worth)
    return f"This kernel could free: {said}."


def _is_on(place: Any, device: Device) -> bool:
    """Tell whether a device of torch is one of ours, or one of its parts."""
    return any(
        place.type == each.type and (each.type != "cuda" or place.index in (None, each.index))
        for each in device.each
    )


def _new_bytes(value: object, device: Device, seen: set[tuple[str, int]]) -> Iterator[int]:
    """Yield the bytes of a value's memory on the device that nobody has counted yet."""
    torch, numpy, pandas = (sys.modules.get(name) for name in ("torch", "numpy", "pandas"))
    if torch is not None and isinstance(value, torch.Tensor | torch.nn.Module):
        tensors: Iterable[Any] = [value] if isinstance(value, torch.Tensor) else tensors_of(value)
        for tensor in tensors:
            place = (str(tensor.device), address(tensor))
            if _is_on(tensor.device, device) and place not in seen:
                seen.add(place)
                yield int(tensor.nbytes)
    elif device.type != "cpu":
        return
    elif numpy is not None and isinstance(value, numpy.ndarray):
        place = ("cpu", value.__array_interface__["data"][0])
        if place not in seen:
            seen.add(place)
            yield int(value.nbytes)
    elif pandas is not None and isinstance(value, pandas.DataFrame):
        yield int(value.memory_usage(index=True).sum())
