"""A dumped record, seen as flat fields, as times and as points of curves."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from fmagic.runs.record import RunRecord

Dump: TypeAlias = "dict[str, Any]"
FieldPath: TypeAlias = tuple[str, ...]

NO_NOTEBOOK = "fmagic"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LARGEST_STEP = 2**63


def flatten(data: Mapping[str, Any], path: FieldPath = ()) -> Iterator[tuple[FieldPath, Any]]:
    """Yield the values of nested mappings with their paths; a list is one value."""
    for name, value in data.items():
        if isinstance(value, dict):
            yield from flatten(value, (*path, name))
        else:
            yield (*path, name), value


def dotted(paths: Iterable[FieldPath]) -> dict[FieldPath, str]:
    """Return a name for each path, `("model", "name")` becoming `model.name`; no two are alike."""
    names: dict[FieldPath, str] = {}
    taken: set[str] = set()
    for path in paths:
        names[path] = unique(".".join(path), taken)
    return names


def unique(name: str, taken: set[str]) -> str:
    """Return `name`, with a number behind it if it is taken, and take it."""
    free, number = name, 1
    while free in taken:
        number += 1
        free = f"{name}_{number}"
    taken.add(free)
    return free


def as_text(value: Any) -> str:
    """Return a text as it is, and anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def steps(points: Sequence[Sequence[float]]) -> list[int]:
    """Return the steps of a curve as the integers that trackers ask for.

    Where one is a fraction, as an epoch may be, all are replaced by their places in the curve.
    """
    numbers = [float(step) for step, _ in points]
    if all(each.is_integer() and abs(each) < _LARGEST_STEP for each in numbers):
        return [int(each) for each in numbers]
    return list(range(len(numbers)))


def start_ns(dump: Dump) -> int:
    """Return the start of a run in nanoseconds since 1970."""
    since = datetime.fromisoformat(dump["started"]) - EPOCH
    return since // timedelta(microseconds=1) * 1000


def end_ns(dump: Dump) -> int | None:
    """Return the end of a run in nanoseconds since 1970; `None` if it was not seen."""
    seconds = dump.get("seconds")
    return None if seconds is None else start_ns(dump) + max(0, round(seconds * 1e9))


def title(dump: Dump) -> str:
    """Return the kind and the short id, `prompt 7a1c0001`."""
    return f"{dump['kind']} {dump['id'][-8:]}"


def by_notebook(records: Sequence[RunRecord]) -> dict[str, list[Dump]]:
    """Return the dumped records by the name of their notebook, without its ending.

    Those without a notebook stand under `fmagic`.
    """
    groups: dict[str, list[Dump]] = {}
    for record in records:
        dump = record.dump()
        name = str(dump.get("notebook", "")).removesuffix(".ipynb").strip()
        groups.setdefault(name or NO_NOTEBOOK, []).append(dump)
    return groups
