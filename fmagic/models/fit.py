"""What a model takes in memory, worked out before it is loaded."""

from __future__ import annotations

import inspect
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fmagic.models.devices import LIMIT_VARIABLE
from fmagic.models.precision import BYTES
from fmagic.views import size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fmagic.models.devices import Device
    from fmagic.models.quant import Method
    from fmagic.models.shape import Shape

FULL = 4  # bytes of float32
# Libraries, workspaces and fragments; a CUDA context is counted by the driver already. On a
# processor the C library keeps up to 64 MB of freed pieces for each thread that takes memory, and
# less of them where nothing grows token by token.
FIXED_OVERHEAD = {"cuda": 300_000_000, "mps": 200_000_000, "cpu": 100_000_000}
ENCODER_OVERHEAD = 50_000_000  # on a processor
# What the sizes of a layer must divide by: rows that the 4-bit kernels of bitsandbytes for
# AVX512-BF16 take together, and weights that share a scale.
ROWS, COLUMNS = 32, 64
READ_AT_ONCE = 8192  # tokens of all texts of a batch; longer prompts are read in pieces
GROWTH = 1.25  # a buffer of keys and values is made a quarter larger than it must be
SLACK = 1.1  # what the allocator takes beyond the tensors of a pass
_CAST = re.compile(r"\.to\(self\.(\w+)\.weight\.dtype\)")
# How far the parts may be off, as a share of each.
DOUBT_OF_WEIGHTS, DOUBT_OF_WORK = 0.03, 0.3
# For each weight that learns: itself, its gradient and two moments of Adam, in float32.
BYTES_TO_LEARN = 16
# Bytes kept of one token and layer, for each number of its states, its feed-forward part, its
# queries and its keys, by the bytes of the type that is computed in.
_KEPT_OF = {2: (33, 11, 5, 4), 4: (46, 21, 8, 10)}
WITHOUT_GATE = 0.85  # of what a feed-forward part with a gate keeps


