"""Where an operation meets its timing, its log and whoever watches it; the one such place."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from fmagic.drive import Front, Points, Script, as_shortage, drive
from fmagic.errors import FmagicError, Interrupted, ModelError
from fmagic.results import Result
from fmagic.runs.journal import Journal
from fmagic.runs.log import RunLog
from fmagic.settings import Fmagic
from fmagic.shelf import Shelf
from fmagic.shield import Shield
from fmagic.stopping import Stops

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from fmagic.data import Rows
    from fmagic.drive import Watch
    from fmagic.models.loaded import Loaded
    from fmagic.operations.events import Event
    from fmagic.runs.record import CellInfo, RunRecord, Status

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
        self.settings.observe(self._move_journal, "journal_dir")
        self.templates: dict[str, str] = {}
        # Cells that were put back to be run again, by their source.
        self.repeated: dict[str, RunRecord] = {}
        self.stops = Stops()

    def _move_journal(self, change: Mapping[str, Any]) -> None:
        self.log.journal = Journal(Path(change["new"]))

    def changed(self) -> None:
        """Tell the front what is loaded or going on now."""
        self.front.changed()

    def user_variables(self) -> Mapping[str, object]:
        """Return the user's variables, as the front knows them."""
        return self.front.variables()

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
        here = model.device.type != "remote"
        active = self.log.begin(
            kind,
            run_id=run_id,
            cell=cell,
            repeated=self._repeated(cell, kind, template) if cell else None,
            notebook=self.front.notebook(),
            model=model.info(),
            device_name=model.device.name if here else None,
            template=template,
            params=dict(params),
            seed=seed,
            data=rows,
            parents=_parents(model),
        )
        watch = self.front.watch()
        try:
            with (
                self.stops.work(active.record.id, kind, cell.id if cell else None) as work,
                self.busy if here else contextlib.nullcontext(),
            ):
                peak = PeakMemory(model.device)
                started = time.perf_counter()
                self.changed()
                done, points = drive(operation, active, watch, work)
                active.add_metrics(
                    **done.metrics(),
                    peak_memory_bytes=peak.bytes(),
                    seconds=time.perf_counter() - started,
                )
            said = _said(kind, model, done, adopt, params.get("name"))
            stopped = isinstance(said, Interrupted)
            status: Status = "interrupted" if stopped else "error" if said else "ok"
            with Shield() as shield:  # a record that is half written tells nothing
                record = active.finish(
                    status, output=done.summary(), error=None if stopped else said
                )
                result = wrap(done, record, points)
                self.changed()
                watch.finish(result)
        except BaseException as error:
            shortage = as_shortage(error, _place_of(model), ADVICE)
            stopped = isinstance(error, Interrupted | KeyboardInterrupt)
            with Shield():
                told = active.finish("interrupted" if stopped else "error", error=shortage or error)
                self.changed()
            watch.fail(told)
            if shortage is None:
                raise
            raise shortage from None
        if shield.struck and said is None:
            said = Interrupted("Stopped when all was done. It is kept in the result (-o NAME).")
        if said is not None:
            said.result = result
            raise said
        return result

    def _repeated(self, cell: CellInfo, kind: str, template: str | None) -> RunRecord | None:
        """Return the run that one of this kind and template does again, as the first of its cell."""
        before = self.repeated.get((cell.source or "").strip())
        if before is None or (before.kind, before.template) != (kind, template):
            return None
        made = (cell.id, cell.execution_count, kind, template)
        earlier = (
            (each.cell.id, each.cell.execution_count, each.kind, each.template)
            for each in self.log.session()
            if each.cell is not None
        )
        return None if made in earlier else before


def _parents(model: Loaded) -> list[str]:
    """Return the run that made a tuned model, whose folder bears the id, or its adapter."""
    if model.spec.kind == "tuned" and model.spec.path:
        return [model.spec.path.name]
    return [model.adapter_run] if model.adapter_run else []


def _place_of(model: Loaded) -> str | None:
    """Return the device whose memory a run may have used up: this machine's, if any."""
    return None if model.device.type == "remote" else str(model.device)


def _said(
    kind: str, model: Loaded, done: Any, adopt: Callable[[Any], None] | None, name: object
) -> FmagicError | None:
    """Take up what an operation returned; return what is to be said of it, if not all is well."""
    if adopt is not None:
        saved = f"The tuned model is saved all the same: `%model {name}` loads it."
        try:
            adopt(done)
        except KeyboardInterrupt:
            return Interrupted(f"Stopped while the tuned model was being loaded.\n{saved}")
        except FmagicError as error:
            late = type(error)(f"{error}\n{saved}")
            late.__cause__ = error.__cause__
            return late
    if done.interrupted:
        return Interrupted(_stopped(kind, done))
    failure = getattr(done, "failure", None)
    if failure is None:
        return None
    return _broken(kind, done, as_shortage(failure, _place_of(model), ADVICE) or failure)


def _broken(kind: str, done: Any, failure: Exception) -> FmagicError:
    """Return an error that ended an operation in its middle, with how far it got."""
    if done.total == 1:
        kept = "What was written until then is kept in the result."
    else:
        rest = "vectors that are missing are NaN" if kind == "embed" else "the others are empty"
        kept = f"{done.done:,} of {done.total:,} are done and kept in the result (-o NAME); {rest}."
    kept += " Run the cell again when the cause is mended."
    if isinstance(failure, FmagicError):
        return type(failure)(f"{failure}\n{kept}")
    error = ModelError(f"{type(failure).__name__}: {failure}\n{kept}")
    error.__cause__ = failure
    return error


def _stopped(kind: str, done: Any) -> str:
    if kind == "finetune":
        return "Stopped. The best weights so far are saved and loaded."
    if done.total == 1:
        return "Stopped. What was written until then is kept in the result."
    count = f"{done.done:,} of {done.total:,}"
    return f"Stopped after {count}. What was done is kept in the result (-o NAME)."
