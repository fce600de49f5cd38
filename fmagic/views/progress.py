"""How far a piece of work is."""

from __future__ import annotations

from dataclasses import dataclass, field

from fmagic.views.formats import duration, number, size
from fmagic.views.text import COLOURS, NO_MATH, SHADE, cell, escaped, stripped

BAR = 20
LONGEST_LABEL = 80
# A rate out of less time than this is a guess.
SHORTEST = 0.2
BYTES = "B"


@dataclass(frozen=True, slots=True)
class Progress:
    """A bar with rate and time left.

    Args:
        done: how much is done.
        total: of how much; `None` if that is not known.
        label: what is being done.
        unit: of `done`, such as `rows`; amounts of `B` are shown as sizes.
        first: what was done before it began.
        seconds: since it began.
    """

    done: int
    total: int | None
    label: str = field(kw_only=True)
    unit: str = field(kw_only=True)
    first: int = field(kw_only=True, default=0)
    seconds: float = field(kw_only=True)

    def plain(self) -> str:
        """Return one line: `label [#####     ] 25% 5/20 rows, 2.5 rows/s, 6.0 s left`."""
        share = self._share()
        filled = "" if share is None else "#" * round(share * BAR)
        bar = "" if share is None else f"[{filled:<{BAR}}] {share:.0%} "
        return stripped(f"{cell(self.label, LONGEST_LABEL)} {bar}{self.figures()}".strip())

    def html(self) -> str:
        """Return a `div` with a line of text above a bar."""
        share = self._share()
        percent = "" if share is None else f"{share:.0%} "
        text = (
            f"<div>{escaped(cell(self.label, LONGEST_LABEL))} <b>{percent}</b>"
            f'<span style="opacity:0.7">{escaped(self.figures())}</span></div>'
        )
        bar = ""
        if share is not None:
            colour = COLOURS["good" if share == 1 else "normal"]
            bar = (
                f'<div style="background-color:{SHADE};border-radius:3px;height:6px;'
                'max-width:480px;margin:3px 0">'
                f'<div style="background-color:{colour};border-radius:3px;height:6px;'
                f'width:{share * 100:.1f}%"></div></div>'
            )
        return f"<div {NO_MATH}>{text}{bar}</div>"

    def _share(self) -> float | None:
        if not self.total or self.total < 0:
            return None
        return min(max(self.done / self.total, 0.0), 1.0)

    def figures(self) -> str:
        """Return how much is done, the rate, and the time left: `5/20 rows, 2.5 rows/s, 6.0 s left`."""
        parts = [self._amount()]
        new = self.done - self.first
        if new > 0 and self.seconds >= SHORTEST:
            rate = new / self.seconds
            parts.append(self._rate(rate))
            if self.total is not None and self.done < self.total:
                parts.append(f"{duration((self.total - self.done) / rate)} left")
            else:
                parts.append(duration(self.seconds))
        return ", ".join(parts)

    def _amount(self) -> str:
        if self.unit == BYTES:
            return size(self.done) + ("" if self.total is None else f" of {size(self.total)}")
        of = "" if self.total is None else f"/{number(self.total)}"
        return f"{number(self.done)}{of} {cell(self.unit, LONGEST_LABEL)}"

    def _rate(self, rate: float) -> str:
        if self.unit == BYTES:
            return f"{size(rate)}/s"
        shown = f"{rate:,.0f}" if rate >= 10 else f"{rate:.2g}"  # noqa: PLR2004 - two digits
        return f"{shown} {cell(self.unit, LONGEST_LABEL)}/s"
