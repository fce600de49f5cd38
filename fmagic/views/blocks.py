"""The plain blocks, and those that hold others."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from fmagic.views.text import (
    COLOURS,
    LINE,
    LONGEST_CAPTION,
    NO_MATH,
    Tone,
    cell,
    escaped,
    stripped,
    tone_style,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

LONGEST_VALUE = 2000
LONGEST_NAME = 40
LONGEST_LABEL = 80


class Block(Protocol):
    """What can be shown."""

    def plain(self) -> str:
        """Return it as text for a terminal, without a line feed at the end."""

    def html(self) -> str:
        """Return it as one HTML element without script or outside reference."""


def bundle(block: Block) -> dict[str, str]:
    """Return the display bundle of a block: `text/plain` and `text/html`."""
    return {"text/plain": block.plain(), "text/html": block.html()}


@dataclass(frozen=True, slots=True)
class Text:
    """A text with its line breaks, wrapped where it is too wide; with `mono` in fixed width."""

    text: str
    tone: Tone = "normal"
    mono: bool = False

    def plain(self) -> str:
        """Return the text without control characters."""
        return stripped(self.text)

    def html(self) -> str:
        """Return a `div`, or a `pre` in fixed width."""
        style = f"white-space:pre-wrap;overflow-wrap:break-word;{tone_style(self.tone)}"
        if self.mono:
            return f'<pre {NO_MATH} dir="auto" style="margin:0;font-family:monospace;{style}">{escaped(self.text)}</pre>'
        # Line breaks as elements outlast a front end that takes the styles away.
        lines = escaped(self.text).replace("\n", "<br>")
        return f'<div {NO_MATH} dir="auto" style="{style}">{lines}</div>'


@dataclass(frozen=True, slots=True)
class KeyValue:
    """Names and values, a pair a line."""

    pairs: Sequence[tuple[str, object]]

    def plain(self) -> str:
        """Return lines with the values in one column."""
        shown = [
            (stripped(cell(name, LONGEST_NAME)), stripped(_value(value)))
            for name, value in self.pairs
        ]
        width = max((len(name) for name, _ in shown), default=0)
        # The lines of a longer value stay in the column of values.
        turn = "\n" + " " * (width + 2)
        return "\n".join(
            f"{name:<{width}}  {value.replace(chr(10), turn)}".rstrip() for name, value in shown
        )

    def html(self) -> str:
        """Return a table of two columns."""
        base = "text-align:left;vertical-align:top;border:none;background-color:transparent;"
        rows = "".join(
            '<tr style="background-color:transparent">'
            f'<td style="{base}padding:1px 16px 1px 0;opacity:0.7;white-space:nowrap">'
            f"{escaped(cell(name, LONGEST_NAME))}</td>"
            f'<td style="{base}padding:1px 0;white-space:pre-wrap;overflow-wrap:break-word">'
            f"{escaped(_value(value))}</td></tr>"
            for name, value in self.pairs
        )
        return (
            f'<table {NO_MATH} style="margin:0;border:none;border-collapse:collapse;'
            f'table-layout:auto;font-size:100%"><tbody>{rows}</tbody></table>'
        )


@dataclass(frozen=True, slots=True)
class Chips:
    """Small labels with their values, in one line."""

    items: Sequence[tuple[str, str]]

    def plain(self) -> str:
        """Return `label: value` pairs in one line."""
        return " · ".join(
            f"{stripped(cell(label, LONGEST_LABEL))}: {stripped(cell(value, LONGEST_LABEL))}"
            if label
            else stripped(cell(value, LONGEST_LABEL))
            for label, value in self.items
        )

    def html(self) -> str:
        """Return a `div` of framed labels."""
        style = (
            "display:inline-block;margin:2px 6px 2px 0;padding:0 8px;"
            f"border:1px solid {LINE};border-radius:10px;font-size:90%"
        )
        chips = " ".join(
            f'<span style="{style}">{_label(label)}<b>{escaped(cell(value, LONGEST_LABEL))}</b></span>'
            for label, value in self.items
        )
        return f'<div {NO_MATH} style="margin:2px 0">{chips}</div>'


@dataclass(frozen=True, slots=True)
class Fold:
    """A block behind a line that opens it."""

    summary: str
    body: Block
    open: bool = False

    def plain(self) -> str:
        """Return the line and, indented, the block: text cannot be opened."""
        return _headed(self.summary, self.body.plain())

    def html(self) -> str:
        """Return a `details` element."""
        return (
            f'<details {NO_MATH}{" open" if self.open else ""} style="margin:2px 0">'
            f'<summary style="cursor:pointer;opacity:0.8">{escaped(cell(self.summary, LONGEST_CAPTION))}</summary>'
            f'<div style="padding:4px 0 4px 14px">{self.body.html()}</div></details>'
        )


@dataclass(frozen=True, slots=True)
class Stack:
    """Blocks one under the other."""

    blocks: Sequence[Block]

    def plain(self) -> str:
        """Return the blocks on lines of their own; empty ones leave no line."""
        return "\n".join(filter(None, (block.plain() for block in self.blocks)))

    def html(self) -> str:
        """Return a `div` of the blocks."""
        parts = "".join(
            f'<div style="margin:0 0 6px 0">{each.html()}</div>' for each in self.blocks
        )
        return f"<div {NO_MATH}>{parts}</div>"


@dataclass(frozen=True, slots=True)
class Card:
    """Blocks under a title, with the colour of a tone at the left edge.

    Args:
        title: the line above.
        blocks: what is in it.
        tone: of the edge.
        mark: by which a front end finds the card, `data-fmagic`, to put its own in the place.
    """

    title: str
    blocks: Sequence[Block]
    tone: Tone = "normal"
    mark: str = ""

    def plain(self) -> str:
        """Return the title and, indented, the blocks."""
        return _headed(self.title, Stack(self.blocks).plain())

    def html(self) -> str:
        """Return a framed `div`."""
        style = (
            f"border:1px solid {LINE};border-left:4px solid {COLOURS[self.tone]};"
            "border-radius:4px;padding:6px 12px 2px 12px;margin:4px 0"
        )
        mark = f' data-fmagic="{escaped(self.mark)}"' if self.mark else ""
        return (
            f'<div {NO_MATH}{mark} style="{style}"><div style="margin:0 0 6px 0">'
            f"<b>{escaped(cell(self.title, LONGEST_CAPTION))}</b></div>{Stack(self.blocks).html()}</div>"
        )


def _headed(head: str, body: str) -> str:
    line = stripped(cell(head, LONGEST_CAPTION))
    return f"{line}\n{textwrap.indent(body, '  ')}" if body else line


def _label(label: str) -> str:
    if not label:
        return ""
    return f'<span style="opacity:0.7">{escaped(cell(label, LONGEST_LABEL))}</span> '


def _value(value: object) -> str:
    text = cell(value, LONGEST_VALUE) if not isinstance(value, str) else value
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"
