"""One small class for each kind of table; this is where pandas, polars and datasets are known.

None of them is imported for an object of another kind: what is not imported yet cannot have made
the object at hand.
"""

from __future__ import annotations

import dataclasses
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fmagic.data.cells import plain
from fmagic.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

ACCEPTED = (
    "a pandas or polars frame, a list of dicts, a dict of lists, a datasets.Dataset, or the path "
    "of a .csv, .tsv, .jsonl, .json or .parquet file"
)


class Container(ABC):
    """A table of one kind.

    Attributes:
        columns: their names as texts, in order; not checked for doubles.
        length: number of rows.
        drop_pattern: how a user drops rows with missing cells, with `{name}` and `{columns}`.
    """

    columns: tuple[str, ...]
    length: int
    drop_pattern = ""

    @abstractmethod
    def cells(self, place: int) -> list[object]:
        """Return the cells of the column at this place as plain values."""

    @abstractmethod
    def to_pandas(self) -> pd.DataFrame:
        """Return a copy of the table as a pandas frame."""

    def attach(self, columns: Mapping[str, Sequence[object]]) -> Any:
        """Return a copy of the table with more columns."""
        import pandas as pd

        frame = self.to_pandas()
        for name, values in columns.items():
            # On its own index a series goes in by position, whatever the labels.
            frame[name] = pd.Series(list(values), index=frame.index)
        return frame


class PandasTable(Container):
    """A pandas frame."""

    drop_pattern = "{name}.dropna(subset={columns})"

    def __init__(self, frame: pd.DataFrame) -> None:
        self._frame = frame
        self.columns = tuple(map(str, frame.columns))
        self.length = len(frame)

    def cells(self, place: int) -> list[object]:
        """Return the cells of the column at this place as plain values."""
        series = self._frame.iloc[:, place]
        # As objects first: a column of integers with gaps must not turn into floats.
        values = series.astype(object).tolist()
        if series.hasnans:
            values = [
                None if gap else value for value, gap in zip(values, series.isna(), strict=True)
            ]
        return plain(values)

    def to_pandas(self) -> pd.DataFrame:
        """Return a copy, with its own index."""
        return self._frame.copy()


class PolarsTable(Container):
    """A polars frame."""

    drop_pattern = "{name}.drop_nulls({columns})"

    def __init__(self, frame: Any) -> None:
        self._frame = frame
        self.columns = tuple(frame.columns)
        self.length = frame.height

    def cells(self, place: int) -> list[object]:
        """Return the cells of the column at this place as plain values."""
        return plain(self._frame.to_series(place).to_list())

    def to_pandas(self) -> pd.DataFrame:
        """Return the frame in pandas."""
        frame: pd.DataFrame = self._frame.to_pandas()
        return frame

    def attach(self, columns: Mapping[str, Sequence[object]]) -> Any:
        """Return a polars frame with more columns."""
        import polars as pl

        return self._frame.with_columns(
            [pl.Series(name, list(values), strict=False) for name, values in columns.items()]
        )


class ListTable(Container):
    """Columns as lists: of dicts, of a JSON file, of a dataset, of an Arrow table."""

    def __init__(self, columns: Mapping[str, Sequence[object]], length: int) -> None:
        self.columns = tuple(columns)
        self.length = length
        self._lists = [columns[name] for name in columns]

    def cells(self, place: int) -> list[object]:
        """Return the cells of the column at this place as plain values."""
        return plain(list(self._lists[place]))

    def to_pandas(self) -> pd.DataFrame:
        """Return a new pandas frame."""
        import pandas as pd

        # As objects first, so that columns of lists or arrays do not become more columns.
        series = {
            name: _series(list(values))
            for name, values in zip(self.columns, self._lists, strict=True)
        }
        return pd.DataFrame(series)


def _series(values: list[object]) -> pd.Series[Any]:
    import pandas as pd

    try:
        return pd.Series(values, dtype=_dtype(values))
    except UnicodeEncodeError:  # half a character, which Arrow's texts cannot hold
        return pd.Series(values, dtype="object")


def _dtype(values: Sequence[object]) -> str | None:
    """Return the type for whole numbers with gaps, which would become floats, else `None`."""
    if {*map(type, values)} != {int, type(None)}:
        return None
    numbers = [value for value in values if isinstance(value, int)]
    return "Int64" if min(numbers) >= -(2**63) and max(numbers) < 2**63 else "object"


