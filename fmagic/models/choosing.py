"""The probability of each of a few given answers, instead of free text.

An answer's score is the log-probability of exactly its tokens and of the end of the turn after
them, so a choice that begins another one competes fairly. The prompt is read once, whatever the
number of choices.
"""

from __future__ import annotations

import inspect
from itertools import groupby
from typing import TYPE_CHECKING, Any

import torch

from fmagic.models.cache import repeat
from fmagic.models.decoding import LIKE_LENGTH, Decoder
from fmagic.models.measures import input_device
from fmagic.models.sampling import Sampling

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fmagic.models.batch import Batch

MOST_ROWS = 64
MOST_SCORES = 1 << 26  # of all tokens of the vocabulary, for the tokens of choices in one pass


def choose_by_cache(
    decoder: Decoder,
    prompts: Sequence[Sequence[int]],
    choices: Sequence[Sequence[int]],
    *,
    batch_tokens: int,
) -> Iterator[tuple[int, list[float]]]:
    """Score choices with a model whose memory can be repeated for each of them.

    Args:
        decoder: of the model.
        prompts: token ids of each prompt.
        choices: token ids of each choice, with the token that ends it.
        batch_tokens: most tokens read at once.

    Yields:
        `(index, log-probabilities)` with one figure a choice, the longest prompts first.
    """
    if decoder.graphs:
        decoder.graphs.forget()  # the rows need the room
    prefix = decoder.read_prefix(prompts)
    order = sorted(range(len(prompts)), key=lambda index: -len(prompts[index]))
    longest_choice = max(map(len, choices)) - 1
    room = decoder.room(len(prompts) * len(choices))
    start = 0
    while start < len(order):
        longest = len(prompts[order[start]])
        columns = longest + longest_choice
        size = min(
            MOST_ROWS,
            batch_tokens // (longest + sum(map(len, choices))),
            room // (columns * len(choices)),
        )
        group = [
            index
            for index in order[start : start + max(1, size)]
            if len(prompts[index]) - prefix.length >= LIKE_LENGTH * (longest - prefix.length)
        ]
        start += len(group)
        rows = [decoder.row(index, prompts[index], Sampling(max_tokens=1), 0) for index in group]
        batch = decoder.read(rows, prefix)
        first = torch.log_softmax(batch.logits.float(), dim=-1)
        scores = first[:, [choice[0] for choice in choices]]
        if longest_choice:
            # All choices at once, unless the copies of the prompts or the scores would be too large.
            scored = MOST_SCORES // (first.shape[1] * longest_choice * len(group))
            remembered = room // (columns * len(group))
            together = max(1, min(scored, remembered))
            rest = [
                _rest(decoder, batch, choices[place : place + together])
                for place in range(0, len(choices), together)
            ]
            scores = scores + torch.cat(rest, dim=1)
        yield from zip(group, scores.tolist(), strict=True)


def _rest(decoder: Decoder, batch: Batch, choices: Sequence[Sequence[int]]) -> torch.Tensor:
    """Score what follows the first token of each choice; shape `(rows, choices)`."""
    rows, device = len(batch.rows), batch.logits.device
    if max(map(len, choices)) == 1:
        return torch.zeros((rows, len(choices)), device=device)
    inputs, targets, known = _continuations(choices, rows, device)
    mask = torch.cat([batch.mask.repeat_interleave(len(choices), dim=0), known], dim=1)
    steps = torch.arange(inputs.shape[1], device=device)
    positions = batch.lengths.repeat_interleave(len(choices))[:, None] + steps
    logits = decoder.forward(
        inputs, mask, positions, repeat(batch.cache, len(choices)), all_logits=True
    )
    return _gathered(logits, targets, known).view(rows, len(choices))


@torch.inference_mode()
def _whole(
    network: Any, prompts: list[Sequence[int]], choices: Sequence[Sequence[int]], start: int | None
) -> torch.Tensor:
    """Score the choices of prompts of one length; shape `(prompts, choices)`.

    `start` begins the decoder of an encoder-decoder and is `None` for a causal model.
    """
    device = input_device(network)
    ids = torch.tensor([list(prompt) for prompt in prompts], device=device)
    ids = ids.repeat_interleave(len(choices), dim=0)
    inputs, targets, known = _continuations([[0, *c] for c in choices], len(prompts), device)
    if start is None:
        whole = torch.cat([ids, inputs[:, 1:]], dim=1)
        last = inputs.shape[1]
        few = {"logits_to_keep": last} if _scores_few(network) else {}
        logits = network(input_ids=whole, use_cache=False, **few).logits[:, -last:]
    else:
        inputs[:, 0] = start
        logits = network(input_ids=ids, decoder_input_ids=inputs, use_cache=False).logits
    return _gathered(logits, targets, known).view(len(prompts), len(choices))


def choose_by_text(
    network: Any,
    prompts: Sequence[Sequence[int]],
    choices: Sequence[Sequence[int]],
    *,
    decoder_start: int | None,
    batch_tokens: int,
) -> Iterator[tuple[int, list[float]]]:
    """Score choices with any other model, reading the prompt again for each choice."""
    order = sorted(range(len(prompts)), key=lambda index: -len(prompts[index]))
    longest = max(map(len, choices))
    vocabulary = int(network.config.get_text_config(decoder=True).vocab_size)
    for length, same in groupby(order, key=lambda index: len(prompts[index])):
        indices = list(same)
        few = decoder_start is not None or _scores_few(network)
        scored = vocabulary * (longest if few else length + longest)
        rows = max(1, min(batch_tokens // (length + longest), MOST_SCORES // scored))
        together = min(rows, len(choices))
        size = max(1, rows // len(choices))
        for start in range(0, len(indices), size):
            part = indices[start : start + size]
            asked = [prompts[index] for index in part]
            scores = [
                _whole(network, asked, choices[place : place + together], decoder_start)
                for place in range(0, len(choices), together)
            ]
            yield from zip(part, torch.cat(scores, dim=1).tolist(), strict=True)


def _scores_few(network: Any) -> bool:
    """Tell whether a network can be told to score the last tokens alone."""
    return "logits_to_keep" in inspect.signature(network.forward).parameters


def _continuations(
    choices: Sequence[Sequence[int]], rows: int, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return inputs, targets and mask of all choices but their first token, for each row.

    Each has shape `(rows * choices, longest choice - 1)`, padded on the right.
    """
    longest = max(map(len, choices)) - 1
    inputs, targets, known = [], [], []
    for choice in choices:
        missing = [0] * (longest - len(choice) + 1)
        inputs.append([*choice[:-1], *missing])
        targets.append([*choice[1:], *missing])
        known.append([1] * (len(choice) - 1) + missing)
    one, two, three = (
        torch.tensor(table, device=device).repeat(rows, 1) for table in (inputs, targets, known)
    )
    return one, two, three


def _gathered(logits: torch.Tensor, targets: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    """Sum the log-probabilities of the targets that are no padding; shape `(rows,)`."""
    each = torch.log_softmax(logits[:, : targets.shape[1]].float(), dim=-1)
    return (each.gather(-1, targets[..., None]).squeeze(-1) * known).sum(dim=-1)