@dataclass(frozen=True, slots=True)
class Census:
    """The weights of a model, counted by what can become of them.

    Attributes:
        linear: in linear layers, which can be quantized.
        other: embeddings, head, norms and biases, which stay as they are.
        largest: in the largest tensor.
        stored: type of the weights in the files, as torch writes it without `torch.`; empty if that
            is unknown, or if the largest tensor is put together of several.
    """

    linear: int
    other: int
    largest: int
    stored: str = ""

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
        activations: of one pass, and where it learns what is kept for the way back.
        overhead: what loading and libraries take beside it.
        free: on the device.
        method: name of the quantization.
        learning: weights that learn, their gradients and moments; 0 where nothing learns.
    """

    weights: int
    cache: int
    activations: int
    overhead: int
    free: int
    method: str
    learning: int = 0

    @property
    def total(self) -> int:
        """All of it."""
        return self.weights + self.cache + self.activations + self.overhead + self.learning

    @property
    def doubt(self) -> int:
        """How far the total may be off to either side."""
        work = self.activations + self.overhead
        return int(DOUBT_OF_WEIGHTS * (self.weights + self.learning) + DOUBT_OF_WORK * work)

    @property
    def low(self) -> int:
        """The least it is likely to take."""
        return self.total - self.doubt

    @property
    def high(self) -> int:
        """The most it is likely to take."""
        return self.total + self.doubt

    @property
    def fits(self) -> bool:
        """Whether it fits into what is free."""
        return self.total <= self.free

    @property
    def is_comfortable(self) -> bool:
        """Whether it fits even where the estimate is too low."""
        return self.high <= self.free

    @property
    def said(self) -> str:
        """The total, for people."""
        return size(self.total)

    @property
    def free_said(self) -> str:
        """What is free, for people."""
        return size(self.free)

    @property
    def range_said(self) -> str:
        """The range, for people."""
        low, high = size(self.low), size(self.high)
        number, _, unit = low.partition(" ")
        return f"{number if high.endswith(f' {unit}') else low} to {high}"

    @property
    def parts(self) -> dict[str, int]:
        """The parts by name, the empty ones left out."""
        found = {
            "weights": self.weights,
            "context": self.cache,
            "learning": self.learning,
            "working memory": self.activations + self.overhead,
        }
        return {name: amount for name, amount in found.items() if amount}

    def explain(self) -> str:
        """Return the sum in one line."""
        parts = ", ".join(f"{name} {size(amount)}" for name, amount in self.parts.items())
        return f"{size(self.total)} with --quant {self.method}: {parts}"


@dataclass(frozen=True, slots=True)
class Training:
    """What a tuning adds.

    Attributes:
        method: `lora`, `qlora` or `full`.
        rank: of the LoRA matrices.
        tokens: of one row.
        batch: rows of one step.
        answer: tokens of a row that are learned.
    """

    method: str = "lora"
    rank: int = 16
    tokens: int = 256
    batch: int = 16
    answer: int = 16


def take_census(module: Any) -> Census:
    """Count the weights of a model, which may be on the `meta` device."""
    sizes = {id(weight): weight.numel() for weight in module.parameters()}
    linear = {id(each.weight) for _, each, stays in _linear_layers(module) if not stays}
    counted = sum(sizes[key] for key in linear)
    largest = max(module.parameters(), key=lambda each: each.numel(), default=None)
    # Experts stand one by one in the files, and in memory as one tensor.
    is_stacked = largest is not None and largest.ndim > 2  # noqa: PLR2004 - rows and columns
    dtype = getattr(getattr(module, "config", None), "dtype", None)
    return Census(
        counted,
        sum(sizes.values()) - counted,
        0 if largest is None else largest.numel(),
        "" if is_stacked or dtype is None else str(dtype).removeprefix("torch."),
    )


def left_alone(module: Any) -> list[str]:
    """Return the names of the linear layers that are not to be quantized.

    These are the head, whatever shares its weights with an embedding, poolers (unused, and often
    not in the files), layers whose sizes the kernels cannot divide, and those whose input the model
    casts to the type of their weights: that would be a byte (LongT5, Switch).
    """
    return [name for name, _, stays in _linear_layers(module) if stays]


def _linear_layers(module: Any) -> Iterator[tuple[str, Any, bool]]:
    """Yield name, layer and whether it stays as it is."""
    import torch
    from transformers.pytorch_utils import Conv1D

    head = getattr(module, "get_output_embeddings", lambda: None)()
    shared = {id(each.weight) for each in module.modules() if isinstance(each, torch.nn.Embedding)}
    casts = {kind: _casts_to(kind) for kind in {type(each) for each in module.modules()}}
    cast = {
        id(child)
        for each in module.modules()
        for name, child in each.named_children()
        if name in casts[type(each)]
    }
    for name, each in module.named_modules():
        # A subclass has a reason of its own and is not replaced by bitsandbytes either.
        if type(each) is torch.nn.Linear or isinstance(each, Conv1D):
            rows, columns = each.weight.shape[:: -1 if isinstance(each, Conv1D) else 1]
            stays = (
                each is head
                or id(each.weight) in shared
                or id(each) in cast
                or "pooler" in name.split(".")
                or rows % ROWS != 0
                or columns % COLUMNS != 0
            )
            yield name, each, stays


def _casts_to(kind: type[Any]) -> frozenset[str]:
    """Return to the weights of which children a class casts its states, by its code."""
    try:
        return frozenset(_CAST.findall(inspect.getsource(kind.forward)))
    except (OSError, TypeError):  # no file holds its code
        return frozenset()


def estimate(
    shape: Shape,
    census: Census,
    method: Method,
    device: Device,
    *,
    dtype_bytes: int,
    context: int,
    batch: int = 1,
    writes: bool = True,
    training: Training | None = None,
) -> Fit:
    """Work out what a model takes.

    The parts of a pass are those of a transformer at the moment when most is in memory: beside the
    states of all tokens those of the feed-forward part, before and after its activation.

    Args:
        shape: of its architecture.
        census: its weights.
        method: of quantization.
        device: where it would run.
        dtype_bytes: of one unquantized weight.
        context: tokens of prompt and answer.
        batch: texts at once.
        writes: whether it writes text, and so keeps keys and values.
        training: what is learned, if anything; its rows are then read in place of prompts.
    """
    each = dtype_bytes if method.bytes_per_parameter is None else method.bytes_per_parameter
    overhead = FIXED_OVERHEAD[device.type]
    if device.type == "cpu" and not writes:
        overhead = ENCODER_OVERHEAD
    learning = cache = 0
    if training is None:
        tokens = min(batch * context, READ_AT_ONCE)
        width = (4 * shape.hidden + _inner_states(shape, census) * shape.inner) * dtype_bytes
        work = tokens * width + batch * shape.vocabulary * FULL
        if writes:
            cache = int(GROWTH * batch * shape.cache_bytes(dtype_bytes, context))
        # A tensor is read in the type of its file before it is cast or quantized, for a GPU in the
        # memory of the processor; that is over when the first pass begins.
        read = dtype_bytes if device.type == "cuda" else BYTES.get(census.stored, FULL)
        work = int(SLACK * work)
        if method.bytes_per_parameter is not None or not _stays(census, device, dtype_bytes):
            work = max(work, census.largest * read)
    else:
        learning = _learning_bytes(shape, census, training)
        tokens = training.batch * min(training.tokens, context)
        scores = training.batch * min(training.answer, training.tokens) * shape.vocabulary
        work = int(SLACK * (tokens * _kept(shape, census, dtype_bytes) + 4 * FULL * scores))
    if method.bytes_per_parameter is not None:
        # One layer at a time is unpacked to read a prompt.
        work += shape.hidden * shape.inner * dtype_bytes
    return Fit(
        weights=int(census.linear * each + census.other * dtype_bytes),
        cache=cache,
        activations=work,
        overhead=overhead,
        free=device.free_bytes,
        method=method.name,
        learning=learning,
    )


def _stays(census: Census, device: Device, dtype_bytes: int) -> bool:
    """Whether tensors stay as they are in the files, which the weights then lie in."""
    # The only type of two bytes that a processor computes in unless another is asked for.
    dtype = "bfloat16" if dtype_bytes == BYTES["bfloat16"] else "float32"
    return device.type == "cpu" and census.stored == dtype


def _learning_bytes(shape: Shape, census: Census, training: Training) -> int:
    """Return what the weights that learn take, with a gradient and two moments of Adam each."""
    if training.method == "full":
        return BYTES_TO_LEARN * census.parameters
    queries, keys = shape.heads * shape.head_size, shape.kv_heads * shape.head_size
    ends = 2 * (shape.hidden + queries) + 2 * (shape.hidden + keys)
    ends += 3 * (shape.hidden + shape.inner)
    return BYTES_TO_LEARN * training.rank * shape.layers * ends


def _inner_states(shape: Shape, census: Census) -> int:
    """Return how many states of the feed-forward part are in memory at once.

    They are three with a gate, which is a third matrix beside the two that widen and narrow.
    """
    attention = 2 * shape.hidden * (shape.heads + shape.kv_heads) * shape.head_size
    matrix = shape.hidden * shape.inner
    return 3 if census.linear > shape.layers * (attention + 2.5 * matrix) else 2


def _kept(shape: Shape, census: Census, dtype_bytes: int) -> int:
    """Return the bytes that all layers keep of one token for the way back.

    What norms, attention, the feed-forward part and the LoRA matrices save, counted on Llama with
    LoRA on all linear layers (torch 2.13, peft 0.21); other activations keep up to a fifth more or
    less.
    """
    of_states, of_inner, of_queries, of_keys = _KEPT_OF[dtype_bytes]
    share = 1.0 if _inner_states(shape, census) > 2 else WITHOUT_GATE  # noqa: PLR2004 - no gate
    queries, keys = shape.heads * shape.head_size, shape.kv_heads * shape.head_size
    kept = (
        of_states * shape.hidden
        + share * of_inner * shape.inner
        + of_queries * queries
        + of_keys * keys
    )
    return int(shape.layers * kept)


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
