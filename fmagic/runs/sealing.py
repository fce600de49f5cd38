"""The one gate through which a record leaves memory."""

from __future__ import annotations

import math
import os
import re
import sys
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import date
from itertools import islice
from pathlib import PurePath
from typing import Any

from fmagic.runs.limits import MAX_ITEMS, MAX_TEXT, TEXTS, cut_text, fit
from fmagic.runs.masking import mask_values, secret_values
from fmagic.runs.paths import Roots, reduce_paths

MAX_DEPTH = 8
ELLIPSIS = "…"

# Made by the log itself, and the reader relies on their form: a secret that happens to be "ok"
# must not turn a status into dots.
_STRUCTURE = ("schema", "id", "kind", "status", "started")
_NUMBERS = ("metrics", "series")
_SEARCHED = 4 * MAX_TEXT
_BINARY = (bytes, bytearray, memoryview)
_INTEGER_BITS = 63
_LONE_SURROGATE = re.compile(r"[\ud800-\udfff]")


def seal(data: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return `data` as JSON types, without secrets and absolute paths, in at most 64 KiB.

    Args:
        data: the fields of a record.
        environ: the environment whose secrets are masked; by default that of this process.
    """
    secrets = secret_values(os.environ if environ is None else environ)
    roots = Roots.here()
    rest = {
        str(name): as_json(value)
        for name, value in data.items()
        if name not in _STRUCTURE and name not in _NUMBERS
    }
    clean = reduce_paths(mask_values(rest, secrets), roots, texts=TEXTS)
    for name in _NUMBERS:
        if name in data:
            # Names of metrics and curves may come from the data; what they name is no secret.
            some = dict(islice(data[name].items(), MAX_ITEMS))
            named = reduce_paths(mask_values(as_json(list(some)), secrets), roots)
            figures = zip(named, map(_numbers, some.values()), strict=True)
            clean[name] = {key: figure for key, figure in figures if figure is not None}
    order = [*(name for name in data if name in clean or name in _STRUCTURE), *clean]
    return fit({name: data[name] if name in _STRUCTURE else clean[name] for name in order})


def as_json(value: Any, depth: int = MAX_DEPTH) -> Any:
    """Return `value` as JSON types.

    What JSON has no type for becomes the name of its type, never its `repr`: that may hold an
    address in memory, and two equal runs would differ.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str | PurePath | date):
        # Cut before it is searched, and far behind what is kept: no half secret can be left.
        return cut_text(_LONE_SURROGATE.sub("\ufffd", str(value)), _SEARCHED)
    if isinstance(value, int | float):
        return _number(value)
    if isinstance(value, Mapping | Sequence | AbstractSet) and not isinstance(value, _BINARY):
        return _collection(value, depth - 1) if depth else ELLIPSIS
    # A numpy or torch scalar, known by its interface so that neither is imported.
    if getattr(value, "shape", None) == () and callable(getattr(value, "item", None)):
        item = value.item()
        if isinstance(item, bool | int | float | str):
            return as_json(item)
    return f"<{type(value).__name__}>"


def _number(value: float) -> float | str:
    # Whole numbers beyond 64 bits have no place in the JSON of other languages.
    if isinstance(value, int):
        return int(value) if value.bit_length() <= _INTEGER_BITS else f"<{type(value).__name__}>"
    return float(value) if math.isfinite(value) else str(float(value))


def _collection(value: Any, depth: int) -> Any:
    if isinstance(value, Mapping):
        pairs = islice(value.items(), MAX_ITEMS + 1)
        return {as_json(str(key)): as_json(item, depth) for key, item in pairs}
    if isinstance(value, AbstractSet):
        value = sorted(value, key=repr)
    return [as_json(item, depth) for item in islice(value, MAX_ITEMS + 1)]


def _numbers(value: Any) -> Any:
    """Return a number, or the points of a curve; without those that JSON cannot write."""
    if isinstance(value, int | float):
        return value if _writable(value) else None
    return [[step, y] for step, y in value if _writable(step) and _writable(y)]


def _writable(number: float) -> bool:
    # Not isfinite(): it fails on integers that are too large for a float.
    return abs(number) <= sys.float_info.max
