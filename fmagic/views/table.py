"""A table with a head, as much of it as it is given."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import zip_longest
from numbers import Real
from typing import TYPE_CHECKING, Literal

from fmagic.views.text import LINE, LONGEST_CAPTION, NO_MATH, cell, escaped, stripped

if TYPE_CHECKING:
    from collections.abc import Sequence

Align = Literal["left", "right"]

LONGEST_CELL = 200
# In a terminal, lines that wrap are harder to read than cells that are cut.
LONGEST_PLAIN_CELL = 48
# What reads as a number, with or without a unit.
_FIGURE = re.compile(r"[-+\u2212]?[\d.,]+(e[-+]?\d+)?\s*(%|[A-Za-z]{1,3}(/s)?)?|\u2013")


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under column names.

    Args:
        columns: their names.
        rows: cells; short rows are filled with empty ones. Long cells are cut.
        caption: a line above it.
        total: number of rows of which these are the first; said below if it is more.
        align: of each column; by default columns of figures are set to the right.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    caption: str = field(default="", kw_only=True)
    total: int | None = field(default=None, kw_only=True)
    align: Sequence[Align] | None = field(default=None, kw_only=True)

    def plain(self) -> str:
        """Return the table in fixed width."""
        lines = [
            [stripped(cell(value, LONGEST_PLAIN_CELL)) for value in line]
            for line in (self.columns, *self._full_rows())
        ]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        sides = [">" if side == "right" else "<" for side in self._sides()]
        text = [
            "  ".join(
                f"{value:{side}{width}}"
                for value, side, width in zip(line, sides, widths, strict=True)
            ).rstrip()
            for line in lines
        ]
        text.insert(1, "  ".join("-" * width for width in widths))
        return "\n".join(
            filter(None, [stripped(cell(self.caption, LONGEST_CAPTION)), *text, self._note()])
        )

    def html(self) -> str:
        """Return a `div` that scrolls sideways if the table is too wide."""
        sides = self._sides()
        head = self._line("th", self.columns, sides, "font-weight:bold;")
        body = "".join(self._line("td", row, sides, "") for row in self._full_rows())
        caption = (
            f'<div style="opacity:0.8">{escaped(cell(self.caption, LONGEST_CAPTION))}</div>'
            if self.caption
            else ""
        )
        note = self._note()
        foot = f'<div style="opacity:0.7;font-size:90%">{escaped(note)}</div>' if note else ""
        return (
            f'<div {NO_MATH} style="overflow-x:auto">{caption}'
            '<table style="margin:2px 0;border:none;border-collapse:collapse;table-layout:auto;'
            'font-size:100%">'
            f"<thead>{head}</thead><tbody>{body}</tbody></table>{foot}</div>"
        )

    def _line(self, tag: str, values: Sequence[object], sides: Sequence[Align], extra: str) -> str:
        cells = "".join(
            f'<{tag} align="{side}" style="text-align:{side};vertical-align:top;padding:3px 10px;'
            f'border:none;border-bottom:1px solid {LINE};{_wrapping(value)}{extra}">'
            f"{escaped(cell(value, LONGEST_CELL))}</{tag}>"
            for value, side in zip(values, sides, strict=True)
        )
        return f'<tr style="background-color:transparent">{cells}</tr>'

    def _full_rows(self) -> list[list[object]]:
        width = len(self.columns)
        return [
            [value for _, value in zip_longest(self.columns, row[:width], fillvalue="")]
            for row in self.rows
        ]

    def _sides(self) -> list[Align]:
        if self.align is not None:
            rest: list[Align] = ["left"] * (len(self.columns) - len(self.align))
            return [*self.align[: len(self.columns)], *rest]
        rows = self._full_rows()
        return [
            "right" if rows and all(_figure(row[place]) for row in rows) else "left"
            for place in range(len(self.columns))
        ]

    def _note(self) -> str:
        if self.total is not None and self.total > len(self.rows):
            return f"{len(self.rows):,} of {self.total:,} rows"
        return "" if self.rows else "no rows"


def _figure(value: object) -> bool:
    if isinstance(value, bool):
        return False
    return value is None or isinstance(value, Real) or bool(_FIGURE.fullmatch(str(value)[:40]))


def _wrapping(value: object) -> str:
    # Short cells keep their line; a long one wraps, and is wide enough to be read.
    if len(cell(value, LONGEST_CELL)) <= 24:  # noqa: PLR2004 - about a date with its time
        return "white-space:nowrap;"
    return "white-space:normal;min-width:200px;overflow-wrap:break-word;"
