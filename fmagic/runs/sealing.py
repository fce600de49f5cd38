"""The one gate through which a record leaves memory."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import date
from pathlib import PurePath
from typing import Any

from fmagic.runs.limits import TEXTS, fit
from fmagic.runs.masking import mask
from fmagic.runs.paths import Roots, reduce_paths

MAX_DEPTH = 8
ELLIPSIS = "…"

# Made by the log itself, and the reader relies on their form: a secret that happens to be "ok"
# must not turn a status into dots.
_STRUCTURE = ("schema", "id", "kind", "status", "started")
_NUMBERS = ("metrics", "series")
_LONE_SURROGATE = re.compile(r"[\ud800-\udfff]")


def seal(data: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return `data` as JSON types, without secrets and absolute paths, in at most 64 KiB.

    Args:
        data: the fields of a record.
        environ: the environment whose secrets are masked; by default that of this process.
    """
    secrets = os.environ if environ is None else environ
    roots = Roots.here()
    sealed: dict[str, Any] = {}
    for name, value in data.items():
        if name in _STRUCTURE:
            sealed[name] = value
        elif name in _NUMBERS:
            # Names of metrics and curves may come from the data; what they name is no secret.
            named = reduce_paths(mask([str(key) for key in value], secrets), roots)
            sealed[name] = dict(zip(named, map(_numbers, value.values()), strict=True))
        else:
            masked = mask({str(name): as_json(value)}, secrets)
            sealed.update(reduce_paths(masked, roots, texts=TEXTS))
    if "metrics" in sealed:
        sealed["metrics"] = {k: v for k, v in sealed["metrics"].items() if v is not None}
    return fit(sealed)


def as_json(value: Any, depth: int = MAX_DEPTH) -> Any:
    """Return `value` as JSON types.

    What JSON has no type for becomes the name of its type, never its `repr`: that may hold an
    address in memory, and two equal runs would differ.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _LONE_SURROGATE.sub("\ufffd", str(value))
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    if isinstance(value, PurePath | date):
        return str(value)
    if depth == 0 and isinstance(value, Mapping | Sequence | AbstractSet):
        return ELLIPSIS
    if isinstance(value, Mapping):
        return {as_json(str(key)): as_json(item, depth - 1) for key, item in value.items()}
    if isinstance(value, AbstractSet):
        return sorted((as_json(item, depth - 1) for item in value), key=repr)
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview):
        return [as_json(item, depth - 1) for item in value]
    # A numpy or torch scalar, known by its interface so that neither is imported.
    if getattr(value, "shape", None) == () and callable(getattr(value, "item", None)):
        item = value.item()
        return as_json(item, depth) if isinstance(item, bool | int | float | str) else _name(value)
    return _name(value)


def _name(value: object) -> str:
    return f"<{type(value).__name__}>"


def _numbers(value: Any) -> Any:
    """Return a number, or the points of a curve; without those that JSON cannot write."""
    if isinstance(value, int | float):
        return value if math.isfinite(value) else None
    return [[step, y] for step, y in value if math.isfinite(step) and math.isfinite(y)]
