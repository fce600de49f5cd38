"""Records from files that may be torn, foreign or newer than this program, and their union."""

from __future__ import annotations

import gc
import json
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from fmagic.errors import FmagicWarning
from fmagic.runs.record import RunRecord
from fmagic.runs.upgrade import UPGRADES, upgrade, version_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@dataclass(slots=True)
class Skips:
    """What one reading could not use."""

    torn: int = 0
    foreign: int = 0
    newer: int = 0
    files: int = 0

    def warn(self, place: str) -> None:
        """Give one warning with the counts, if there is anything to count."""
        reasons = [
            (self.torn, "cut off in the middle"),
            (self.foreign, "not a record of a run"),
            (self.newer, "of a newer fmagic; update with: pip install -U fmagic"),
            (self.files, "in a file that cannot be read"),
        ]
        found = [f"{count:,} {reason}" for count, reason in reasons if count]
        if found:
            message = f"Skipped in {place}: {', '.join(found)}."
            warnings.warn(message, FmagicWarning, stacklevel=3)


@contextmanager
def bulk() -> Iterator[None]:
    """Make many records: more than half of the time would go into looking for garbage among them.

    They stay, so they join the objects that are old already, which are rarely looked through.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            # Frozen objects thaw into the oldest generation, and nothing is looked through on the
            # way. What others froze thaws too; it was frozen for the memory of forks alone.
            gc.freeze()
            gc.unfreeze()
            gc.enable()


def from_json(line: bytes | str, skips: Skips) -> RunRecord | None:
    """Return the record in a piece of JSON; `None`, counted in `skips`, if it holds none."""
    try:
        return RunRecord.model_validate_json(line, strict=True)
    except ValidationError:
        # Rare, so only now it is asked why.
        try:
            data = json.loads(line)
        except ValueError:
            skips.torn += 1
            return None
    return _older(data, skips)


def from_data(data: object, skips: Skips) -> RunRecord | None:
    """Return the record in a parsed piece of JSON; `None`, counted in `skips`, if there is none."""
    return from_json(json.dumps(data), skips)


def _older(data: Any, skips: Skips) -> RunRecord | None:
    version = version_of(data)
    current = len(UPGRADES) + 1
    if version is None or version == current:
        skips.foreign += 1
        return None
    if version > current:
        skips.newer += 1
        return None
    try:
        return RunRecord.model_validate_json(json.dumps(upgrade(data)), strict=True)
    except (ValidationError, KeyError, TypeError, ValueError):
        skips.foreign += 1
        return None


def merge(*groups: Iterable[RunRecord]) -> list[RunRecord]:
    """Return the union of the groups by id, in the order of their start.

    Of two records of one run the more complete is kept: an end that was seen over one that was
    not, then the one with more in it, then the one given later. Tags and note are those that were
    changed last, in whichever record: a front end changes them in a compact one.
    """
    best: dict[str, RunRecord] = {}
    for group in groups:
        for record in group:
            other = best.get(record.id)
            # Most runs are found twice, alike; comparing them is quicker than measuring both.
            if other is None or other == record:
                best[record.id] = record
            else:
                best[record.id] = _joined(other, record)
    return sorted(best.values(), key=attrgetter("started", "id"))


def _joined(one: RunRecord, other: RunRecord) -> RunRecord:
    """Return one record of two of one run, the second given later."""
    fuller, rest = (other, one) if _fullness(other) >= _fullness(one) else (one, other)
    if (rest.edited or "") <= (fuller.edited or ""):
        return fuller
    changes = {name: getattr(rest, name) for name in ("tags", "note", "edited")}
    return fuller.model_copy(update=changes)


def _fullness(record: RunRecord) -> tuple[int, int]:
    if record.status == "running":
        return 0, 0
    end = 2 if record.finished else 1
    return end, _leaves(record.model_dump(exclude_none=True))


def _leaves(value: Any) -> int:
    if isinstance(value, dict):
        return sum(map(_leaves, value.values()))
    if isinstance(value, list):
        return sum(map(_leaves, value))
    return 1
