"""Where an operation meets its timing, its log and whoever watches it; the one such place."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from fmagic.drive import Front, Points, Script, as_shortage, drive
from fmagic.errors import Interrupted
from fmagic.results import Result
from fmagic.runs.journal import Journal
from fmagic.runs.log import RunLog
from fmagic.settings import Fmagic
from fmagic.shelf import Shelf
from fmagic.stopping import Stops

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from fmagic.data import Rows
    from fmagic.drive import Watch
    from fmagic.models.loaded import Loaded
    from fmagic.operations.events import Event
    from fmagic.runs.record import RunRecord

Shown = TypeVar("Shown", bound=Result)

ADVICE = (
    "The model is still loaded. Use shorter texts or fewer tokens, a smaller batch "
    "(`%config Fmagic.batch_tokens`, or --batch-size for tuning), or a smaller model."
)


class Running(Shelf):
    """The state of a session: its models, its templates, its log; operations run on it.

    Args:
        settings: defaults and limits; those of the working folder if not given.
        front: where it is used; plain Python if not given.
    """

    def __init__(self, settings: Fmagic | None = None, front: Front | None = None) -> None:
        super().__init__(settings or Fmagic.from_pyproject(Path.cwd()))
        self.front: Front = front or Script()
        self.log = RunLog(Journal(Path(self.settings.journal_dir)))
        self.templates: dict[str, str] = {}
        # Cells that were put back to be run again, by their source.
        self.repeated: dict[str, RunRecord] = {}
        self.stops = Stops()

    def changed(self) -> None:
        """Tell the front what is loaded or going on now."""
        self.front.changed()

    def watch(self) -> Watch:
        """Let the front show how far the fetching of a model is."""
        return self.front.watch()

    def run(
        self,
        kind: str,
        operation: Generator[Event, None, Any],
        wrap: Callable[[Any, RunRecord, Points], Shown],
        *,
        model: Loaded,
        params: Mapping[str, object],
        template: str | None = None,
        rows: Rows | None = None,
        seed: int | None = None,
        run_id: str | None = None,
        adopt: Callable[[Any], None] | None = None,
    ) -> Shown:
        """Run an operation, log it, and return its result.

        The log has the run before its first step and its end whatever happens. `adopt` takes up
        what the operation returned, as a part of the run; `wrap` makes the result of it.
        """
        from fmagic.models.memory import PeakMemory

        model.batch_tokens = self.settings.batch_tokens  # it may have changed since the loading
        cell = self.front.cell()
        active = self.log.begin(
            kind,
            run_id=run_id,
            cell=cell,
            repeated=self.repeated.get((cell.source or "").strip()) if cell else None,
            notebook=self.front.notebook(),
            model=model.info(),
            template=template,
            params=dict(params),
            seed=seed,
            data=rows,
            parents=_parents(model),
        )
        watch = self.front.watch()
        peak = PeakMemory(model.device)
        started = time.perf_counter()
        try:
            with self.stops.work(active.record.id, kind, cell.id if cell else None) as work:
                self.changed()
                done, points = drive(operation, active, watch, work)
            if adopt is not None:
                adopt(done)
            active.add_metrics(
                **done.metrics(),
                peak_memory_bytes=peak.bytes(),
                seconds=time.perf_counter() - started,
            )
            record = active.finish(
                "interrupted" if done.interrupted else "ok", output=done.summary()
            )
            result = wrap(done, record, points)
        except BaseException as error:
            failure = as_shortage(error, str(model.device), ADVICE) or error
            stopped = isinstance(error, Interrupted | KeyboardInterrupt)
            watch.fail(active.finish("interrupted" if stopped else "error", error=failure))
            if failure is error:
                raise
            raise failure from None
        finally:
            self.changed()
        watch.finish(result)
        if done.interrupted:
            raise Interrupted(_stopped(kind, done), result)
        return result


def _parents(model: Loaded) -> list[str]:
    """Return the run that made a tuned model: its folder bears the id."""
    return [model.spec.path.name] if model.spec.kind == "tuned" and model.spec.path else []


def _stopped(kind: str, done: Any) -> str:
    if kind == "finetune":
        return "Stopped. The best weights so far are saved and loaded."
    if done.total == 1:
        return "Stopped. What was written until then is kept in the result."
    return f"Stopped after {done.done:,} of {done.total:,}. What was done is kept in the result."
