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


def neighbours(vectors: np.ndarray, count: int, *, most: int) -> list[list[tuple[int, float]]]:
    """Return the nearest others of the first `most` texts.

    Args:
        vectors: shape `(n, d)`, each of length 1.
        count: neighbours of each.
        most: texts to look at.

    Returns:
        For each text, up to `count` pairs `(index, cosine)`, the nearest first.
    """
    import numpy as np

    cosines = vectors[:most] @ vectors.T
    rows = np.arange(len(cosines))
    cosines[rows, rows] = -np.inf
    count = min(count, vectors.shape[0] - 1)
    order = np.argsort(-cosines, axis=1)[:, :count]
    return [[(int(j), float(cosines[i, j])) for j in near] for i, near in enumerate(order)]
