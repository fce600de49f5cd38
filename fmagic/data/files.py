"""Files that hold a table."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fmagic.errors import DataError, did_you_mean

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    import pandas as pd

_SEPARATORS = (",", ";", "\t", "|")
_WHOLE = r"0|-?[1-9]\d{0,17}"
_DECIMAL = r"-?\d[\d.]*(?:e[-+]\d+)?"


LONGEST_CELL = 2**31 - 1
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
"""Characters; Python's own limit is that of a long article."""


def read_file(path: str | os.PathLike[str]) -> tuple[str, object]:
    """Return the name of a file and the table in it.

    Raises:
        DataError: there is no such file, it is of another kind, or it cannot be read.
    """
    if "://" in str(path):
        raise DataError(
            f"{path} is an address, and --data reads files of this machine. Read it yourself, for "
            f"example `df = pandas.read_csv({str(path)!r})`, and give the frame."
        )
    file = Path(path).expanduser()
    reader = _READERS.get(file.suffix.lower())
    if reader is None and not file.exists() and not file.suffix:
        raise DataError(
            f"There is no file {str(path)!r}.{_near(file)} A file ends in {', '.join(_READERS)}; a "
            "table in a variable is given itself, not by its name."
        )
    if reader is None and file.is_dir():
        raise DataError(f"{str(path)!r} is a folder. Give one file in it ({', '.join(_READERS)}).")
    if reader is None:
        raise DataError(
            f"{file.name} ends in {file.suffix or 'nothing'}, which is no table that fmagic reads "
            f"({', '.join(_READERS)}). Read it yourself, and give the frame."
        )
    if not file.is_file():
        what = "a folder, not a file" if file.is_dir() else "not there"
        raise DataError(f"{str(path)!r} is {what}.{_near(file)}")
    try:
        return file.name, reader(file)
    except UnicodeDecodeError:
        encoding = "utf-16" if file.read_bytes()[:2] in UTF_16 else "cp1252"
        raise DataError(
            f"{file.name} is not UTF-8. Read it with its own encoding, for example "
            f"pandas.read_csv({file.name!r}, encoding={encoding!r}), and give the frame."
        ) from None
    except OSError as error:
        raise DataError(f"{file.name} cannot be read: {error.strerror or error}.") from None


def _near(file: Path) -> str:
    try:
        names = [each.name for each in file.parent.iterdir() if each.suffix.lower() in _READERS]
    except OSError:
        return ""
    return did_you_mean(file.name, names)


def _delimited(separator: str) -> Callable[[Path], object]:
    def read(file: Path) -> object:
        import pandas as pd

        most = csv.field_size_limit(LONGEST_CELL)
        try:
            with file.open(encoding="utf-8-sig", newline="") as lines:
                # pandas passes over blank lines too.
                rows = filter(None, csv.reader(lines, delimiter=separator))
                header, first = next(rows, []), next(rows, [])
        except csv.Error as error:
            raise DataError(
                f"{file.name} cannot be read: {error}. Is a quote not closed?"
            ) from None
        finally:
            csv.field_size_limit(most)
        twice = sorted({name for name in header if name and header.count(name) > 1})
        if twice:
            # pandas would rename the second one, and say nothing.
            raise DataError(
                f"{file.name} has more than one column called {twice[0]!r}. Rename one in its first "
                "line."
            )
        if not header:
            raise DataError(f"{file.name} is empty.")
        other = next(
            (each for each in _SEPARATORS if each != separator and each in header[0]), None
        )
        if len(header) == 1 and other:
            raise DataError(
                f"{file.name} has one column, {header[0]!r}. Is {other!r} what stands between its "
                f"columns? Read it with pandas.read_csv({file.name!r}, sep={other!r}), and give the "
                "frame."
            )
        try:
            # Only an empty cell is missing: "NA" and "None" are texts, and labels.
            frame = pd.read_csv(
                file,
                sep=separator,
                keep_default_na=False,
                na_values=[""],
                encoding="utf-8-sig",
                dtype=str,
            )
        except pd.errors.ParserError as error:
            quote = " Is a quote not closed?" if "inside string" in str(error) else ""
            raise DataError(f"{file.name} cannot be read: {str(error).strip()}.{quote}") from None
        if len(first) > len(header) or not frame.index.equals(pd.RangeIndex(len(frame))):
            # pandas takes surplus cells at the left for row labels, which shifts every column.
            raise DataError(
                f"{file.name} has more cells in its rows than names in its first line "
                f"({len(header)}). Is a comma not quoted?"
            )
        # Excel writes columns without a name and a value where the sheet was wider once.
        kept = [
            bool(name) or bool(frame.iloc[:, place].notna().any())
            for place, name in enumerate(header)
        ]
        return frame.loc[:, kept].apply(_numbers)

    return read


def _numbers(column: pd.Series[str]) -> pd.Series[Any]:
    """Return a column of texts as numbers or truth values if Python writes all of them so.

    A prompt then has what the file has: "3.10" is a version, "5.00" a price, "007" a code, a number
    of 19 digits an identifier, and "true" a label. Whole numbers stay whole where a cell is missing.
    """
    bare = column.str.strip()
    texts = bare.dropna()
    if texts.empty:
        return column
    gaps = len(texts) < len(column)
    if texts.isin(["True", "False"]).all():
        truths = bare.map({"True": True, "False": False})
        return truths.astype("boolean" if gaps else "bool")
    if texts.str.fullmatch(_WHOLE).all():
        return bare.astype("Int64" if gaps else "int64")
    if texts.str.fullmatch(_DECIMAL).all() and all(map(_is_float, texts)):
        return bare.astype("float64")
    return column


def _is_float(text: str) -> bool:
    try:
        return repr(float(text)) == text
    except ValueError:
        return False


def _parquet(file: Path) -> object:
    import pandas as pd
    from pyarrow import ArrowException

    try:
        # Opened here, since the reader's own messages name the folder.
        with file.open("rb") as content:
            return pd.read_parquet(content)
    except ArrowException as error:
        raise DataError(f"{file.name} cannot be read: {str(error).rstrip('.')}.") from None


def _json_lines(file: Path) -> object:
    records = []
    with file.open(encoding="utf-8-sig") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            record = _loads(line, f"{file.name}, line {number:,},")
            if not isinstance(record, dict):
                raise DataError(
                    f"{file.name}, line {number:,}, holds {type(record).__name__}, not an object "
                    "{...}."
                )
            records.append(record)
    return records


def _json(file: Path) -> object:
    content = _loads(file.read_text(encoding="utf-8-sig"), file.name)
    if not isinstance(content, (list, dict)):
        raise DataError(f"{file.name} holds {type(content).__name__}, not a list of objects.")
    if isinstance(content, dict) and all(isinstance(each, dict) for each in content.values()):
        import pandas as pd

        return pd.DataFrame(content)  # what `DataFrame.to_json()` writes: columns of rows by index
    return content


def _loads(text: str, place: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(
            f"{place} is not JSON: {error.msg} at line {error.lineno}, column {error.colno}."
            + (" A file with one object in each line ends in .jsonl." * (error.msg == "Extra data"))
        ) from None


_READERS: dict[str, Callable[[Path], object]] = {
    ".csv": _delimited(","),
    ".tsv": _delimited("\t"),
    ".jsonl": _json_lines,
    ".json": _json,
    ".parquet": _parquet,
}
