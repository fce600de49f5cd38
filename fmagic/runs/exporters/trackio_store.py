"""Runs of a local Trackio project."""

from __future__ import annotations

import re
import sqlite3
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from fmagic.errors import LogError
from fmagic.runs.exporters._fields import (
    EPOCH,
    by_notebook,
    dotted,
    end_ns,
    flatten,
    start_ns,
    steps,
    title,
)
from fmagic.runs.exporters._messages import brief, quoted, runs
from fmagic.runs.identity import utc_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fmagic.runs.exporters._fields import Dump
    from fmagic.runs.record import RunRecord

NAME = "trackio"
TITLE = "runs of a local Trackio project, by default named after the notebook"
NEEDS: str | None = "fmagic[trackers]"

# Names of Trackio's own columns.
_RESERVED = {"project", "run", "timestamp", "step", "time", "metrics"}
_UNFIT = re.compile(r"[^\w-]+")


def export(records: Sequence[RunRecord], target: str | None) -> str:
    """Write one Trackio run for each record: its curves step by step, then its figures.

    The runs go straight into Trackio's own storage on this disk (`TRACKIO_DIR`): `trackio.init`
    would end a run that the user has open, ask the hub for a name, and send the runs elsewhere if
    the environment says so. A run that was exported before is replaced.

    Args:
        records: the runs.
        target: name of the project; by default that of the notebook.

    Raises:
        LogError: the storage cannot be written.
    """
    from trackio.sqlite_storage import SQLiteStorage

    groups = by_notebook(records)
    if target is not None:
        groups = {target: [dump for dumps in groups.values() for dump in dumps]}
    projects = []
    try:
        for name, dumps in groups.items():
            project = _project(SQLiteStorage, name)
            projects.append(project)
            for dump in dumps:
                _write(SQLiteStorage, project, dump)
    except sqlite3.Error as error:
        raise LogError(f"Trackio cannot write the runs: {brief(error)}.") from error
    projects = list(dict.fromkeys(projects))
    some = "project" if len(projects) == 1 else "projects"
    return (
        f"Wrote {runs(records)} to the Trackio {some} {quoted(projects)}; "
        f"`trackio show --project {projects[-1]}` shows them."
    )


def _project(storage: Any, name: str) -> str:
    """Return the name of a project as Trackio takes it."""
    project = _UNFIT.sub("-", name).strip("-") or "fmagic"
    try:
        storage.validate_project_name(project)
    except ValueError:  # it begins or ends like a file of Trackio's own
        return f"fmagic-{project}-runs"
    return project


def _write(storage: Any, project: str, dump: Dump) -> None:
    rows = list(_rows(dump))
    storage.delete_run(project, title(dump), run_id=dump["id"])
    storage.bulk_log(
        project,
        title(dump),
        [row for _, _, row in rows],
        steps=[step for step, _, _ in rows],
        timestamps=[moment for _, moment, _ in rows],
        config=_config(dump),
        # Trackio takes a row of the same id only once.
        log_ids=[f"{dump['id']}-{place}" for place in range(len(rows))],
        run_id=dump["id"],
    )


def _rows(dump: Dump) -> Iterator[tuple[int, str, dict[str, float]]]:
    """Yield step, time and values; at least one row, without which there is no run."""
    by_step: dict[int, dict[str, float]] = {}
    for name, points in dump.get("series", {}).items():
        for step, (_, value) in zip(steps(points), points, strict=True):
            by_step.setdefault(step, {})[_free(name)] = value
    for step in sorted(by_step):
        yield step, dump["started"], by_step[step]
    figures = {**dump.get("metrics", {})}
    if "seconds" in dump:
        figures.setdefault("seconds", dump["seconds"])
    end = _moment(end_ns(dump) or start_ns(dump))
    yield max(by_step, default=0), end, {_free(name): value for name, value in figures.items()}


def _config(dump: Dump) -> dict[str, Any]:
    about = {name: value for name, value in dump.items() if name not in {"metrics", "series"}}
    values = dict(flatten(about))
    named = {name: values[path] for path, name in dotted(values).items()}
    # What Trackio itself keeps of a run.
    return {**named, "_Created": dump["started"], "_Group": dump["kind"], "_Username": None}


def _free(name: str) -> str:
    return f"__{name}" if name in _RESERVED or name.startswith("__") else name


def _moment(nanoseconds: int) -> str:
    return utc_text(EPOCH + timedelta(microseconds=nanoseconds // 1000))
