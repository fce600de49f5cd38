"""A file of JSON lines: the records themselves, nothing lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fmagic.runs.exporters._files import write
from fmagic.runs.exporters._messages import runs
from fmagic.runs.limits import to_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fmagic.runs.record import RunRecord

NAME = "jsonl"
TITLE = "the records themselves, one line of JSON each"
NEEDS: str | None = None
DEFAULT = "runs.jsonl"


def export(records: Sequence[RunRecord], target: str | None) -> str:
    """Write the lines.

    Args:
        records: the runs.
        target: the file, by default `runs.jsonl`.
    """
    place = write(text(records), target, DEFAULT)
    return f"Wrote {runs(records)} to {place}."


def text(records: Sequence[RunRecord]) -> str:
    """Return the records as `RunRecord.dump` gives them, keys in the order of the schema."""
    return "".join(f"{to_bytes(record.dump()).decode()}\n" for record in records)
