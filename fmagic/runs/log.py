"""The log of a session: runs begin here, end here, and are found here."""

from __future__ import annotations

import math
import os
import time
import warnings
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from fmagic.errors import FmagicWarning, LogError
from fmagic.runs.curve import Curve
from fmagic.runs.environment import Surroundings
from fmagic.runs.identity import utc_now, utc_text, uuid7
from fmagic.runs.journal import Journal, read_folder
from fmagic.runs.notebook import read_runs_and_cells
from fmagic.runs.reading import merge
from fmagic.runs.record import (
    CellInfo,
    DataInfo,
    ErrorInfo,
    ModelInfo,
    OutputInfo,
    RerunInfo,
    RunRecord,
    Status,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic import BaseModel

    from fmagic.data import Rows

    Part = TypeVar("Part", bound=BaseModel)

MOST_NOTICES = 20


class ActiveRun:
    """A run that is going on.

    Attributes:
        record: what is known of it so far.
    """

    def __init__(
        self,
        log: RunLog,
        record: RunRecord,
        device_name: str | None,
        repeated: RunRecord | None = None,
    ) -> None:
        self.record = record
        self._log = log
        self._repeated = repeated
        self._device_name = device_name
        self._curves: dict[str, Curve] = {}
        self._clock = time.perf_counter()

    @property
    def parents(self) -> list[str]:
        """Ids of the runs that this one builds on; append to it."""
        return self.record.parents

    def add_metrics(self, **figures: float | None) -> None:
        """Add figures to the record; one that is `None` or not a number is left out."""
        for name, figure in figures.items():
            if figure is not None and math.isfinite(figure):
                self.record.metrics[name] = figure if type(figure) is int else float(figure)

    def add_point(self, series: str, step: float, value: float) -> None:
        """Add a point to a curve; at most 500 of it are kept, evenly."""
        curve = self._curves.get(series)
        if curve is None:
            curve = self._curves[series] = Curve()
        curve.add(float(step), float(value))

    def add_notice(self, text: str) -> None:
        """Add what the user should know of the run; the first `MOST_NOTICES` are kept, each once."""
        notices = self.record.notices
        if text not in notices and len(notices) < MOST_NOTICES:
            notices.append(text)

    def finish(
        self,
        status: Status = "ok",
        output: OutputInfo | Mapping[str, Any] | str | None = None,
        error: ErrorInfo | BaseException | None = None,
    ) -> RunRecord:
        """End the run and write it; a second call changes nothing.

        Returns:
            The record as it was written: without secrets and absolute paths, long texts cut.
        """
        record = self.record
        if record.finished:
            return record
        environment = self._log.surroundings.get(self._device_name)
        record.seconds = round(time.perf_counter() - self._clock, 6)
        record.status = status
        record.output = OutputInfo.of(output) if isinstance(output, str | Mapping) else output
        record.error = ErrorInfo.of(error) if isinstance(error, BaseException) else error
        record.series = {name: curve.points for name, curve in self._curves.items()}
        record.environment = environment
        if self._repeated is not None:
            same = record.gave_the_same(self._repeated) if status == "ok" else None
            record.rerun = RerunInfo(of=self._repeated.id, same_output=same)
        self.record = self._log.keep(record)
        return self.record


class RunLog:
    """The runs of one session, and the way to those before it.

    Attributes:
        journal: where runs are written.
        surroundings: versions and commit, looked up beside the first run.
    """

    def __init__(self, journal: Journal, *, surroundings: Surroundings | None = None) -> None:
        self.journal = journal
        self.surroundings = surroundings or Surroundings()
        self._runs: dict[str, RunRecord] = {}
        self._notebook: Path | None = None
        # The journal too is that of the folder at the beginning, wherever `%cd` leads.
        try:
            self._folder = Path.cwd()
        except FileNotFoundError:  # it was deleted under the kernel
            self._folder = Path()

    def begin(
        self,
        kind: str,
        *,
        cell: CellInfo | Mapping[str, Any] | None = None,
        notebook: str | os.PathLike[str] | None = None,
        model: ModelInfo | Mapping[str, Any] | None = None,
        template: str | None = None,
        params: Mapping[str, Any] | None = None,
        seed: int | None = None,
        data: Rows | DataInfo | Mapping[str, Any] | None = None,
        parents: Iterable[str] = (),
        device_name: str | None = None,
        run_id: str | None = None,
        repeated: RunRecord | None = None,
    ) -> ActiveRun:
        """Start a run and write that it runs.

        Args:
            kind: the operation, `prompt`.
            cell: the cell that asked for it.
            notebook: path of the notebook, as far as it is known.
            model: as `Loaded.info()` tells it.
            template: its source.
            params: every option, defaults included.
            seed: of sampling or training.
            data: the table that goes in.
            parents: ids of the runs that this one builds on.
            device_name: what the model runs on, `NVIDIA H200`.
            run_id: where the work needs to know it before, from `uuid7`.
            repeated: the run that is done again; whether the same comes out is recorded.
        """
        self.surroundings.start()
        if notebook is not None:
            self._notebook = Path(notebook)
        record = RunRecord(
            id=run_id or uuid7(),
            kind=kind,
            cell=_part(CellInfo, cell),
            notebook=None if notebook is None else self._name(notebook),
            model=_part(ModelInfo, model),
            template=template,
            params=dict(params or {}),
            seed=seed,
            data=_data(data),
            parents=list(parents),
        )
        self._runs[record.id] = record
        self.journal.append(record)
        return ActiveRun(self, record, device_name, repeated)

    def keep(self, record: RunRecord) -> RunRecord:
        """Write a record, new or changed, and return it as it was written."""
        sealed = RunRecord.model_validate(self.journal.append(record))
        self._runs[record.id] = sealed
        return sealed

    def annotate(
        self,
        record: RunRecord,
        *,
        note: str | None = None,
        add: Iterable[str] = (),
        remove: Iterable[str] = (),
    ) -> RunRecord:
        """Change note and tags of a run, write it, and return it as it was written.

        Args:
            record: the run.
            note: what to note; an empty one takes the note away.
            add: tags to put on.
            remove: tags to take off.
        """
        gone = set(remove)
        tags = [tag for tag in dict.fromkeys([*record.tags, *add]) if tag not in gone]
        now = utc_now()
        if record.edited:  # times are kept to the millisecond, and this change holds over that one
            now = max(now, datetime.fromisoformat(record.edited) + timedelta(milliseconds=1))
        changes: dict[str, Any] = {"tags": tags, "edited": utc_text(now)}
        if note is not None:
            changes["note"] = note.strip() or None
        return self.keep(record.model_copy(update=changes))

    def session(self) -> list[RunRecord]:
        """Return the runs of this session, in the order of their start."""
        return list(self._runs.values())

    def records(self, notebook: str | os.PathLike[str] | None = None) -> list[RunRecord]:
        """Return the runs of this session and, once the notebook is known, those before it.

        They come from the journals of that notebook in this working folder and from the notebook
        file itself, in the order of their start.

        Args:
            notebook: a path; by default the notebook of the latest run.
        """
        return self.records_and_cells(notebook)[0]

    def records_and_cells(
        self, notebook: str | os.PathLike[str] | None = None
    ) -> tuple[list[RunRecord], dict[str, str]]:
        """Return what `records` returns, and the cells of the notebook file, which is read once.

        Args:
            notebook: as in `records`.

        Returns:
            The runs, and the source of each cell by the id of the cell; not of a cell that ran
            after the file was saved, and of a file that is not there, or is being saved, no cells.
        """
        path = self._notebook if notebook is None else Path(notebook)
        if path is None:
            return merge(self.session()), {}
        name = self._name(path)
        own = self.session()
        if notebook is not None:
            own = [record for record in own if record.notebook == name]
        in_file, cells, saved = _in_file(path)
        records = merge(in_file, self.written(path), own)
        ran = {each.cell.id: each.started for each in records if each.cell}
        return records, {cell: text for cell, text in cells.items() if ran.get(cell, "") <= saved}

    def _name(self, notebook: str | os.PathLike[str]) -> str:
        return notebook_name(notebook, self._folder)

    def written(self, notebook: str | os.PathLike[str] | None) -> list[RunRecord]:
        """Return the runs in the journals of this working folder, in the order of their start.

        Args:
            notebook: a path, to get only the runs of that notebook.
        """
        name = None if notebook is None else self._name(notebook)
        return read_folder(self.journal.folder, notebook=name, place=self.journal.kernel.place)


def notebook_name(path: str | os.PathLike[str], folder: Path) -> str:
    """Return the name under which runs of a notebook are kept: from the working folder, if in it.

    It is written with `/` on every system.
    """
    absolute = Path(os.path.abspath(folder / path))  # noqa: PTH100 - links are to be kept
    try:
        return absolute.relative_to(folder).as_posix()
    except ValueError:
        return absolute.name


def _in_file(path: Path) -> tuple[list[RunRecord], dict[str, str], str]:
    """Return the runs and the cells of a notebook, and when it was saved."""
    if not path.exists():
        return [], {}, ""
    try:
        saved = utc_text(datetime.fromtimestamp(path.stat().st_mtime, UTC))
        return *read_runs_and_cells(path), saved
    except LogError as error:  # an editor may be saving it at this moment
        warnings.warn(str(error), FmagicWarning, stacklevel=4)
        return [], {}, ""


def _part(part: type[Part], value: Part | Mapping[str, Any] | None) -> Part | None:
    return part(**value) if isinstance(value, Mapping) else value


def _data(data: Rows | DataInfo | Mapping[str, Any] | None) -> DataInfo | None:
    if data is None or isinstance(data, DataInfo | Mapping):
        return _part(DataInfo, data)
    columns = list(map(str, data.columns))
    return DataInfo(name=data.log_name, rows=len(data), columns=columns, sha256=data.sha256)
