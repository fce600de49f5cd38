"""How the next token is chosen: greedy, or sampled from the likeliest share.

Every row of a table draws from a random stream of its own, so its text depends on the seed and on
its place in the table, never on which rows happened to share its batch.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from fmagic.errors import OptionError, must_be_number, must_be_seed

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

Finish = Literal["stop", "length", "interrupted"]


@dataclass(frozen=True, slots=True)
class Sampling:
    """What bounds and shapes one answer.

    Attributes:
        max_tokens: most tokens of the answer.
        temperature: 0 takes the likeliest token each time; larger is more varied.
        top_p: sample from the likeliest tokens that together hold this probability (nucleus
            sampling, Holtzman et al. 2020, arXiv:1904.09751).
        stop: strings at which the answer ends; the string itself is left out.
        seed: start of the random streams.

    Raises:
        OptionError: a value is out of its range.
    """

    max_tokens: int = 256
    temperature: float = 0.0
    top_p: float = 1.0
    stop: tuple[str, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        must_be_number("--max-tokens", self.max_tokens, whole=True)
        must_be_number("--temperature", self.temperature)
        must_be_number("--top-p", self.top_p)
        must_be_seed(self.seed)
        if self.max_tokens < 1:
            raise OptionError(f"--max-tokens must be at least 1, not {self.max_tokens}.")
        if not 0 <= self.temperature < float("inf"):
            raise OptionError(f"--temperature must be 0 or more, not {self.temperature}.")
        if not 0 < self.top_p <= 1:
            raise OptionError(f"--top-p must be above 0 and at most 1, not {self.top_p}.")


@dataclass(slots=True)
class Completion:
    """One answer of a model, with what it took.

    Attributes:
        text: the answer, without surrounding white space.
        input_tokens: tokens read, `None` if nobody counted them.
        output_tokens: tokens written, the end token included, `None` if nobody counted them.
        finish: `stop` (the model or a stop string ended it), `length` or `interrupted`.
    """

    text: str
    input_tokens: int | None
    output_tokens: int | None
    finish: Finish


def stream_of(seed: int, row: int) -> random.Random:
    """Return the random stream of one row; the same on every machine and Python version."""
    return random.Random(f"{seed}:{row}")  # noqa: S311 - sampling of text, not of secrets


def pick(
    logits: torch.Tensor, sampling: Sampling, streams: Sequence[random.Random]
) -> torch.Tensor:
    """Choose one token for each row.

    Args:
        logits: scores of the next token, shape `(rows, vocabulary)`.
        sampling: how to choose.
        streams: one random stream for each row; each gives one number per call.

    Returns:
        Token ids, shape `(rows,)`, on the device of `logits`.
    """
    import torch

    if sampling.temperature == 0:
        return logits.argmax(dim=-1)
    # A quotient beyond the largest number would be none; at 1e-6 the likeliest token has it all.
    probabilities = torch.softmax(logits.float() / max(sampling.temperature, 1e-6), dim=-1)
    ordered, order = probabilities.sort(dim=-1, descending=True)
    cumulative = ordered.cumsum(dim=-1)
    # The token that carries the sum over top_p still belongs to the nucleus.
    kept = (cumulative - ordered) < sampling.top_p if sampling.top_p < 1 else ordered > 0
    kept[:, 0] = True
    mass = (ordered * kept).cumsum(dim=-1)
    draws = torch.tensor([stream.random() for stream in streams], dtype=mass.dtype).to(mass.device)
    # At least one column of `mass` exceeds any draw below 1 times the whole.
    place = (mass > (draws * mass[:, -1]).unsqueeze(-1)).int().argmax(dim=-1)
    return order.gather(-1, place.unsqueeze(-1)).squeeze(-1)
