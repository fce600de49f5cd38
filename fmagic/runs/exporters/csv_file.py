"""A CSV file with one row for each run."""

from __future__ import annotations

import csv
import io
from functools import cache
from typing import TYPE_CHECKING, Any

from fmagic.runs.exporters._fields import as_text, dotted, flatten
from fmagic.runs.exporters._files import write
from fmagic.runs.exporters._messages import runs
from fmagic.runs.schema import json_schema

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fmagic.runs.exporters._fields import Dump, FieldPath
    from fmagic.runs.record import RunRecord

NAME = "csv"
TITLE = "a table with one row for each run, for spreadsheets and pandas"
NEEDS: str | None = None
DEFAULT = "runs.csv"

# Full-width forms are formulas too where the spreadsheet runs in Chinese or Japanese.
_FORMULA = tuple("=+-@＝＋－＠")  # noqa: RUF001 - these very characters


def export(records: Sequence[RunRecord], target: str | None) -> str:
    """Write the table as UTF-8 with a byte order mark, by which spreadsheets know that it is.

    Args:
        records: the runs.
        target: the file, by default `runs.csv`.
    """
    place = write(text(records), target, DEFAULT, encoding="utf-8-sig")
    return f"Wrote {runs(records)} to {place}."


def text(records: Sequence[RunRecord]) -> str:
    """Return the table.

    Columns have dotted names, `model.name`, and stand in the order of the record's schema; options,
    figures and other free names follow the alphabet within theirs. Lists are JSON. Of a curve the
    table has the number of points and the last value; the points are in `jsonl`.
    """
    rows = [dict(flatten(_tabular(record.dump()))) for record in records]
    paths = sorted({path for row in rows for path in row}, key=_place)
    names = dotted(paths)
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow([_harmless(names[path]) for path in paths])
    for row in rows:
        writer.writerow([_cell(row.get(path)) for path in paths])
    return file.getvalue()


def _tabular(dump: Dump) -> Dump:
    curves = dump.get("series")
    if not curves:
        return dump
    outline = {
        name: {"points": len(points), "last": points[-1][1]}
        for name, points in curves.items()
        if points
    }
    return {**dump, "series": outline}


@cache
def _order() -> dict[str, list[str]]:
    """Return the fields of a record in the order of the schema, each with the fields within it."""
    schema = json_schema()
    parts = schema["$defs"]
    return {name: list(parts.get(name, {}).get("properties", ())) for name in schema["properties"]}


def _place(path: FieldPath) -> tuple[int, int, FieldPath]:
    top, *rest = path
    fields = list(_order())
    first = fields.index(top) if top in fields else len(fields)
    part = _order().get(top, [])
    second = part.index(rest[0]) if rest and rest[0] in part else len(part)
    return first, second, path


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return _harmless(value) if isinstance(value, str) else as_text(value)


def _harmless(words: str) -> str:
    """Return a text that no spreadsheet takes for a formula."""
    risky = words.lstrip().startswith(_FORMULA) or words.startswith(("\t", "\r", "\n"))
    return f"'{words}" if risky else words
