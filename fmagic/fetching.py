"""The fetching of a model, as whoever watches sees it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

from fmagic.operations.events import Advanced, Started

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from fmagic.drive import Watch


class Fetching:
    """Called with bytes on disk and bytes in all; as a context it ends what it began to show.

    Nothing is shown of a model whose files are all on this disk.

    Args:
        name: of the model.
        watch: makes the watch, when there is something to see.
    """

    def __init__(self, name: str, watch: Callable[[], Watch]) -> None:
        self._name, self._make = name, watch
        self._watch: Watch | None = None
        self._first = self._done = self._total = 0
        self._begun = self._moved = 0.0

    def __call__(self, done: int, total: int) -> None:
        """Pass on how far it is."""
        now = time.perf_counter()
        if self._watch is None:
            if done == total:
                return
            self._watch = self._make()
            self._first, self._total = done, total
            self._begun = now
            self._watch.event(Started(f"Fetching {self._name}", total, "B", done))
        if done != self._done:
            self._done, self._moved = done, now
        self._watch.event(Advanced(done))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        stack: TracebackType | None,
    ) -> None:
        if self._watch is not None:
            self._watch.end(self._said())

    def _said(self) -> str:
        from fmagic.views import duration, size

        if self._done < self._total:
            return f"Of {self._name}, {size(self._done)} of {size(self._total)} are on this disk."
        there = f"; {size(self._first)} were here already" if self._first else ""
        new, seconds = self._done - self._first, max(self._moved - self._begun, 0.0)
        return f"Fetched {self._name}: {size(new)} in {duration(seconds)}{there}."
