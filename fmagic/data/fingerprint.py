"""The fingerprint of a table: what is in it, whatever holds it."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def fingerprint(columns: Mapping[str, Sequence[object]]) -> str:
    """Return the sha256 of columns in a canonical form, as 64 hex digits.

    Columns are taken by name. Each is one line of JSON, its name and its cells: a whole number
    without a point whatever its type, `null` for what is missing, keys sorted, dates and times as
    ISO text, bytes as hex digits, arrays as lists.

    Args:
        columns: cells as `fmagic.data.cells.plain` returns them.
    """
    digest = hashlib.sha256()
    for name in sorted(columns):
        cells = _numbers_by_value(columns[name])
        try:
            line = _dumps([name, cells])
        except TypeError:
            # Keys of dicts that JSON does not take, or that cannot be sorted as they are.
            line = _dumps([name, _keys_as_text(cells)])
        # A lone surrogate has no UTF-8, and still makes a difference.
        digest.update(line.encode("utf-8", "surrogatepass"))
        digest.update(b"\n")
    return digest.hexdigest()


def _dumps(value: object) -> str:
    return json.dumps(
        value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=_canonical
    )


def _numbers_by_value(cells: Sequence[object]) -> list[object]:
    if float not in set(map(type, cells)):
        return list(cells)
    return [int(cell) if isinstance(cell, float) and cell.is_integer() else cell for cell in cells]


def _keys_as_text(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(key): _keys_as_text(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_keys_as_text(each) for each in value]
    return value


def _canonical(value: Any) -> object:
    """Return a value that JSON does not know in a form that is the same in every process."""
    for kind, convert in _FORMS:
        if isinstance(value, kind):
            return convert(value)
    if hasattr(value, "tolist"):
        return value.tolist()
    text = str(value)
    # The address that an object without a text of its own shows is another one next time.
    return type(value).__qualname__ if f" at 0x{id(value):x}" in text.lower() else text


_FORMS: tuple[tuple[Any, Callable[[Any], object]], ...] = (
    ((dt.date, dt.time), lambda value: value.isoformat()),
    (dt.timedelta, lambda value: value.total_seconds()),
    ((bytes, bytearray, memoryview), lambda value: bytes(value).hex()),
    (AbstractSet, lambda value: sorted(map(str, value))),
    (Mapping, dict),
)
