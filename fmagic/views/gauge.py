"""A part of a whole, as a bar beside words that say the same."""

from __future__ import annotations

from dataclasses import dataclass

from fmagic.views.text import (
    COLOURS,
    LONGEST_CAPTION,
    NO_MATH,
    SHADE,
    Tone,
    cell,
    escaped,
    stripped,
)

BAR = 10


@dataclass(frozen=True, slots=True)
class Gauge:
    """A bar as long as its share, and words.

    Args:
        share: of the whole; more than 1 fills the bar. `None` for no bar.
        words: what it means; colour alone says nothing to who cannot tell colours.
        tone: of the bar.
    """

    share: float | None
    words: str
    tone: Tone = "normal"

    def plain(self) -> str:
        """Return one line: `[###       ] 1.5 GB of 7.4 GB free`."""
        words = stripped(cell(self.words, LONGEST_CAPTION))
        if self.share is None:
            return words
        return f"[{'#' * round(self._filled() * BAR):<{BAR}}] {words}"

    def html(self) -> str:
        """Return a `div` with a bar and a line of text in one row."""
        bar = ""
        if self.share is not None:
            bar = (
                f'<div style="background-color:{SHADE};border-radius:3px;height:8px;width:90px;'
                'display:inline-block;margin:0 8px 0 0">'
                f'<div style="background-color:{COLOURS[self.tone]};border-radius:3px;height:8px;'
                f'width:{self._filled() * 100:.0f}%"></div></div>'
            )
        return f"<div {NO_MATH}>{bar}{escaped(cell(self.words, LONGEST_CAPTION))}</div>"

    def _filled(self) -> float:
        return min(max(self.share or 0.0, 0.0), 1.0)
