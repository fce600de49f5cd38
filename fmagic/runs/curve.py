"""A curve that fits into a record, however long the work takes."""

from __future__ import annotations

import math

from fmagic.runs.limits import MAX_POINTS, thin


class Curve:
    """Points of a curve that may be endless, thinned evenly as they come."""

    def __init__(self, most: int = MAX_POINTS) -> None:
        self._most = most
        self._kept: list[tuple[float, float]] = []
        self._stride = 1
        self._count = 0
        self._latest: tuple[float, float] | None = None

    def add(self, step: float, value: float) -> None:
        """Take the next point; one that is not a number is left out."""
        if not (math.isfinite(step) and math.isfinite(value)):
            return
        self._latest = (step, value)
        if self._count % self._stride == 0:
            self._kept.append(self._latest)
            # More than asked for are held, so that the last thinning is nearly even.
            if len(self._kept) > 4 * self._most:
                del self._kept[1::2]
                self._stride *= 2
        self._count += 1

    @property
    def points(self) -> list[tuple[float, float]]:
        """At most 500 points: the first, the latest, and even steps between them."""
        points = list(self._kept)
        if self._latest is not None and points[-1] != self._latest:
            points.append(self._latest)
        # Six digits are more than a curve shows, and half the size.
        return [(step, float(f"{value:.6g}")) for step, value in thin(points, self._most)]
