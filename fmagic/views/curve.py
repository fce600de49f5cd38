"""A static line chart."""

from __future__ import annotations

import base64
import math
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

from fmagic.views.formats import number
from fmagic.views.text import LONGEST_CAPTION, NO_MATH, cell, escaped, stripped

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Points = list[tuple[float, float]]

WIDTH, HEIGHT = 520, 220
LEFT, RIGHT, TOP, BOTTOM = 68, 14, 28, 42
# Middle tones again: an image inherits no colour from the page.
INK = "#767676"
PALETTE = ("#4285f4", "#e8710a", "#2e9e5b", "#c158dc", "#12a4af", "#e0483e")
DASHES = ("", "6 3", "2 3")
ROW = 18  # pixels from one row of the legend to the next
LONGEST_NAME = 28
# A line has no more than two points a pixel column of its width.
COLUMNS = 150
SPARKS = "▁▂▃▄▅▆▇█"
SPARK_WIDTH = 32
# More dots than these are told by their ends alone.
MOST_TOLD = 8
TICKS = 4


@dataclass(frozen=True, slots=True)
class Curve:
    """Lines over a common x.

    Args:
        series: points `(x, y)` by name, in the order of x. What is not finite leaves a gap in
            sight: it is counted below.
        x_label: of the horizontal axis.
        y_label: of the vertical axis.
        caption: a line above it.
        dots: draw the points alone.
        x_names: names of the places 0, 1, ... on the horizontal axis, where it has no numbers.
    """

    series: Mapping[str, Sequence[tuple[float, float]]]
    x_label: str = field(kw_only=True)
    y_label: str = field(kw_only=True)
    caption: str = field(default="", kw_only=True)
    dots: bool = field(default=False, kw_only=True)
    x_names: Sequence[str] = field(default=(), kw_only=True)

    def plain(self) -> str:
        """Return a line for each series: a sketch, and where it goes from and to."""
        names = {name: stripped(cell(name, LONGEST_NAME)) for name in self.series}
        width = max(map(len, names.values()), default=0)
        lines = [
            f"{names[name]:<{width}}  {_sketch(points)}  {self._summary(points)}".rstrip()
            for name, points in self._finite().items()
        ]
        return "\n".join(
            filter(None, [stripped(cell(self.caption, LONGEST_CAPTION)), *lines, self._lost()])
        )

    def html(self) -> str:
        """Return a `div` with the chart as an image, since sanitizers drop inline SVG."""
        finite = {name: points for name, points in self._finite().items() if points}
        caption = (
            f'<div style="opacity:0.8">{escaped(cell(self.caption, LONGEST_CAPTION))}</div>'
            if self.caption
            else ""
        )
        lost = self._lost()
        note = f'<div style="opacity:0.7;font-size:90%">{escaped(lost)}</div>' if lost else ""
        if not finite:
            return (
                f'<div {NO_MATH}>{caption}<div style="opacity:0.7">no points yet</div>{note}</div>'
            )
        image = base64.b64encode(_svg(finite, self).encode()).decode()
        told = "; ".join(
            f"{cell(name, LONGEST_NAME)}: {self._summary(points)}"
            for name, points in finite.items()
        )
        return (
            f'<div {NO_MATH}>{caption}<img alt="{escaped(told)}" width="{WIDTH}" '
            f'style="max-width:100%;height:auto" src="data:image/svg+xml;base64,{image}">'
            f"{note}</div>"
        )

    def _finite(self) -> dict[str, Points]:
        return {
            name: [(x, y) for x, y in points if math.isfinite(x) and math.isfinite(y)]
            for name, points in self.series.items()
        }

    def _lost(self) -> str:
        count = sum(map(len, self.series.values())) - sum(map(len, self._finite().values()))
        if not count:
            return ""
        return f"{count:,} {'point is' if count == 1 else 'points are'} not finite, and not drawn"

    def _summary(self, points: Points) -> str:
        if not points:
            return "no points"
        (first_x, first), (last_x, last) = points[0], points[-1]
        x_label = cell(self.x_label, LONGEST_NAME)
        if len(points) == 1:
            return stripped(f"{number(first)} at {x_label} {self.x_text(first_x)}")
        if self.dots and len(points) <= MOST_TOLD:
            return stripped(", ".join(f"{number(y)} at {self.x_text(x)}" for x, y in points))
        return stripped(
            f"{number(first)} → {number(last)} ({len(points):,} points, {x_label} "
            f"{self.x_text(first_x)} to {self.x_text(last_x)})"
        )

    def x_text(self, x: float) -> str:
        """Return what stands at a place of the horizontal axis."""
        return cell(self.x_names[int(x)], LONGEST_NAME) if self.x_names else number(x)


def _sketch(points: Points) -> str:
    """Return the course of a series in block characters, each the mean of a stretch of points."""
    if not points:
        return ""
    width = min(SPARK_WIDTH, len(points))
    edges = [round(i * len(points) / width) for i in range(width + 1)]
    means = [
        math.fsum(y / (end - start) for _, y in points[start:end]) for start, end in pairwise(edges)
    ]
    low, high = min(means), max(means)
    # Halved, since the difference of two extreme values may be infinite.
    height = high / 2 - low / 2 or 1.0
    shares = [(mean / 2 - low / 2) / height for mean in means]
    return "".join(SPARKS[min(int(share * len(SPARKS)), len(SPARKS) - 1)] for share in shares)


