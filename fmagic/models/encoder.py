"""Texts to vectors, with an encoder or with the states of a language model."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import torch

from fmagic.errors import ContextLengthError
from fmagic.models.chat import Controls
from fmagic.models.devices import detect
from fmagic.models.loaded import Loaded
from fmagic.models.measures import READ_ON_CPU, input_device, most_in_a_pass
from fmagic.models.pooling import Pooling, pool, read_pooling
from fmagic.models.precision import BYTES
from fmagic.models.shape import Shape

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np

# Tokens of one pass.
BATCH_TOKENS = {"cpu": READ_ON_CPU, "mps": 16384, "cuda": 65536}
FILLED = 0.25  # of the free memory of a GPU, by the states of a pass
LEAST_FULL = 0.9  # at most a tenth of a batch is padding


class Encoder(Loaded):
    """A model that makes vectors and writes no text; made by `fmagic.models.loader.load`."""


def pooling_of(model: Loaded) -> Pooling:
    """Return how the model's token states become one vector."""
    return read_pooling(model.folder, default="last" if model.kind == "causal" else "mean")


def tokenize(model: Loaded, texts: Sequence[str], *, truncate: bool = False) -> list[list[int]]:
    """Return the token ids of each text, as `embed` reads them.

    Raises:
        ContextLengthError: a text is longer than the model reads, and `truncate` is false.
    """
    limit, pooling = model.context_length, pooling_of(model)
    if pooling.longest is not None:
        limit = min(limit, pooling.longest)
    options: dict[str, Any] = {"truncation": True, "max_length": limit} if truncate else {}
    controls = Controls.of(model.tokenizer)
    if any(map(controls.stand_in, texts)):
        options["split_special_tokens"] = True  # "[SEP]" in a text is text
    asked = [pooling.prompt + text for text in texts]
    ids: list[list[int]] = model.tokenizer(asked, verbose=False, **options)["input_ids"]
    over = [row for row, tokens in enumerate(ids) if len(tokens) > limit]
    if over:
        raise ContextLengthError(
            f"{len(over):,} of {len(ids):,} texts are too long: text {over[0] + 1} is "
            f"{len(ids[over[0]]):,} tokens and {model.name} reads at most {limit:,}. "
            "Split them, or add --truncate to cut them at the end."
        )
    nothing = [model.tokenizer.eos_token_id or model.tokenizer.pad_token_id or 0]
    return [tokens or nothing for tokens in ids]


def embed(
    model: Loaded, ids: Sequence[Sequence[int]], *, batch_tokens: int | None = None
) -> Iterator[tuple[list[int], np.ndarray]]:
    """Make one vector of length 1 for each text.

    Args:
        model: an encoder, or a language model whose last hidden states are pooled.
        ids: token ids of each text, from `tokenize`.
        batch_tokens: most tokens of one pass, padding included; `None` takes what suits the device.

    Yields:
        `(places, vectors)`: which texts, and their vectors, float32 of shape `(len(places), d)`.
        The longest texts come first, so a shortage of memory shows at once.
    """
    mode = pooling_of(model).mode
    body = _body(model)
    device = input_device(model.network)
    budget = batch_tokens or _budget(model, device)
    # A causal model would keep keys and values of all tokens, which nobody asks for again.
    options = {"use_cache": False} if _takes(body, "use_cache") else {}
    # Without a mask (FNet) padding would be read as text: only texts of one length go together.
    full = LEAST_FULL if _takes(body, "attention_mask") else 1.0
    order = sorted(range(len(ids)), key=lambda index: -len(ids[index]))
    start = 0
    while start < len(order):
        places = _next_batch(order, start, ids, budget, full)
        start += len(places)
        yield places, _forward(body, [ids[place] for place in places], mode, device, options)


def _budget(model: Loaded, device: torch.device) -> int:
    """Return the tokens of one pass: what keeps the device busy and leaves it most of its memory."""
    most = min(BATCH_TOKENS.get(device.type, BATCH_TOKENS["cpu"]), most_in_a_pass(model.network))
    if device.type != "cuda":
        return most
    shape = Shape.of(model.network.config)
    width = (4 * shape.hidden + 3 * shape.inner) * BYTES.get(model.dtype, BYTES["float32"])
    return min(most, max(READ_ON_CPU, int(FILLED * detect(str(device)).free_bytes / width)))


def _takes(body: Any, option: str) -> bool:
    """Tell whether a network takes an option by its name."""
    return option in inspect.signature(body.forward).parameters


def _next_batch(
    order: Sequence[int], start: int, ids: Sequence[Sequence[int]], budget: int, full: float
) -> list[int]:
    longest = len(ids[order[start]])
    most = max(1, budget // longest)
    filled = 0
    places: list[int] = []
    for place in order[start : start + most]:
        filled += len(ids[place])
        if filled < full * longest * (len(places) + 1):
            break
        places.append(place)
    return places


@torch.inference_mode()
def _forward(
    body: Any,
    batch: Sequence[Sequence[int]],
    mode: Any,
    device: torch.device,
    options: dict[str, bool],
) -> np.ndarray:
    longest = max(map(len, batch))
    rows = torch.tensor([[*row, *[0] * (longest - len(row))] for row in batch], device=device)
    mask = None
    if any(len(row) < longest for row in batch):
        lengths = torch.tensor([len(row) for row in batch], device=device)
        mask = (torch.arange(longest, device=device) < lengths[:, None]).long()
    states = body(input_ids=rows, attention_mask=mask, **options).last_hidden_state
    return pool(states, mask, mode).cpu().numpy()


def _body(model: Loaded) -> Any:
    """Return the part of the model whose output is states and not scores of tokens."""
    network = model.network
    if model.kind == "seq2seq":
        return network.get_encoder()
    if model.kind != "causal":
        return network
    # A part of a larger model that was saved whole may not know its body by name (Llama 4).
    body = network.base_model
    return network.get_decoder() if body is network else body
