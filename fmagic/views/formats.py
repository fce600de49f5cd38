"""Numbers, sizes and times as people read them."""

from __future__ import annotations

import math
from numbers import Integral, Real

# Below and above these a plain number has too many zeros.
SMALLEST, LARGEST = 1e-4, 1e15
GROUPED = 10_000
MINUTE, HOUR, DAY = 60, 3600, 86400
SHORT_MINUTES = 10
NOTHING = "\N{EN DASH}"


def number(value: object) -> str:
    """Return a number with four significant digits, or with all of a whole one's.

    Whole numbers from 10,000 have commas. What is no number comes back as its text, `None` as a
    dash.
    """
    if value is None:
        return NOTHING
    if isinstance(value, bool) or not isinstance(value, Real):
        return str(value)
    if isinstance(value, Integral):
        whole = int(value)
        return f"{whole:,}" if abs(whole) >= GROUPED else str(whole)
    return _real(float(value))


def _real(real: float) -> str:
    if not math.isfinite(real):
        return str(real)
    if real and not SMALLEST <= abs(real) < LARGEST:
        return f"{real:.3g}"
    if abs(real) >= GROUPED:
        return f"{real:,.0f}"
    # `g` alone would write 1e+04 for what rounds up to it.
    text = f"{float(f'{real:.4g}'):f}"
    return text.rstrip("0").rstrip(".")


def size(count: float) -> str:
    """Return bytes in decimal units with two significant digits or more: `"1.4 GB"`."""
    value = float(count)
    if not math.isfinite(value):
        return NOTHING
    for unit in ("B", "kB", "MB", "GB", "TB"):
        # As shown, so that 999,960 is 1.0 MB and not 1000.0 kB.
        shown = round(value, 0 if unit == "B" or abs(value) >= 100 else 1)  # noqa: PLR2004 - three digits
        if abs(shown) < 1000 or unit == "TB":  # noqa: PLR2004 - the next unit's
            break
        value /= 1000
    whole = unit == "B" or abs(shown) >= 100  # noqa: PLR2004 - three digits are enough
    return f"{shown:,.0f} {unit}" if whole else f"{shown:.1f} {unit}"


def duration(seconds: float) -> str:
    """Return a time in its natural unit: `"85 ms"`, `"4.2 s"`, `"3 min 05 s"`, `"2 h 04 min"`."""
    if not math.isfinite(seconds) or seconds < 0:
        return NOTHING
    if seconds < 0.9995:  # noqa: PLR2004 - what rounds to less than 1000 ms
        return f"{seconds * 1000:.0f} ms"
    if seconds < MINUTE - 0.05:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < HOUR:
        return f"{whole // MINUTE} min {whole % MINUTE:02d} s"
    minutes = round(seconds / MINUTE)
    if minutes < DAY // MINUTE:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    hours = round(seconds / HOUR)
    return f"{hours // 24} d {hours % 24:02d} h"