def _svg(series: Mapping[str, Points], curve: Curve) -> str:
    everything = [point for points in series.values() for point in points]
    names = curve.x_names
    legend, rows = _legend(list(series))
    top, height = TOP + (rows - 1) * ROW, HEIGHT + (rows - 1) * ROW
    # Half a place to either side, so that no dot lies on the edge.
    xs = [-0.5, len(names) - 0.5] if names else [x for x, _ in everything]
    x_axis = _Axis.over(xs, LEFT, WIDTH - RIGHT, tight=not curve.dots or bool(names))
    y_axis = _Axis.over([y for _, y in everything], height - BOTTOM, top, tight=False)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'width="{WIDTH}" height="{height}" font-family="sans-serif" font-size="13" fill="{INK}">'
    )
    parts = [head]
    for tick in y_axis.ticks():
        at = y_axis.at(tick)
        parts.append(
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}" stroke="{INK}" '
            'stroke-opacity="0.25"/>'
            f'<text x="{LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{number(tick)}</text>'
        )
    parts.extend(
        f'<text x="{x_axis.at(tick):.1f}" y="{height - BOTTOM + 17}" '
        f'text-anchor="middle">{escaped(curve.x_text(tick))}</text>'
        for tick in (map(float, range(len(names))) if names else x_axis.ticks())
    )
    parts.append(
        f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{height - BOTTOM}" y2="{height - BOTTOM}" '
        f'stroke="{INK}" stroke-opacity="0.7"/>'
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{height - 6}" text-anchor="middle">'
        f"{escaped(cell(curve.x_label, LONGEST_NAME))}</text>"
        f'<text x="{LEFT - 6}" y="13" text-anchor="end">{escaped(cell(curve.y_label, 9))}</text>'
    )
    for place, points in enumerate(series.values()):
        draw = _dots if curve.dots else _line
        parts.append(draw(_thinned(points), x_axis, y_axis, place))
    return "".join([*parts, *legend, "</svg>"])


def _legend(names: Sequence[str]) -> tuple[list[str], int]:
    """Return the names with their colours, in as many rows as they need, and the rows."""
    parts = []
    x, row = float(LEFT), 0
    for place, name in enumerate(names):
        shown = cell(name, LONGEST_NAME)
        # Letters of this size are about seven pixels wide.
        width = 28 + 7 * len(shown)
        if x > LEFT and x + width > WIDTH:
            x, row = float(LEFT), row + 1
        colour, dashes = _stroke(place)
        parts.append(
            f'<line x1="{x - 2:.0f}" x2="{x + 10:.0f}" y1="{9 + row * ROW}" y2="{9 + row * ROW}" '
            f'stroke="{colour}" stroke-width="3"{dashes}/>'
            f'<text x="{x + 14:.0f}" y="{13 + row * ROW}">{escaped(shown)}</text>'
        )
        x += width
    return parts, row + 1


def _stroke(place: int) -> tuple[str, str]:
    """Return colour and dashes of a series; once the colours are used up, lines are dashed."""
    dashes = DASHES[place // len(PALETTE) % len(DASHES)]
    return PALETTE[place % len(PALETTE)], f' stroke-dasharray="{dashes}"' if dashes else ""


def _dots(points: Points, x_axis: _Axis, y_axis: _Axis, place: int) -> str:
    colour, _ = _stroke(place)
    return "".join(
        f'<circle cx="{x_axis.at(x):.1f}" cy="{y_axis.at(y):.1f}" r="3" fill="{colour}"/>'
        for x, y in points
    )


def _line(points: Points, x_axis: _Axis, y_axis: _Axis, place: int) -> str:
    if len(points) == 1:
        return _dots(points, x_axis, y_axis, place)
    colour, dashes = _stroke(place)
    places = [f"{x_axis.at(x):.1f},{y_axis.at(y):.1f}" for x, y in points]
    return (
        f'<polyline fill="none" stroke="{colour}" stroke-width="1.8" stroke-linejoin="round" '
        f'points="{" ".join(places)}"{dashes}/>'
    )


def _thinned(points: Points) -> Points:
    """Return the lowest and the highest of each stretch, so that no spike is lost."""
    if len(points) <= 2 * COLUMNS:
        return points
    edges = [round(i * len(points) / COLUMNS) for i in range(COLUMNS + 1)]
    kept = [points[0]]
    for start, end in pairwise(edges):
        places = range(start, end)
        low = min(places, key=lambda i: points[i][1])
        high = max(places, key=lambda i: points[i][1])
        kept.extend(points[i] for i in sorted({low, high}))
    kept.append(points[-1])
    return kept


@dataclass(frozen=True, slots=True)
class _Axis:
    """A linear scale from `low..high` to the pixels `start..end`."""

    low: float
    high: float
    step: float
    start: float
    end: float

    @classmethod
    def over(cls, values: Sequence[float], start: float, end: float, *, tight: bool) -> _Axis:
        """Return an axis over these values; one that is not tight ends on its ticks."""
        low, high = min(values), max(values)
        if not high - low > max(abs(low), abs(high), 1e-290) * 1e-9:
            # All at one height: draw them in the middle.
            margin = abs(high) / 2 or 0.5
            low, high = low - margin, high + margin
        raw = (high / TICKS) - (low / TICKS)
        power = 10.0 ** math.floor(math.log10(raw))
        step = next((power * nice for nice in (1, 2, 2.5, 5) if power * nice >= raw), power * 10)
        if not tight:
            low, high = math.floor(low / step) * step, math.ceil(high / step) * step
        return cls(low, high, step, start, end)

    def ticks(self) -> list[float]:
        """Return the round values within the axis."""
        first = math.ceil(self.low / self.step - 1e-9)
        last = math.floor(self.high / self.step + 1e-9)
        return [place * self.step for place in range(first, last + 1)]

    def at(self, value: float) -> float:
        """Return the pixel of a value."""
        # Halved, since the difference of two extreme values may be infinite.
        share = (value / 2 - self.low / 2) / (self.high / 2 - self.low / 2)
        return self.start + share * (self.end - self.start)
