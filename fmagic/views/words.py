"""Two texts as one, with what was taken out and what was put in."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from fmagic.views.text import NO_MATH, escaped, stripped

if TYPE_CHECKING:
    from collections.abc import Iterator

Change = Literal["same", "out", "in"]

_WORDS = re.compile(r"\s+|\w+|[^\w\s]")
# The time of the comparison grows with the square of the length.
LONGEST = 4_000  # words
_MARKS = {"out": ("[-", "-]"), "in": ("{+", "+}")}
_TAGS = {
    "out": ("del", "background:rgba(224,72,62,0.25)"),
    "in": ("ins", "background:rgba(46,158,91,0.25);text-decoration:none"),
}


@dataclass(frozen=True, slots=True)
class Words:
    """What changed between two texts, word by word.

    Args:
        before: the one text.
        after: the other.
    """

    before: str
    after: str

    def plain(self) -> str:
        """Return the text with `[-words taken out-]` and `{+words put in+}`."""
        parts = []
        for change, text in self.changes():
            start, end = _MARKS.get(change, ("", ""))
            parts.append(f"{start}{text}{end}")
        return stripped("".join(parts))

    def html(self) -> str:
        """Return a `pre` with `del` and `ins`."""
        parts = []
        for change, text in self.changes():
            tag, style = _TAGS.get(change, ("span", ""))
            parts.append(
                escaped(text)
                if change == "same"
                else f'<{tag} style="{style}">{escaped(text)}</{tag}>'
            )
        return (
            f'<pre {NO_MATH} dir="auto" style="margin:0;font-family:monospace;'
            f'white-space:pre-wrap;overflow-wrap:break-word;">{"".join(parts)}</pre>'
        )

    def changes(self) -> Iterator[tuple[Change, str]]:
        """Yield the stretches in order; of a replacement what was taken out comes first."""
        old, new = _WORDS.findall(self.before), _WORDS.findall(self.after)
        if len(old) > LONGEST or len(new) > LONGEST:
            old, new = self.before.splitlines(keepends=True), self.after.splitlines(keepends=True)
        matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
        for kind, start, end, new_start, new_end in matcher.get_opcodes():
            if kind == "equal":
                yield "same", "".join(old[start:end])
                continue
            if end > start:
                yield "out", "".join(old[start:end])
            if new_end > new_start:
                yield "in", "".join(new[new_start:new_end])
