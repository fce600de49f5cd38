"""Figures of a model in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

QUANTIZED_LAYERS = ("Linear4bit", "Linear8bitLt")
# Tokens that are read together on a processor: more keep it no busier and fall out of its caches.
READ_ON_CPU = 2048
# Of a model in 8 bits: bitsandbytes copies what each layer reads and writes into 32 bits, several
# times, and 2,048 tokens of them take more than the weights do. Fewer are no slower.
READ_IN_8_BITS = 512
# Attention that is written out holds a score for each head, token and token before it. Where a model
# knows no other, a pass is bounded by scores, for prompts of up to `LONG` tokens.
SCORES, LONG, READ_EAGERLY = 1 << 27, 8192, 256
NO_LIMIT = 10**9  # a tokenizer without a limit says 10**30
POSITIONS = ("max_position_embeddings", "max_encoder_position_embeddings", "max_seq_len")
UNBOUNDED = 32_768  # tokens; for models that could go on for ever, such as recurrent ones


def count_quantized(module: Any) -> int:
    """Return how many layers hold quantized weights."""
    return sum(type(each).__name__ in QUANTIZED_LAYERS for each in module.modules())


def most_in_a_pass(module: Any) -> int:
    """Return how many tokens one pass of a model may read without taking memory out of proportion."""
    config = module.config.get_text_config(decoder=True)
    if input_device(module).type == "cpu" and any(
        type(each).__name__ == "Linear8bitLt" for each in module.modules()
    ):
        return READ_IN_8_BITS
    heads = getattr(config, "num_attention_heads", None)
    if isinstance(heads, int) and getattr(config, "_attn_implementation", None) == "eager":
        longest = min(getattr(config, "max_position_embeddings", None) or UNBOUNDED, LONG)
        return max(READ_EAGERLY, SCORES // (heads * longest))
    return NO_LIMIT


def weight_bytes(module: Any) -> int:
    """Return what the weights take, with the constants of quantized ones."""
    # Several names can stand for one piece of memory.
    return sum({address(each): int(each.nbytes) for each in tensors_of(module)}.values())


def address(tensor: Any) -> int:
    """Return what tells the memory of a tensor from others'.

    What is kept in the processor's memory for a GPU has no address in the module.
    """
    return tensor.data_ptr() or -id(tensor)


def input_device(network: Any) -> Any:
    """Return the torch device on which a model takes its tokens."""
    embeddings = network.get_input_embeddings()
    device = embeddings.weight.device
    if device.type != "meta":
        return device
    import torch

    # accelerate brings the weights there for each pass.
    return torch.device(embeddings._hf_hook.execution_device)  # noqa: SLF001 - it has no other name


def tensors_of(module: Any) -> Iterator[Any]:
    """Yield what holds the weights, with the constants of quantized ones; some of it twice."""
    for each in (*module.parameters(), *module.buffers()):
        yield each
        yield from _constants(each)
    for each in module.modules():
        # Where 8-bit layers keep their constants from their first pass on.
        state: Any = getattr(each, "state", None)
        if type(state).__name__ == "MatmulLtState":
            yield from (tensor for tensor in (state.CB, state.SCB) if tensor is not None)


def context_length(module: Any, tokenizer: Any, *, encoder: bool) -> int:
    """Return the most tokens that a model reads, and for a causal model writes, at once."""
    config = module.config.get_text_config(decoder=True)
    limits = []
    found = (getattr(config, name, None) for name in POSITIONS)
    positions = next((each for each in found if isinstance(each, int) and each > 0), None)
    if positions is not None:
        limits.append(positions - _unused_positions(module))
    said = getattr(tokenizer, "model_max_length", None)
    # For a causal model the tokenizer's figure is often left from a smaller ancestor.
    if isinstance(said, int) and 0 < said < NO_LIMIT and (encoder or not limits):
        limits.append(said)
    return min(limits, default=UNBOUNDED)


def _constants(weight: Any) -> list[Any]:
    found = [getattr(weight, name, None) for name in ("CB", "SCB")]
    state = getattr(weight, "quant_state", None)
    while state is not None:
        found += [getattr(state, name, None) for name in ("absmax", "code", "offset")]
        state = getattr(state, "state2", None)
    return [each for each in found if hasattr(each, "nbytes") and each is not weight]


def _unused_positions(module: Any) -> int:
    """Return how many positions stand before the first: RoBERTa counts on from its padding."""
    for name, each in module.named_modules():
        if name.endswith("position_embeddings") and isinstance(
            getattr(each, "padding_idx", None), int
        ):
            return int(each.padding_idx) + 1
    return 0
