"""Texts to vectors."""

from __future__ import annotations

import time
from dataclasses import dataclass
from hashlib import sha256
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
        input_tokens: tokens read, `None` if nobody counted them.
        seconds: duration.
        interrupted: whether Stop ended it.
        failure: what ended it before all was done.
        cost: in US dollars, `None` if that is not known.
    """

    vectors: np.ndarray
    done: int
    input_tokens: int | None
    seconds: float
    interrupted: bool
    failure: Exception | None = None
    cost: float | None = None

    @property
    def total(self) -> int:
        """Number of texts."""
        return int(self.vectors.shape[0])

    def summary(self) -> dict[str, object]:
        """Return what the record of the run says about the output."""
        table = {"rows": self.total, "dimensions": int(self.vectors.shape[1])}
        return {"table": table, "sha256": sha256(self.vectors.tobytes()).hexdigest()}

    def metrics(self) -> dict[str, float]:
        """Return the figures for the record of the run."""
        figures: dict[str, float] = {"rows": self.done}
        if self.input_tokens is not None:
            figures["input_tokens"] = self.input_tokens
        if self.cost is not None:
            figures["cost"] = self.cost
        if self.seconds > 0:
            figures["rows_per_second"] = self.done / self.seconds
            if self.input_tokens is not None:
                figures["tokens_per_second"] = self.input_tokens / self.seconds
        return figures


def embed(
    model: Loaded, texts: Sequence[str], *, truncate: bool = False
) -> Generator[Event, None, EmbedResult]:
    """Make a vector for each text.

    An error in the middle of it becomes the `failure` of the result, which keeps what was done.

    Args:
        model: an encoder, a language model whose states are pooled, or a model on a server.
        texts: at least one text.
        truncate: cut texts that are too long at their end.

    Raises:
        ContextLengthError: a text is longer than the model reads, and `truncate` is false.
        ServerError: a server failed before it made anything.
    """
    import numpy as np

    start = time.perf_counter()
    model.trim()
    passages = model.passages(texts, truncate=truncate)
    yield Started("Embed", len(passages), "texts")
    vectors: np.ndarray | None = None
    done = 0
    tokens: int | None = 0
    interrupted = False
    failure: Exception | None = None
    try:
        for places, part, read in model.vectors(passages):
            if places:
                if vectors is None:
                    vectors = np.full((len(passages), part.shape[1]), np.nan, dtype=np.float32)
                vectors[places] = part
                done += len(places)
                tokens = None if tokens is None or read is None else tokens + read
            yield Advanced(done)
    except KeyboardInterrupt:
        interrupted = True
    except Exception as error:
        if not done:
            raise
        failure = error.with_traceback(None)  # its frames may hold what was too much
    if vectors is None:
        vectors = np.full((len(passages), 0), np.nan, dtype=np.float32)
    seconds = time.perf_counter() - start
    cost = model.cost(tokens, 0)
    return EmbedResult(vectors, done, tokens, seconds, interrupted, failure, cost)


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
