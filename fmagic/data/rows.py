"""One view of every table, and what templates ask of it."""

from __future__ import annotations

import os
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from fmagic.data.containers import Container, contain
from fmagic.data.files import read_file
from fmagic.data.fingerprint import fingerprint
from fmagic.errors import DataError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    import pandas as pd

OnMissing = Literal["error", "skip", "keep"]

UNNAMED = "(unnamed)"
"""Name in the log of a table that was handed over without one: two of these need not be the same."""
# Names and numbers that a message lists before it says "and more".
LISTED = 12


class Rows:
    """A table as rows. Columns become Python lists when they are first asked for.

    Cells are plain Python values; `None`, `NaN`, `pandas.NA` and `NaT` all read as `None`.

    Attributes:
        name: the variable or the file; never a folder.
        log_name: the same for the log, `UNNAMED` if it has none.
        columns: their names, as texts.
    """

    def __init__(self, name: str, container: Container, *, log_name: str | None = None) -> None:
        self.name = name
        self.log_name = log_name or name
        self.columns = container.columns
        self._container = container
        self._lists: dict[str, list[object]] = {}

    def __len__(self) -> int:
        return self._container.length

    def __getitem__(self, i: int) -> Mapping[str, object]:
        return {name: self.column(name)[i] for name in self.columns}

    def __repr__(self) -> str:
        return f"Rows({self.name!r}, {len(self):,} rows, columns={self.columns})"

    def column(self, name: str) -> list[object]:
        """Return the cells of a column. The list is kept: do not change it.

        Raises:
            DataError: there is no such column.
        """
        if name not in self._lists:
            if name not in self.columns:
                raise DataError(
                    f"{self.name} has no column {name!r}.{did_you_mean(name, self.columns)} "
                    f"It has: {_listed(self.columns)}."
                )
            self._lists[name] = self._container.cells(self.columns.index(name))
        return self._lists[name]

    @cached_property
    def sha256(self) -> str:
        """Fingerprint of the content: equal rows and columns have equal ones in any container.

        The order of the rows counts, that of the columns does not. A number counts by its value
        (`3` is `3.0`), a missing cell is `null` whatever it was, a date is its ISO text. A text
        that looks like a number stays a text.
        """
        return fingerprint({name: self.column(name) for name in self.columns})

    def frame(self) -> pd.DataFrame:
        """Return a copy as a pandas frame; one that came from pandas keeps its index."""
        return self._container.to_pandas()

    def attach(self, **columns: Sequence[object]) -> Any:
        """Return the table with new columns at its end; the caller's own object stays as it is.

        Returns:
            A pandas frame with the same index for pandas, a polars frame for polars, and a pandas
            frame for everything else.

        Raises:
            DataError: the table has such a column already, or a column is not as long as it.
        """
        self.must_lack(columns)
        for name, values in columns.items():
            if len(values) != len(self):
                raise DataError(
                    f"The new column {name!r} has {len(values):,} values, and {self.name} has "
                    f"{len(self):,} rows."
                )
        return self._container.attach(columns)

    def must_lack(self, columns: Iterable[str]) -> None:
        """See that columns can be added.

        Raises:
            DataError: the table has one of them already.
        """
        clash = [name for name in columns if name in self.columns]
        if clash:
            raise DataError(
                f"{self.name} already has {_plural('column', clash)}. Rename or drop what is there "
                "and run again; the new columns would take its place."
            )

    def missing(self, columns: Iterable[str]) -> dict[int, list[str]]:
        """Return the rows (from 0) in which cells of these columns are missing, and which.

        Raises:
            DataError: there is no such column.
        """
        found: dict[int, list[str]] = {}
        for name in columns:
            for row, value in enumerate(self.column(name)):
                if value is None:
                    found.setdefault(row, []).append(name)
        return dict(sorted(found.items()))

    def drop_hint(self, columns: Sequence[str]) -> str:
        """Return the expression that drops rows in which these columns are missing, or `""`."""
        pattern = self._container.drop_pattern
        return pattern.format(name=self.name, columns=list(columns)) if pattern else ""


def open_rows(data: object, *, name: str | None = None, called: str = "data") -> Rows:
    """Read any table as rows.

    Args:
        data: a pandas or polars frame or series, a pyarrow table, a `datasets.Dataset`, a list of
            dicts, a dict of lists, or the path of a `.csv`, `.tsv`, `.jsonl`, `.json` or
            `.parquet` file.
        name: of the variable; a file has its own.
        called: what messages call a table without a name.

    Raises:
        DataError: another type, no such file, a file that cannot be read, no rows, no columns, or
            two columns of one name.
    """
    if isinstance(data, (str, os.PathLike)):
        name, table = read_file(data)
        called = name
        container = contain(table, name)
        # There is no variable from which rows could be dropped.
        container.drop_pattern = ""
    else:
        called = name or called
        container = contain(data, called)
    twice = sorted({each for each in container.columns if container.columns.count(each) > 1})
    if twice:
        raise DataError(
            f"{called} has more than one column called {_listed(map(repr, twice))}. Rename them, so "
            "that a template can tell them apart."
        )
    if not container.columns or not container.length:
        raise DataError(
            f"{called} is empty: it has no {'rows' if container.columns else 'columns'}."
        )
    return Rows(called, container, log_name=name or UNNAMED)


def require(
    rows: Rows, columns: Sequence[str], on_missing: OnMissing = "error", *, option: bool = True
) -> Collection[int]:
    """Return the numbers of the rows (from 0) to work on, given the columns that are needed.

    Args:
        rows: the table.
        columns: whose cells are needed.
        on_missing: `error` refuses a table with missing cells, `skip` leaves out their rows, `keep`
            takes all rows; a template then reads `None`, and may say `{{ x or "unknown" }}`.
        option: whether the user can choose this.

    Raises:
        DataError: a column does not exist; cells are missing and `on_missing` is `error`; or `skip`
            would leave nothing.
    """
    found = rows.missing(columns)
    if on_missing == "keep" or not found:
        return range(len(rows))
    names = [name for name in columns if any(name in lacking for lacking in found.values())]
    if on_missing == "skip" and len(found) < len(rows):
        return frozenset(range(len(rows))) - found.keys()
    numbers = _listed(f"{row + 1:,}" for row in found)
    message = (
        f"{len(found):,} of {len(rows):,} rows of {rows.name} have no value in "
        f"{_plural('column', names)} (row {numbers})."
    )
    if len(found) == len(rows):
        raise DataError(f"{message} Nothing is left to work on.")
    drop = rows.drop_hint(names)
    if not option:
        raise DataError(f"{message} {f'Drop them with {drop}.' if drop else 'Leave them out.'}")
    raise DataError(
        f"{message} {f'Drop them with {drop}, or leave' if drop else 'Leave'} them out with "
        f'--on-missing skip, or use a default, {{{{ {names[0]} or "unknown" }}}}, with '
        "--on-missing keep."
    )


def _listed(words: Iterable[str]) -> str:
    shown = list(words)
    more = len(shown) - LISTED
    return ", ".join(shown[:LISTED]) + (f" and {more:,} more" if more > 0 else "")


def _plural(noun: str, names: Sequence[str]) -> str:
    return f"{noun}{'s' if len(names) > 1 else ''} {_listed(map(repr, names))}"
