"""Hostile text made safe, and the few styles that every block shares."""

from __future__ import annotations

import html
import re
from numbers import Integral, Real
from typing import Literal

from fmagic.views.formats import number

Tone = Literal["normal", "muted", "good", "bad"]

# Middle tones, which stand out on white and on black alike. JupyterLab's sanitizer drops
# `currentColor` and `var(...)`; what is not named here inherits.
COLOURS: dict[Tone, str] = {
    "normal": "#4285f4",
    "muted": "#8c8c8c",
    "good": "#2e9e5b",
    "bad": "#e0483e",
}
LINE = "rgba(128,128,128,0.35)"
SHADE = "rgba(128,128,128,0.12)"
# MathJax would take two dollar signs in a text for a formula.
NO_MATH = 'class="tex2jax_ignore mathjax_ignore"'

# A page stays quick, and a notebook small. The whole text is in the result.
LONGEST = 100_000
LONGEST_CAPTION = 200

_ANSI = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]"  # control sequences: colours, cursor
    r"|\][^\x07\x1b]*(?:\x07|\x1b\\)?"  # operating system commands: titles, links
    r"|[PX^_][^\x1b]*(?:\x1b\\)?"  # strings to devices
    r"|[ -/]*[0-~])?"
    r"|\x9b[0-?]*[ -/]*[@-~]"
)
# Control characters but tab and line feed; marks that turn the direction of what follows; what
# XML cannot hold.
_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufff9-\ufffb\ud800-\udfff\ufffe\uffff]"
)
_RUN_OF_SPACE = re.compile(r"\s+")


def stripped(text: object) -> str:
    """Return a text for a terminal: no ANSI sequences, no control characters.

    Lone surrogates, which cannot be written as UTF-8, become the replacement character.
    """
    bare = _ANSI.sub("", _with_line_feeds(_shortened(str(text))))
    return _CONTROL.sub(lambda match: "\ufffd" if match[0] >= "\ud800" else "", bare)


def escaped(text: object) -> str:
    """Return a text for HTML: markup escaped, control characters made visible."""
    return html.escape(_CONTROL.sub(_picture, _with_line_feeds(_shortened(str(text)))))


def cut(text: str, most: int) -> str:
    """Return a text of at most `most` characters, with `…` where it was cut."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def cell(value: object, most: int) -> str:
    """Return a value as one line of at most `most` characters."""
    if value is None or (isinstance(value, Real) and not isinstance(value, Integral)):
        return number(value)
    text = str(value)
    # Long texts are cut first: white space in what nobody sees need not be looked at.
    line = _RUN_OF_SPACE.sub(" ", text[: 4 * most]).strip()
    return cut(f"{line}…" if len(text) > 4 * most else line, most)


def tone_style(tone: Tone) -> str:
    """Return the style of a text in a tone; an ordinary one inherits."""
    if tone == "normal":
        return ""
    return "opacity:0.7;" if tone == "muted" else f"color:{COLOURS[tone]};"


def _with_line_feeds(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _picture(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x20:  # noqa: PLR2004 - Unicode has pictures of these
        return chr(0x2400 + code)
    return "\u2421" if code == 0x7F else f"\\u{code:04x}"  # noqa: PLR2004 - delete


def _shortened(text: str) -> str:
    more = len(text) - LONGEST
    return text if more <= 0 else f"{text[:LONGEST]}… ({more:,} more characters)"
