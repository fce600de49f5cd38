"""What an operation tells while it works; whoever drives it decides what to show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Started:
    """The work begins: `total` units are ahead (`None`: not known).

    `first` of them were done before, and say nothing about the rate.
    """

    label: str
    total: int | None
    unit: str
    first: int = 0


@dataclass(frozen=True, slots=True)
class Advanced:
    """So many units are done, counted from the last `Started`."""

    done: int


@dataclass(frozen=True, slots=True)
class Piece:
    """New text of a streaming answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Point:
    """A new point of a curve."""

    series: str
    step: float
    value: float


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the user should know that stops nothing."""

    text: str


Event: TypeAlias = Started | Advanced | Piece | Point | Notice
