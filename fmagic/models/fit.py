"""What a model takes in memory, worked out before it is loaded."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fmagic.models.devices import LIMIT_VARIABLE
from fmagic.views import size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fmagic.models.devices import Device
    from fmagic.models.quant import Method

FULL = 4  # bytes of float32
SPARE = 0.1  # of the total, left free when a model fits with room
# Libraries, workspaces and fragments; a CUDA context is counted by the driver already.
FIXED_OVERHEAD = {"cuda": 300_000_000, "mps": 200_000_000, "cpu": 30_000_000}
# What the sizes of a layer must divide by: rows that the 4-bit kernels of bitsandbytes for
# AVX512-BF16 take together, and weights that share a scale.
ROWS, COLUMNS = 32, 64
READ_AT_ONCE = 2048  # tokens; longer prompts are read in pieces


@dataclass(frozen=True, slots=True)
class Census:
    """The weights of a model, counted by what can become of them.

    Attributes:
        linear: in linear layers, which can be quantized.
        other: embeddings, head, norms and biases, which stay as they are.
        largest: in the largest tensor.
    """

    linear: int
    other: int
    largest: int

    @property
    def parameters(self) -> int:
        """All weights."""
        return self.linear + self.other


@dataclass(frozen=True, slots=True)
class Fit:
    """Bytes that a model takes, against what is free.

    Attributes:
        weights: of the model.
        cache: keys and values of the context.
        activations: of one pass.
        overhead: what loading and libraries take beside it.
        free: on the device.
        method: name of the quantization.
    """

    weights: int
    cache: int
    activations: int
    overhead: int
    free: int
    method: str

    @property
    def total(self) -> int:
        """All of it."""
        return self.weights + self.cache + self.activations + self.overhead

    @property
    def fits(self) -> bool:
        """Whether it fits into what is free."""
        return self.total <= self.free

    @property
    def is_comfortable(self) -> bool:
        """Whether it fits, and leaves something over."""
        return self.total * (1 + SPARE) <= self.free

    @property
    def said(self) -> str:
        """The total, for people."""
        return size(self.total)

    @property
    def free_said(self) -> str:
        """What is free, for people."""
        return size(self.free)

    def explain(self) -> str:
        """Return the sum in one line."""
        return (
            f"{size(self.total)} with --quant {self.method}: weights {size(self.weights)}, "
            f"context {size(self.cache)}, working memory {size(self.activations + self.overhead)}"
        )


def take_census(module: Any) -> Census:
    """Count the weights of a model, which may be on the `meta` device."""
    sizes = {id(weight): weight.numel() for weight in module.parameters()}
    linear = {id(each.weight) for _, each, stays in _linear_layers(module) if not stays}
    counted = sum(sizes[key] for key in linear)
    return Census(counted, sum(sizes.values()) - counted, max(sizes.values(), default=0))


def left_alone(module: Any) -> list[str]:
    """Return the names of the linear layers that are not to be quantized.

    These are the head, whatever shares its weights with an embedding, poolers (unused, and often
    not in the files), and layers whose sizes the kernels cannot divide.
    """
    return [name for name, _, stays in _linear_layers(module) if stays]


def _linear_layers(module: Any) -> Iterator[tuple[str, Any, bool]]:
    """Yield name, layer and whether it stays as it is."""
    import torch
    from transformers.pytorch_utils import Conv1D

    head = getattr(module, "get_output_embeddings", lambda: None)()
    shared = {id(each.weight) for each in module.modules() if isinstance(each, torch.nn.Embedding)}
    for name, each in module.named_modules():
        # A subclass has a reason of its own and is not replaced by bitsandbytes either.
        if type(each) is torch.nn.Linear or isinstance(each, Conv1D):
            rows, columns = each.weight.shape[:: -1 if isinstance(each, Conv1D) else 1]
            stays = (
                each is head
                or id(each.weight) in shared
                or "pooler" in name.split(".")
                or rows % ROWS != 0
                or columns % COLUMNS != 0
            )
            yield name, each, stays


def estimate(
    config: Any,
    census: Census,
    method: Method,
    device: Device,
    *,
    dtype_bytes: int,
    context: int,
    batch: int = 1,
) -> Fit:
    """Work out what a model takes.

    Args:
        config: of transformers.
        census: its weights.
        method: of quantization.
        device: where it would run.
        dtype_bytes: of one unquantized weight.
        context: tokens of prompt and answer.
        batch: texts at once.
    """
    text = config.get_text_config(decoder=True)
    each = dtype_bytes if method.bytes_per_parameter is None else method.bytes_per_parameter
    hidden = int(getattr(text, "hidden_size", 0) or 0)
    inner = getattr(text, "intermediate_size", None)
    inner = max(inner) if isinstance(inner, list | tuple) else int(inner or 4 * hidden)
    width = 4 * hidden + 3 * inner
    vocabulary = int(getattr(text, "vocab_size", 0) or 0)
    # A tensor is read in the type of its file before it is cast or quantized, and nf4 unpacks one
    # layer at a time to read a prompt.
    return Fit(
        weights=int(census.linear * each + census.other * dtype_bytes),
        cache=cache_bytes(config, dtype_bytes, context) * batch,
        activations=batch * (min(context, READ_AT_ONCE) * width * dtype_bytes + vocabulary * FULL),
        overhead=census.largest * FULL + FIXED_OVERHEAD[device.type],
        free=device.free_bytes,
        method=method.name,
    )


def cache_bytes(config: Any, dtype_bytes: int, context: int) -> int:
    """Return the bytes of keys and values for one text of `context` tokens.

    That is 2 x layers x heads of keys x size of a head x tokens. A layer with a sliding window
    keeps no more than its window; one without attention keeps nothing that grows.
    """
    text = config.get_text_config(decoder=True)
    heads = getattr(text, "num_key_value_heads", None) or getattr(text, "num_attention_heads", None)
    queries = getattr(text, "num_attention_heads", None)
    if not heads or not queries:
        return 0
    size_of_head = getattr(text, "head_dim", None) or text.hidden_size // queries
    layers = int(getattr(text, "num_hidden_layers", 0))
    window = getattr(text, "sliding_window", None)
    kinds = getattr(text, "layer_types", None) or ["full_attention"] * layers
    tokens = 0
    for kind in kinds:
        if kind == "full_attention":
            tokens += context
        elif kind in ("sliding_attention", "chunked_attention"):
            tokens += min(context, int(window or context))
    return int(2 * tokens * heads * size_of_head * dtype_bytes)


def refusal(name: str, needed: Fit, others: list[Fit], device: Device, parameters: int) -> str:
    """Say by how much a model does not fit and what would.

    Args:
        name: of the model.
        needed: what was asked for.
        others: the same model, otherwise quantized.
        device: on which it should run.
        parameters: of the model.
    """
    limited = f" ({LIMIT_VARIABLE} bounds it)" if os.environ.get(LIMIT_VARIABLE) else ""
    first = (
        f"{name} does not fit on {device.name}: it takes {needed.explain()}; "
        f"{size(needed.free)} are free{limited}, so {size(needed.total - needed.free)} are missing."
    )
    fitting = [each for each in others if each.fits and each.method != needed.method]
    if fitting:
        return f"{first} What fits: {'; '.join(each.explain() for each in fitting)}."
    smallest = min([needed, *others], key=lambda each: each.weights)
    spare = needed.free - (smallest.total - smallest.weights)
    most = int(spare / smallest.weights * parameters) if smallest.weights else 0
    if most <= 0:
        return f"{first} No model fits beside what is in memory; `%unload --all` frees models."
    return (
        f"{first} A model of up to about {_count(most)} parameters would fit with --quant "
        f"{smallest.method}; `%unload --all` frees what is loaded."
    )


def _count(parameters: int) -> str:
    for unit, name in ((10**9, "billion"), (10**6, "million")):
        if parameters >= unit:
            return f"{parameters / unit:.1f} {name}"
    return f"{parameters:,}"
