"""Names and times of runs."""

from __future__ import annotations

import secrets
import threading
import time
import uuid
from datetime import UTC, datetime


def utc_now() -> datetime:
    """Return the time, aware and in UTC."""
    return datetime.now(UTC)


def utc_text(moment: datetime) -> str:
    """Return `2026-11-21T08:05:00.000Z`: one width, so that texts sort as times do."""
    moment = moment.astimezone(UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


_MAX_COUNTER = 0xFFF


class _Identifiers:
    """Makes version 7 UUIDs that rise within a process (RFC 9562, section 6.2, method 1)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._millisecond = 0
        self._counter = 0

    def __call__(self, now_ms: int, random_bits: int) -> uuid.UUID:
        """Return the next identifier; of `random_bits` the lower 73 are used."""
        with self._lock:
            if now_ms > self._millisecond:
                self._millisecond = now_ms
                # The upper bit starts at 0, so that 2,048 identifiers fit into the millisecond.
                self._counter = (random_bits >> 62) & 0x7FF
            else:
                # Also when the clock was set back.
                self._counter += 1
                if self._counter > _MAX_COUNTER:
                    self._millisecond += 1
                    self._counter = (random_bits >> 62) & 0x7FF
            value = self._millisecond << 80 | 0x7 << 76 | self._counter << 64 | 0b10 << 62
        return uuid.UUID(int=value | random_bits & ((1 << 62) - 1))


# One for the process: identifiers of two sessions in it must rise together.
_identifiers = _Identifiers()


def uuid7() -> str:
    """Return a new UUID of version 7: it sorts by time, and its last 62 bits are random."""
    return str(_identifiers(time.time_ns() // 1_000_000, secrets.randbits(73)))
