"""Runs an operation: its events go to whoever watches, its figures to the log, its end to both."""

from __future__ import annotations

import traceback
from dataclasses import dataclass, field
from functools import wraps
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from fmagic.errors import FmagicError, Interrupted, OutOfMemoryError, empty_frames
from fmagic.operations.events import Event, Notice, Point

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from fmagic.results import Result
    from fmagic.runs.log import ActiveRun
    from fmagic.runs.record import CellInfo, RunRecord
    from fmagic.stopping import Work

R = TypeVar("R")
Method = TypeVar("Method", bound="Callable[..., Any]")


class Watch(Protocol):
    """Sees one piece of work: every event, then exactly one of the ends."""

    def event(self, event: Event) -> None:
        """Take an event of the operation."""

    def finish(self, result: Result) -> None:
        """Show the result."""

    def fail(self, record: RunRecord) -> None:
        """Show the record of an operation that ended in an error."""

    def end(self, said: str) -> None:
        """Show one line in the place of the progress of work that makes no run."""


class Front(Protocol):
    """What a session can know of the place where it is used."""

    def cell(self) -> CellInfo | None:
        """Return the cell that is running."""

    def notebook(self) -> str | None:
        """Return the notebook's path, if it is known."""

    def variables(self) -> Mapping[str, object]:
        """Return the user's variables."""

    def put_cell(self, source: str) -> bool:
        """Put a new cell below the running one; return whether that can be done here."""

    def watch(self) -> Watch:
        """Return someone to watch an operation."""

    def pick(self, state: Any) -> bool:
        """Show the picker, a `fmagic.picker.Picking`; return whether that can be done here."""

    def changed(self) -> None:
        """Take note that other models are loaded, or other operations go on."""


class Unwatched:
    """The watch of plain Python: results are values, nothing is shown."""

    def event(self, event: Event) -> None:
        """Show nothing."""

    def finish(self, result: Result) -> None:
        """Show nothing."""

    def fail(self, record: RunRecord) -> None:
        """Show nothing."""

    def end(self, said: str) -> None:
        """Show nothing."""


class Script:
    """The front of plain Python, outside a notebook."""

    def cell(self) -> CellInfo | None:
        """Return nothing: there is no cell."""
        return None

    def notebook(self) -> str | None:
        """Return nothing: there is no notebook."""
        return None

    def variables(self) -> Mapping[str, object]:
        """Return nothing: a script hands its values over."""
        return {}

    def put_cell(self, source: str) -> bool:  # noqa: ARG002 - there is no place for it
        """Put nothing anywhere."""
        return False

    def watch(self) -> Watch:
        """Watch nothing."""
        return Unwatched()

    def pick(self, state: Any) -> bool:  # noqa: ARG002 - there is no place for it
        """Show nothing."""
        return False

    def changed(self) -> None:
        """Tell nobody."""


@dataclass(slots=True)
class Points:
    """The curves of one operation."""

    series: dict[str, list[tuple[float, float]]] = field(default_factory=dict)

    def add(self, point: Point) -> None:
        """Append a point to its curve."""
        self.series.setdefault(point.series, []).append((point.step, point.value))


def drive(
    operation: Generator[Event, None, R], active: ActiveRun, watch: Watch, work: Work
) -> tuple[R, Points]:
    """Run an operation to its end.

    Stop may strike while a display is being updated, or be asked for by another thread; it is
    handed to the operation, which keeps what was done and returns.
    """
    points = Points()
    throw: BaseException | None = None
    handed = False
    while True:
        try:
            event = operation.throw(throw) if throw else next(operation)
        except StopIteration as end:
            return end.value, points
        throw = None
        try:
            if isinstance(event, Point):
                points.add(event)
                active.add_point(event.series, event.step, event.value)
            elif isinstance(event, Notice):
                active.add_notice(event.text)
            watch.event(event)
        except KeyboardInterrupt as stop:
            throw, handed = stop, True
        if work.is_due and not handed:
            throw, handed = KeyboardInterrupt(), True


def tidy(method: Method) -> Method:
    """Let a failed method hold nothing: IPython keeps the traceback, and frames keep tensors.

    An `FmagicError` is raised anew, with its cause alone; any other error keeps its stack. The
    frames of what is kept are emptied. A Stop that no operation took up becomes one line.
    """

    @wraps(method)
    def tidied(*args: Any, **kwargs: Any) -> Any:
        try:
            return method(*args, **kwargs)
        except FmagicError as error:
            empty_frames(error)
            failure: FmagicError = error.with_traceback(None)
        except KeyboardInterrupt as stop:
            traceback.clear_frames(stop.__traceback__)
            failure = Interrupted("Stopped. What was there before is as it was.")
        except BaseException as error:
            traceback.clear_frames(error.__traceback__)
            raise
        raise failure

    return cast("Method", tidied)


def as_shortage(error: BaseException, device: str | None, advice: str) -> OutOfMemoryError | None:
    """Return the error to raise if memory ran out; `None` if it was something else."""
    from fmagic.models.devices import detect
    from fmagic.models.memory import is_shortage, shortage_message

    if not is_shortage(error):
        return None
    traceback.clear_frames(error.__traceback__)
    return OutOfMemoryError(shortage_message(detect(device), advice))