def contain(data: object, name: str) -> Container:
    """Return the container for an object.

    Raises:
        DataError: it is no table, or one with rows or columns that do not fit together.
    """
    # A result of fmagic holds its rows as a frame.
    of_library = _frame(data, name) or _frame(getattr(data, "frame", None), name)
    if of_library is not None:
        return of_library
    if isinstance(data, Mapping):
        return _of_columns(data, name)
    if isinstance(data, Sequence) and not isinstance(data, (str, bytes, bytearray)):
        return _of_records(data, name)
    raise DataError(f"{name} is of type {type(data).__name__}, which is no table. Give {ACCEPTED}.")


def _frame(data: Any, name: str) -> Container | None:
    """Return the container for an object of a table library, if that is what it is."""
    found: Container | None = None
    if "pandas" in sys.modules:
        found = _of_pandas(data)
    if found is None and "polars" in sys.modules:
        found = _of_polars(data, name)
    if found is None and "pyarrow" in sys.modules:
        found = _of_arrow(data, name)
    if found is None and "datasets" in sys.modules:
        found = _of_datasets(data, name)
    return found


def _of_pandas(data: Any) -> Container | None:
    import pandas as pd

    if isinstance(data, pd.Series):
        data = data.to_frame("text" if data.name is None else data.name)
    return PandasTable(data) if isinstance(data, pd.DataFrame) else None


def _of_polars(data: Any, name: str) -> Container | None:
    import polars as pl

    if isinstance(data, pl.LazyFrame):
        raise DataError(f"{name} is a lazy frame without rows yet. Give {name}.collect().")
    if isinstance(data, pl.Series):
        data = data.to_frame(data.name or "text")
    return PolarsTable(data) if isinstance(data, pl.DataFrame) else None


def _of_arrow(data: Any, name: str) -> Container | None:
    import pyarrow as pa

    if not isinstance(data, pa.Table):
        return None
    if len(set(data.column_names)) < data.num_columns:
        raise DataError(f"{name} has two columns of one name. Rename them.")
    columns = {column: data.column(column).to_pylist() for column in data.column_names}
    return ListTable(columns, data.num_rows)


def _of_datasets(data: Any, name: str) -> Container | None:
    import datasets

    if isinstance(data, (datasets.DatasetDict, datasets.IterableDatasetDict)):
        splits = list(data)
        raise DataError(
            f"{name} holds the splits {', '.join(splits)}. Give one of them, for example "
            f"`part = {name}[{splits[0] if splits else 'train'!r}]` and then part."
        )
    if isinstance(data, datasets.IterableDataset):
        raise DataError(
            f"{name} is a stream without a length. Give a part of it, for example "
            f"`part = list({name}.take(1000))` and then part."
        )
    if isinstance(data, datasets.Dataset):
        plainly = data.with_format(None)
        for column, feature in plainly.features.items():
            if getattr(feature, "decode", False):  # images and sounds stay the files that they are
                plainly = plainly.cast_column(column, dataclasses.replace(feature, decode=False))
        return ListTable(
            {column: plainly[column][:] for column in plainly.column_names}, plainly.num_rows
        )
    return None


def _of_columns(data: Mapping[Any, Any], name: str) -> Container:
    columns: dict[str, list[object]] = {}
    for key, values in data.items():
        if isinstance(values, (str, bytes, Mapping)) or not hasattr(values, "__iter__"):
            raise DataError(
                f"{name} is a dict, but {key!r} holds {type(values).__name__}, not a list. "
                f"Give a dict of lists, or a list of dicts such as [{name}]."
            )
        columns[str(key)] = list(values)
    if len(columns) < len(data):
        raise DataError(f"{name} has two columns of one name. Rename them.")
    lengths = {key: len(values) for key, values in columns.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{key} {count:,}" for key, count in list(lengths.items())[:12])
        raise DataError(f"The columns of {name} are not equally long: {told}.")
    return ListTable(columns, next(iter(lengths.values()), 0))


def _of_records(data: Sequence[Any], name: str) -> Container:
    columns: dict[str, list[object]] = {}
    for number, record in enumerate(data):
        if not isinstance(record, Mapping):
            advice = (
                f' Give [{{"text": each}} for each in {name}].' if isinstance(record, str) else ""
            )
            raise DataError(
                f"Row {number + 1:,} of {name} is {type(record).__name__}, not a dict.{advice}"
            )
        for key in record:
            if key not in columns:
                if not isinstance(key, str):
                    raise DataError(
                        f"Row {number + 1:,} of {name} has the key {key!r}; columns are named by "
                        "texts."
                    )
                columns[key] = []
    for key, values in columns.items():
        values.extend(record.get(key) for record in data)
    return ListTable(columns, len(data))
