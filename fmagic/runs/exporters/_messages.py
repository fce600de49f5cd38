"""Wording that all exporters share; nothing of it repeats a password."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from fmagic.runs.masking import mask

if TYPE_CHECKING:
    from collections.abc import Iterable, Sized

_LONGEST = 300


def runs(records: Sized) -> str:
    """Return `"1 run"` or `"12 runs"`."""
    count = len(records)
    return f"{count:,} run" if count == 1 else f"{count:,} runs"


def shown(place: str) -> str:
    """Return a target as it may be shown: `http://ann:pw@host` becomes `http://ann:•••@host`."""
    masked: str = mask(place, os.environ)
    return masked


def brief(error: BaseException) -> str:
    """Return the message of a failure on one line, without secrets and without the last stop."""
    line = " ".join(shown(str(error)).split()) or type(error).__name__
    if len(line) > _LONGEST:
        return f"{line[:_LONGEST]}…"
    return line.rstrip(".")


def quoted(names: Iterable[str]) -> str:
    """Return `"'a', 'b' and 'c'"`."""
    *first, last = [repr(name) for name in names]
    return f"{', '.join(first)} and {last}" if first else last
