"""Which quantized copies go, and how their room comes back."""

from __future__ import annotations

import re
import shutil
import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from fmagic.errors import OptionError, did_you_mean
from fmagic.models.copies import REFUSED, Copy, bytes_of, entries, root_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

ABANDONED = 86_400.0  # seconds after which a draft has nobody who writes it
SPANS = {"m": 60, "h": 3600, "d": 86_400, "w": 604_800}  # seconds
SHORTEST_KEY = 6  # characters that name a copy


def leftovers(cache_dir: str | Path) -> list[Path]:
    """Return what writers left that were killed, and notes on models that cannot be kept."""
    found = []
    for each in entries(root_of(cache_dir)):
        try:
            age = time.time() - each.stat().st_mtime
        except OSError:
            continue
        if each.suffix == REFUSED or (each.name.startswith(".") and age > ABANDONED):
            found.append(each)
    return found


def select(
    copies: Sequence[Copy],
    *,
    names: Iterable[str] = (),
    older_than: timedelta | None = None,
    keep_bytes: int | None = None,
    everything: bool = False,
) -> list[Copy]:
    """Return which copies to remove.

    A copy goes if all of what is given says so: it is of one of the models, was not used for that
    long, and does not fit into the bytes to keep beside those that were used later. If nothing is
    given, those go that no load will read any more: other versions of the packages made them, or
    nobody knows what they are.

    Args:
        copies: to choose from.
        names: of models, or the beginning of a copy's key.
        older_than: time since the last use.
        keep_bytes: that may stay.
        everything: all of them go.

    Raises:
        OptionError: there is no copy of a model that is named, or `everything` beside the others.
    """
    names = list(names)
    narrowed = bool(names) or older_than is not None or keep_bytes is not None
    if everything and narrowed:
        raise OptionError("--all removes every copy; it does not go with anything else.")
    if not narrowed:
        return [copy for copy in copies if everything or not copy.is_current]
    for name in names:
        if not any(_is_named(copy, name) for copy in copies):
            known = {copy.name for copy in copies if copy.name}
            raise OptionError(f"There is no quantized copy of {name!r}.{did_you_mean(name, known)}")
    chosen = [copy for copy in copies if not names or any(_is_named(copy, each) for each in names)]
    if older_than is not None:
        latest = datetime.now(UTC) - older_than
        chosen = [copy for copy in chosen if copy.used < latest]
    if keep_bytes is not None:
        chosen = _beyond(copies, chosen, keep_bytes)
    return chosen


def _beyond(copies: Sequence[Copy], chosen: list[Copy], keep_bytes: int) -> list[Copy]:
    """Return the least recently used of `chosen` that must go until the rest is small enough."""
    left = sum(copy.bytes for copy in copies)
    gone = []
    for copy in sorted(chosen, key=lambda copy: copy.used):
        if left <= keep_bytes:
            break
        gone.append(copy)
        left -= copy.bytes
    return gone


def _is_named(copy: Copy, name: str) -> bool:
    short = copy.name.rpartition("/")[2]
    return name in (copy.name, short) or (
        len(name) >= SHORTEST_KEY and copy.folder.name.startswith(name)
    )


def remove(folder: Path) -> int:
    """Remove a copy or a leftover, and return the bytes of disk that came back.

    It is renamed first, so that nobody finds half of it; who has it open keeps what is open.

    Raises:
        OptionError: the disk refuses.
    """
    taken = bytes_of(folder)
    away = folder.parent / f".{uuid.uuid4().hex}"
    try:
        folder.rename(away)
        if away.is_dir():
            shutil.rmtree(away)
        else:
            away.unlink()
    except FileNotFoundError:
        return 0  # another process was faster
    except OSError as error:
        raise OptionError(
            f"{folder.name} in {folder.parent.name} cannot be removed: {error.strerror or error}."
        ) from None
    return taken


def parse_span(text: str) -> timedelta:
    """Return the time in `30d`, `12h`, `45m` or `2w`.

    Raises:
        OptionError: it is no such time.
    """
    match = re.fullmatch(r"\s*(\d{1,6})\s*([mhdw])\s*", text.lower())
    if match is None:
        raise OptionError(f"{text!r} is no span of time. Write 30d, 2w, 12h or 45m.")
    return timedelta(seconds=int(match[1]) * SPANS[match[2]])
