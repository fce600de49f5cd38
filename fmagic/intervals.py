"""Intervals of the figures that fmagic gives."""

from __future__ import annotations

import math

NORMAL_95 = 1.959963984540054  # the normal distribution holds 95% between minus and plus this


def wilson(right: int, count: int) -> tuple[float, float]:
    """Return the ends of the 95% score interval of a share (Wilson 1927, JASA 22:209-212)."""
    share, square = right / count, NORMAL_95**2
    centre = share + square / (2 * count)
    spread = NORMAL_95 * math.sqrt(share * (1 - share) / count + square / (4 * count**2))
    scale = 1 + square / count
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)
