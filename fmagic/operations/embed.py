"""Texts to vectors."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fmagic.operations.events import Advanced, Event, Started

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    import numpy as np

    from fmagic.models.loaded import Loaded


@dataclass(slots=True)
class EmbedResult:
    """Vectors and what they took.

    Attributes:
        vectors: float32 of shape `(n, d)`, each of length 1; rows that were not reached are NaN.
        done: number of vectors that are there.
        input_tokens: tokens read.
        seconds: duration.
        interrupted: whether Stop ended it.
    """

    vectors: np.ndarray
    done: int
    input_tokens: int
    seconds: float
    interrupted: bool

    @property
    def total(self) -> int:
        """Number of texts."""
        return int(self.vectors.shape[0])

    def summary(self) -> dict[str, object]:
        """Return what the record of the run says about the output."""
        return {"table": {"rows": self.total, "dimensions": int(self.vectors.shape[1])}}

    def metrics(self) -> dict[str, float]:
        """Return the figures for the record of the run."""
        figures: dict[str, float] = {"input_tokens": self.input_tokens, "rows": self.done}
        if self.seconds > 0:
            figures["rows_per_second"] = self.done / self.seconds
            figures["tokens_per_second"] = self.input_tokens / self.seconds
        return figures


def embed(
    model: Loaded, texts: Sequence[str], *, truncate: bool = False
) -> Generator[Event, None, EmbedResult]:
    """Make a vector for each text.

    Args:
        model: an encoder, or a language model whose states are pooled.
        texts: at least one text.
        truncate: cut texts that are too long at their end.

    Raises:
        ContextLengthError: a text is longer than the model reads, and `truncate` is false.
    """
    import numpy as np

    from fmagic.models.encoder import embed as passes
    from fmagic.models.encoder import tokenize

    start = time.perf_counter()
    ids = tokenize(model, texts, truncate=truncate)
    yield Started("Embed", len(ids), "texts")
    vectors: np.ndarray | None = None
    done = tokens = 0
    interrupted = False
    try:
        for places, part in passes(model, ids):
            if vectors is None:
                vectors = np.full((len(ids), part.shape[1]), np.nan, dtype=np.float32)
            vectors[places] = part
            done += len(places)
            tokens += sum(len(ids[place]) for place in places)
            yield Advanced(done)
    except KeyboardInterrupt:
        interrupted = True
    if vectors is None:
        vectors = np.full((len(ids), 0), np.nan, dtype=np.float32)
    return EmbedResult(vectors, done, tokens, time.perf_counter() - start, interrupted)


def neighbours(vectors: np.ndarray, *, most: int) -> list[tuple[int, int, float]]:
    """Return the nearest other text of each of the first `most` texts.

    Args:
        vectors: shape `(n, d)`, each of length 1.
        most: texts to look at.

    Returns:
        `(text, nearest, cosine)` for each, none if there is only one text.
    """
    import numpy as np

    if len(vectors) < 2:  # noqa: PLR2004 - a text and another
        return []
    cosines = vectors[:most] @ vectors.T
    rows = np.arange(len(cosines))
    cosines[rows, rows] = -np.inf
    nearest = cosines.argmax(axis=1)
    return [(int(i), int(j), float(cosines[i, j])) for i, j in zip(rows, nearest, strict=True)]
