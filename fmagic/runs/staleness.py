"""Which runs no longer tell what their cell would do now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fmagic.data import UNNAMED
from fmagic.runs.record import CellInfo, RunRecord

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

EDITED = "cell edited"
DATA = "data changed"
PARENT = "parent superseded"


def stale(
    records: Sequence[RunRecord], cells: Mapping[str, str] | None = None
) -> dict[str, list[str]]:
    """Return why runs are stale, by id; a run that is not is left out.

    A run is stale if its cell has another source now, if a later run saw other rows under the
    same name of data, if the tuned model that it used was tuned anew, or if what it builds on is
    stale.

    Args:
        records: the runs of one notebook, oldest first.
        cells: source of each cell as it is now, by the id of the cell.
    """
    current = _Current(records, cells or {})
    found: dict[str, list[str]] = {}
    for record in records:
        reasons = []
        if current.is_edited(record):
            reasons.append(EDITED)
        if current.has_other_data(record):
            reasons.append(DATA)
        if any(map(current.is_superseded, record.parents)):
            reasons.append(PARENT)
        # Parents come before their children, so their reasons are known here.
        if not reasons and any(parent in found for parent in record.parents):
            reasons.append("parent stale")
        if reasons:
            found[record.id] = reasons
    return found


class _Current:
    """How things stand after the last run."""

    def __init__(self, records: Sequence[RunRecord], cells: Mapping[str, str]) -> None:
        self._by_id = {record.id: record for record in records}
        self._cells = cells
        self._latest: dict[str, str] = {}
        self._written: dict[str, str] = {}
        self._data: dict[str, str] = {}
        self._tuned: dict[str, str] = {}
        for record in records:
            if record.data is not None and record.data.sha256 and record.data.name != UNNAMED:
                self._data[record.data.name] = record.data.sha256
            name = record.params.get("name")
            # One that was stopped has an output too if its best weights were saved.
            saved = record.status == "ok" or record.output is not None
            if record.kind == "finetune" and saved and isinstance(name, str):
                self._tuned[name] = record.id
            if record.cell is not None and record.cell.id and record.cell.source is not None:
                self._latest[record.cell.id] = record.cell.source

    def is_edited(self, record: RunRecord) -> bool:
        cell = record.cell
        if cell is None or not cell.id or cell.source is None:
            return False
        if cell.id not in self._cells:
            return not _alike(self._latest[cell.id], cell.source)
        if _alike(self._cells[cell.id], cell.source):
            return False
        # A record is sealed: secrets masked, long texts cut. So must be what it is compared with;
        # that takes its time, and most cells are as they were.
        if cell.id not in self._written:
            self._written[cell.id] = _as_written(self._cells[cell.id])
        return not _alike(self._written[cell.id], cell.source)

    def has_other_data(self, record: RunRecord) -> bool:
        data = record.data
        return bool(data and data.sha256 and self._data.get(data.name, data.sha256) != data.sha256)

    def is_superseded(self, run_id: str) -> bool:
        record = self._by_id.get(run_id)
        name = record.params.get("name") if record is not None else None
        return isinstance(name, str) and self._tuned.get(name, run_id) != run_id


def _alike(source: str, other: str) -> bool:
    return source == other or source.strip() == other.strip()


def _as_written(source: str) -> str:
    cell = RunRecord(kind="prompt", cell=CellInfo(source=source)).sealed().cell
    return cell.source or "" if cell is not None else ""
