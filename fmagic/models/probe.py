"""One short pass through a model that was just loaded, to see that it works."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from fmagic.models.measures import input_device
from fmagic.models.quiet import quiet

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

TEXT = "The quick brown fox jumps over the lazy dog."
MOST_TOKENS = 8


def probe(network: Any, tokenizer: Any) -> Any:
    """Return the first output of a pass over a few tokens, twice: logits or states.

    Args:
        network: model of transformers, without peft's wrapper.
        tokenizer: of the model.
    """
    import torch

    place = input_device(network)
    ids = tokenizer(TEXT, verbose=False)["input_ids"][:MOST_TOKENS]
    inputs: dict[str, Any] = {"input_ids": torch.tensor([ids, ids], device=place)}
    if network.config.is_encoder_decoder and hasattr(network, "get_decoder"):
        inputs["decoder_input_ids"] = inputs["input_ids"]
    # Some architectures give advice at their first pass; hence here, where nobody reads it.
    with quiet(), torch.inference_mode(), _unpacked(network), _straightened(network):
        return network(**inputs)[0]


@contextmanager
def _straightened(network: Any) -> Iterator[None]:
    """Give 4-bit layers on a processor inputs whose rows lie in one piece, here and from now on.

    The kernels of bitsandbytes for AVX512-BF16 read a row as if it did, and compute nonsense for a
    transposed input. Few layers of few architectures get one: Mamba's are among them.
    """

    def watch(layer: Any, inputs: tuple[Any, ...]) -> None:
        if inputs[0].stride(-1) != 1 and layer not in crooked:
            crooked.append(layer)

    layers = _four_bit_layers_on_processor(network)
    crooked: list[Any] = []
    watches = [layer.register_forward_pre_hook(watch) for layer in layers]
    try:
        yield
    finally:
        for each in watches:
            each.remove()
    for layer in crooked:
        layer.register_forward_pre_hook(_straighten)


def straightened(network: Any) -> list[str]:
    """Return the names of the layers that a probe gave inputs in one piece."""
    return [
        name
        for name, each in network.named_modules()
        if _straighten in each._forward_pre_hooks.values()  # noqa: SLF001 - torch has no other way to ask
    ]


def straighten(network: Any, names: Sequence[str]) -> None:
    """Do for a model what a probe of the same model found necessary."""
    for name in names:
        network.get_submodule(name).register_forward_pre_hook(_straighten)


def _straighten(_: Any, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    return (inputs[0].contiguous(), *inputs[1:])


def _four_bit_layers_on_processor(network: Any) -> list[Any]:
    return [
        each
        for each in network.modules()
        if hasattr(each, "support_avx512bf16_for_cpu") and each.weight.device.type == "cpu"
    ]


@contextmanager
def _unpacked(network: Any) -> Iterator[None]:
    """Keep 4-bit weights in the layout that they have in files.

    On some processors bitsandbytes repacks them at their first inference, which is neither needed
    yet nor wanted by a training that comes first.
    """
    layers = [
        each for each in network.modules() if getattr(each, "support_avx512bf16_for_cpu", False)
    ]
    for each in layers:
        each.support_avx512bf16_for_cpu = False
    try:
        yield
    finally:
        for each in layers:
            each.support_avx512bf16_for_cpu = True
