"""Rows that write together: prompts on their way, and what the model remembers of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from fmagic.models.cache import join, keep
from fmagic.models.sampling import Completion, Finish

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from transformers import Cache

    from fmagic.models.detokenize import Detokenizer
    from fmagic.models.graphs import Steps


@dataclass(slots=True)
class Row:
    """One prompt on its way."""

    index: int
    prompt: Sequence[int]
    most: int
    stream: random.Random
    text: Detokenizer
    tokens: list[int] = field(default_factory=list)

    def completion(self, finish: Finish) -> Completion:
        """Close the text and count."""
        return Completion(self.text.text.strip(), len(self.prompt), len(self.tokens), finish)


@dataclass(slots=True)
class Batch:
    """Rows that write together.

    `mask` has shape `(rows, columns)`, 1 for a token and 0 for padding; `lengths` and `logits` are
    the tokens of each row so far and the scores of its next token. With `steps` those hold the
    keys and values, `cache` is empty, and `mask` stays behind.
    """

    rows: list[Row]
    cache: Cache
    mask: torch.Tensor
    lengths: torch.Tensor
    logits: torch.Tensor
    padded: bool
    steps: Steps | None = None
    recordable: bool = True

    @classmethod
    def of(cls, parts: Sequence[Batch]) -> Batch:
        """Return one batch with the rows of several."""
        if len(parts) == 1:
            return parts[0]
        columns = max(part.mask.shape[1] for part in parts)
        mask = torch.cat(
            [
                torch.nn.functional.pad(part.mask, (columns - part.mask.shape[1], 0))
                for part in parts
            ]
        )
        return cls(
            rows=[row for part in parts for row in part.rows],
            cache=join([part.cache for part in parts]),
            mask=mask,
            lengths=torch.cat([part.lengths for part in parts]),
            logits=torch.cat([part.logits for part in parts]),
            padded=not bool(mask.all()),
        )

    def select(self, places: list[int]) -> None:
        """Keep only these rows, and no column that is padding for all of them."""
        index = torch.tensor(places, device=self.mask.device)
        self.mask = self.mask.index_select(0, index)
        first = int(self.mask.any(dim=0).int().argmax()) if self.padded else 0
        self.mask = self.mask[:, first:]
        keep(self.cache, places, first)
        self.lengths = self.lengths.index_select(0, index)
        self.logits = self.logits.index_select(0, index)
        self.rows = [self.rows[place] for place in places]
        self.padded = self.padded and not bool(self.mask.all())


@dataclass(frozen=True, slots=True)
class Prefix:
    """What all prompts begin with, read once."""

    length: int
    cache: Cache | None
