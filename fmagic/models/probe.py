"""One short pass through a model that was just loaded, to see that it works."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from fmagic.models.quiet import quiet

if TYPE_CHECKING:
    from collections.abc import Iterator

TEXT = "The quick brown fox jumps over the lazy dog."
MOST_TOKENS = 8


def probe(network: Any, tokenizer: Any) -> Any:
    """Return the first output of a pass over a few tokens: logits or states.

    Args:
        network: model of transformers, without peft's wrapper.
        tokenizer: of the model.
    """
    import torch

    place = network.get_input_embeddings().weight.device
    ids = tokenizer(TEXT, verbose=False)["input_ids"][:MOST_TOKENS]
    inputs: dict[str, Any] = {"input_ids": torch.tensor([ids], device=place)}
    if network.config.is_encoder_decoder and hasattr(network, "get_decoder"):
        inputs["decoder_input_ids"] = inputs["input_ids"]
    # Some architectures give advice at their first pass; hence here, where nobody reads it.
    with quiet(), torch.inference_mode(), _unpacked(network):
        return network(**inputs)[0]


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
