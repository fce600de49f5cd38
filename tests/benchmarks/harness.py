"""What benchmarks share: how a thing is measured, and how a result is told."""

from __future__ import annotations

import gc
import importlib.util
import statistics
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

INSTALL = "pip install -c constraints.txt -e '.[bench]'"


class MissingError(Exception):
    """Something that a benchmark needs is not installed here; the message names it."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How to run.

    Attributes:
        folder: an empty folder of this benchmark's own.
        repeat: measurements of each side; `None` leaves it to the benchmark.
    """

    folder: Path
    repeat: int | None = None

    def repeats(self, usual: int) -> int:
        """Return how often to measure where `usual` is the benchmark's own choice."""
        return self.repeat or usual


@dataclass(frozen=True, slots=True)
class Measured:
    """The median of several measurements, with the smallest and the largest of them."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Measured:
        """Summarize measurements."""
        return cls(statistics.median(values), min(values), max(values))

    def rate(self, amount: float) -> Measured:
        """Return `amount` a second, where these are seconds."""
        return Measured(amount / self.median, amount / self.high, amount / self.low)

    def times(self, factor: float) -> Measured:
        """Return the same in another unit."""
        return Measured(self.median * factor, self.low * factor, self.high * factor)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the result.

    Attributes:
        work: what was done.
        peer: what did it besides fmagic, with its settings; empty where there is only a limit.
        peer_value: what was measured of the peer.
        fmagic_value: what was measured of fmagic.
        unit: of both.
        better: whether a `higher` or a `lower` figure is better.
        target: what fmagic aims at.
        note: what one has to know to judge the figures.
    """

    work: str
    peer: str
    peer_value: Measured | None
    fmagic_value: Measured | None
    unit: str
    better: Literal["higher", "lower"] = "higher"
    target: str = ""
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """How many times better fmagic is: above 1 it is ahead, whatever the unit."""
        if self.peer_value is None or self.fmagic_value is None:
            return None
        ours, theirs = self.fmagic_value.median, self.peer_value.median
        over, under = (ours, theirs) if self.better == "higher" else (theirs, ours)
        return over / under if under else None


def seconds_of(work: Callable[[], object]) -> float:
    """Return how long one call takes, work that a GPU still has to do included."""
    gc.collect()
    start = time.perf_counter()
    work()
    wait_for_gpu()
    return time.perf_counter() - start


def wait_for_gpu() -> None:
    """Return when the GPU, if torch uses one, has done what it was given."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.synchronize()


def alternate(
    calls: Mapping[str, Callable[[], object]], repeats: int, *, warm: bool = True
) -> dict[str, Measured]:
    """Measure the seconds of several calls in turns, so that a slow spell strikes all of them.

    Every other round goes backwards: no call always runs after the same neighbour.

    Args:
        calls: what to measure, by name.
        repeats: rounds.
        warm: call each once before, unmeasured.
    """
    if warm:
        for call in calls.values():
            call()
    taken: dict[str, list[float]] = {name: [] for name in calls}
    order = list(calls)
    for _ in range(repeats):
        for name in order:
            taken[name].append(seconds_of(calls[name]))
        order.reverse()
    return {name: Measured.of(values) for name, values in taken.items()}


def has(module: str) -> bool:
    """Whether a module can be imported, without importing it."""
    return importlib.util.find_spec(module) is not None


def need(*modules: str) -> None:
    """Raise `MissingError` if one of these modules is not installed."""
    absent = [module for module in modules if not has(module)]
    if absent:
        raise MissingError(f"needs {', '.join(absent)}. Install the peers: {INSTALL}")
