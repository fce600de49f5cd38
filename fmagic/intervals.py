"""Intervals of the figures that fmagic gives."""

from __future__ import annotations

import math
from dataclasses import dataclass

NORMAL_95 = 1.959963984540054  # the normal distribution holds 95% between minus and plus this


def wilson(right: int, count: int) -> tuple[float, float]:
    """Return the ends of the 95% score interval of a share (Wilson 1927, JASA 22:209-212)."""
    share, square = right / count, NORMAL_95**2
    centre = share + square / (2 * count)
    spread = NORMAL_95 * math.sqrt(share * (1 - share) / count + square / (4 * count**2))
    scale = 1 + square / count
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


@dataclass(frozen=True, slots=True)
class Paired:
    """What two runs did on the same rows.

    Attributes:
        both: rows that are right in both.
        first: right in the first alone.
        second: right in the second alone.
        neither: wrong in both.
    """

    both: int
    first: int
    second: int
    neither: int

    @property
    def count(self) -> int:
        """All rows."""
        return self.both + self.first + self.second + self.neither

    @property
    def gain(self) -> float:
        """By how much the share of right rows grew from the first to the second."""
        return (self.second - self.first) / self.count

    @property
    def interval(self) -> tuple[float, float]:
        """The ends of the 95% interval of the gain.

        That is Wald's with two rows more, one for either run alone (Bonett and Price 2012, Journal
        of Educational and Behavioral Statistics 37:479-488).
        """
        rows = self.count + 2
        first, second = (self.first + 1) / rows, (self.second + 1) / rows
        spread = NORMAL_95 * math.sqrt((first + second - (second - first) ** 2) / rows)
        return max(-1.0, second - first - spread), min(1.0, second - first + spread)

    @property
    def chance(self) -> float:
        """How likely a split at least so uneven of the rows that differ is if both are equally good.

        McNemar's test (1947, Psychometrika 12:153-157), two-sided, as the mid-p version of the exact
        one: the exact one is too careful (Fagerland, Lydersen and Laake 2013, BMC Medical Research
        Methodology 13:91).
        """
        differing, fewer = self.first + self.second, min(self.first, self.second)
        whole = math.lgamma(differing + 1) - differing * math.log(2)
        likely = [
            math.exp(whole - math.lgamma(rows + 1) - math.lgamma(differing - rows + 1))
            for rows in range(fewer + 1)
        ]
        return min(1.0, 2 * sum(likely) - likely[-1])
