"""What keeps a record under 64 KiB, whatever went into it."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any

MAX_BYTES = 64 * 1024
MAX_POINTS = 500
MAX_TEXT = 16_384
MAX_ITEMS = 1_000

# Where prose stands; all other strings are names and values.
TEXTS = frozenset(
    {("template",), ("cell", "source"), ("output", "text"), ("error", "message"), ("note",)}
)
MORE = "… and more"
_CUT = re.compile(r"… \[([\d,]+) more characters, sha256 ([0-9a-f]{64})\]\Z")
_REQUIRED = ("schema", "id", "kind", "status", "started")


@dataclass(frozen=True, slots=True)
class _Level:
    """How much is kept: characters of a text, of another string, items of a list, points."""

    text: int
    string: int
    items: int
    points: int


# Tried one after the other until the record fits.
_LEVELS = (
    _Level(text=MAX_TEXT, string=2_048, items=MAX_ITEMS, points=MAX_POINTS),
    _Level(text=8_192, string=2_048, items=MAX_ITEMS, points=MAX_POINTS),
    _Level(text=8_192, string=1_024, items=500, points=100),
    _Level(text=4_096, string=256, items=100, points=50),
    _Level(text=1_024, string=128, items=20, points=10),
)
_LAST = _Level(text=256, string=64, items=8, points=0)
_DROPPED_LAST = ("params", "series", "environment")


def is_cut(text: str) -> bool:
    """Tell whether a text ends in the mark of what was cut off."""
    return _CUT.search(text) is not None


def size(data: Any) -> int:
    """Return the bytes of `data` as JSON in UTF-8."""
    return len(to_bytes(data))


def to_bytes(data: Any) -> bytes:
    """Return `data` as one line of JSON in UTF-8."""
    return json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def fit(data: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a record, cut until they take at most `MAX_BYTES`.

    Cut are, in this order: long texts; curves, to fewer points; parameters, tags, columns and
    other lists, to fewer and shorter items. If nothing else helps, curves, parameters and what
    this version does not know go altogether. Every cut but that of a curve leaves a mark.
    """
    for level in _LEVELS:
        cut = _record(data, level)
        if size(cut) <= MAX_BYTES:
            return cut
    kept = {
        name: value
        for name, value in _record(data, _LAST).items()
        if name in _KNOWN and name not in _DROPPED_LAST
    }
    return {name: _flat(value) if name != "metrics" else value for name, value in kept.items()}


_KNOWN = frozenset(
    {
        *_REQUIRED,
        *("seconds", "cell", "notebook", "model", "template", "params", "seed", "data", "output"),
        *(
            "metrics",
            "series",
            "notices",
            "parents",
            "tags",
            "note",
            "edited",
            "rerun",
            "environment",
            "error",
        ),
    }
)


def thin(points: list[Any], most: int) -> list[Any]:
    """Return at most `most` of the points, evenly, the first and the last among them."""
    if len(points) <= most:
        return points
    if most == 0:
        return []
    last = len(points) - 1
    return [points[round(place * last / (most - 1))] for place in range(most)]


def cut_text(text: str, most: int) -> str:
    """Return `text` in at most `most` characters; a cut one ends in how much and which it was."""
    if len(text) <= most:
        return text
    before = _CUT.search(text)
    if before:  # cut once already: the mark goes on to speak of the whole
        missing = int(before.group(1).replace(",", ""))
        digest = before.group(2)
        text = text[: before.start()]
    else:
        missing = 0
        digest = hashlib.sha256(text.encode()).hexdigest()
    kept = most - len(_mark(missing + len(text), digest))
    return text[:kept] + _mark(missing + len(text) - kept, digest)


def _mark(missing: int, digest: str) -> str:
    return f"… [{missing:,} more characters, sha256 {digest}]"


def _cut_string(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    room = most - len(f"… (+{len(text):,})")
    return f"{text[:room]}… (+{len(text) - room:,})"


def _record(data: dict[str, Any], level: _Level) -> dict[str, Any]:
    cut: dict[str, Any] = {}
    for name, value in data.items():
        if name in _REQUIRED:
            cut[name] = value
        elif name == "series":
            some = list(value.items())[: level.items]
            thinned = {_cut_string(key, level.string): thin(p, level.points) for key, p in some}
            cut[name] = {key: points for key, points in thinned.items() if points}
        elif name == "metrics":
            some = list(value.items())[: level.items]
            cut[name] = {_cut_string(key, level.string): figure for key, figure in some}
        else:
            cut[_cut_string(name, level.string)] = _squeeze(value, level, (name,))
    return cut


def _squeeze(value: Any, level: _Level, place: tuple[str, ...]) -> Any:
    if isinstance(value, str):
        if place in TEXTS:
            return cut_text(value, level.text)
        return _cut_string(value, level.string)
    if isinstance(value, list):
        kept = [_squeeze(item, level, (*place, "")) for item in _first(value, level.items)]
        if len(kept) < len(value):
            kept.append(MORE)
        return kept
    if isinstance(value, dict):
        names = _first(list(value), level.items)
        shrunk = {
            _cut_string(name, level.string): _squeeze(value[name], level, (*place, name))
            for name in names
        }
        if len(names) < len(value):
            shrunk[MORE] = MORE
        return shrunk
    return value


def _first(items: list[Any], most: int) -> list[Any]:
    """Return the first items; if not all, one fewer, so that the mark has a place."""
    return items if len(items) <= most else items[: most - 1]


def _flat(value: Any) -> Any:
    """Drop what stands inside a list, and what is not plain inside a part of the record."""
    if isinstance(value, list):
        return [item for item in value if isinstance(item, str | int | float)]
    if isinstance(value, dict):
        return {
            name: [entry for entry in item if isinstance(entry, str)]
            if isinstance(item, list)
            else item
            for name, item in value.items()
            if not isinstance(item, dict)
        }
    return value
