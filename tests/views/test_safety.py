"""Hostile text in every place of every block; and only HTML that sanitizers leave alone."""

from __future__ import annotations

import base64
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from fmagic.views import (
    Card,
    Chips,
    Curve,
    Fold,
    Gauge,
    KeyValue,
    Progress,
    Stack,
    Table,
    Text,
    bundle,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from fmagic.views import Block

HOSTILE = {
    "script": "<script>alert(1)</script>",
    "handler": "<img src=x onerror=alert(1)>",
    "attribute": '" onmouseover="alert(1)" x=\'',
    "style": '"></div><style>*{display:none}</style>',
    "link": '<a href="javascript:alert(1)">click</a>',
    "comment": "<!-- --><![CDATA[ ]]>",
    "entity": "&lt;script&gt; &#60; &amp;",
    "ansi": "\x1b[31mred\x1b[0m \x1b]8;;http://evil\x07link\x1b]8;;\x07 \x9b1m \x1bPq\x1b\\",
    "control": "a\x00b\x08c\x7fd\x85e\rf\x0cg",
    "surrogate": "a\ud800b\udfffc",
    "override": "user\u202enimda\u202c \u2066x\u2069",
    "nonchar": "\ufffe\uffff",
    "closing": "</td></tr></table></details></summary></pre>",
    "math": "$x$ \\(y\\) $$z$$",
    "empty": "",
    "line feeds": "a\n\n b\r\nc",
    "long": "<b>word\u202e " * 120_000,
}

BLOCKS: dict[str, Callable[[str], Block]] = {
    "text": Text,
    "text mono": lambda text: Text(text, tone="bad", mono=True),
    "key": lambda text: KeyValue([(text, 1)]),
    "value": lambda text: KeyValue([("a", text), ("b", [text])]),
    "column": lambda text: Table([text, "b"], [[1, 2]]),
    "cell": lambda text: Table(["a"], [[text], [{"x": text}]], caption=text),
    "curve": lambda text: Curve(
        {text: [(0, 1.0), (1, 2.0)]}, x_label=text, y_label=text, caption=text
    ),
    "no curve": lambda text: Curve({text: []}, x_label=text, y_label=text, caption=text),
    "gauge": lambda text: Gauge(0.5, text),
    "progress": lambda text: Progress(1, 4, label=text, unit=text, seconds=1.0),
    "chips": lambda text: Chips([(text, text), ("", text)]),
    "fold": lambda text: Fold(text, Text(text)),
    "stack": lambda text: Stack([Text(text), Text(text)]),
    "card": lambda text: Card(text, [Text(text)], tone="good"),
}

# What JupyterLab 4 lets through in a notebook that is not trusted; no colour names, no `var()`.
LENGTH = r"-?\d+(\.\d+)?(px|%)?|auto"
COLOUR = r"#[0-9a-f]{6}|rgba\(\d+,\d+,\d+,[\d.]+\)|transparent"
STYLES = {
    "background-color": COLOUR,
    "border": rf"none|(\d+px solid ({COLOUR}))",
    "border-bottom": rf"\d+px solid ({COLOUR})",
    "border-collapse": "collapse",
    "border-left": rf"\d+px solid ({COLOUR})",
    "border-radius": LENGTH,
    "color": COLOUR,
    "cursor": "pointer",
    "display": "inline-block",
    "font-family": "monospace",
    "font-size": LENGTH,
    "font-weight": "bold",
    "height": LENGTH,
    "margin": rf"({LENGTH})( ({LENGTH}))*",
    "max-width": LENGTH,
    "min-width": LENGTH,
    "opacity": r"0?\.\d+",
    "overflow-wrap": "break-word",
    "overflow-x": "auto",
    "padding": rf"({LENGTH})( ({LENGTH}))*",
    "table-layout": "auto",
    "text-align": "left|right",
    "vertical-align": "top",
    "white-space": "normal|nowrap|pre-wrap",
    "width": LENGTH,
}
ATTRIBUTES = {
    "*": {"style", "class", "dir"},
    "details": {"open"},
    "img": {"alt", "src", "width"},
    "td": {"align"},
    "th": {"align"},
}
TAGS = {"b", "br", "details", "div", "img", "pre", "span", "summary"} | {
    "table",
    "tbody",
    "td",
    "th",
    "thead",
    "tr",
}
VOID = {"br", "img"}


class Checker(HTMLParser):
    """Reads HTML as a browser does, and refuses what a sanitizer would take away."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.roots = 0
        self.text: list[str] = []
        self.images: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in TAGS, tag
        for name, value in attrs:
            assert name in ATTRIBUTES["*"] | ATTRIBUTES.get(tag, set()), (tag, name)
            if name == "style":
                self.check_style(value or "")
            if name == "src":
                assert (value or "").startswith("data:image/svg+xml;base64,")
                self.images.append((value or "").partition(",")[2])
        self.roots += not self.open
        if tag not in VOID:
            self.open.append(tag)

    def check_style(self, style: str) -> None:
        for rule in filter(None, style.split(";")):
            name, _, value = rule.partition(":")
            assert name in STYLES, name
            assert re.fullmatch(STYLES[name], value), rule

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)

    def handle_decl(self, decl: str) -> None:
        raise AssertionError(decl)

    def unknown_decl(self, data: str) -> None:
        raise AssertionError(data)

    def handle_pi(self, data: str) -> None:
        raise AssertionError(data)


def check(html: str) -> Checker:
    checker = Checker()
    checker.feed(html)
    checker.close()
    assert not checker.open
    assert checker.roots == 1
    return checker


CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_text_stays_text(block: str, kind: str) -> None:
    shown = BLOCKS[block](HOSTILE[kind])
    checker = check(shown.html())
    assert not CONTROL.search("".join(checker.text))
    for image in checker.images:
        drawn = base64.b64decode(image)
        tags = {each.tag.rpartition("}")[2] for each in ET.fromstring(drawn).iter()}
        assert tags <= {"svg", "line", "text", "circle", "polyline"}
    plain = shown.plain()
    assert not CONTROL.search(plain)
    assert not plain.endswith("\n") or block.startswith("text")
    for text in bundle(shown).values():
        text.encode()


@pytest.mark.parametrize("block", BLOCKS)
def test_a_megabyte_makes_a_small_display(block: str) -> None:
    assert len(HOSTILE["long"]) > 1_000_000
    shown = BLOCKS[block](HOSTILE["long"])
    assert len(shown.html()) < 3_000_000
    assert len(shown.plain()) < 300_000


def test_text_is_shown_as_it_is() -> None:
    text = "a < b & \"c\" 'd'\n  e\tf"
    assert "".join(check(Text(text, mono=True).html()).text) == text
    assert Text(text).plain() == text


def test_what_cannot_be_seen_is_made_visible_in_html_and_taken_out_of_plain_text() -> None:
    text = Text("\x1b[31mred\x1b[0m \x07 \u202e \ud800")
    assert "".join(check(text.html()).text) == "␛[31mred␛[0m ␇ \\u202e \\ud800"
    assert text.plain() == "red   \ufffd"


def test_a_cut_text_says_so() -> None:
    text = Text("x" * 150_000)
    assert text.plain().endswith("… (50,000 more characters)")
    assert "(50,000 more characters)" in text.html()


def test_no_block_is_taken_for_a_formula() -> None:
    for make in BLOCKS.values():
        assert re.match(r'<\w+ class="tex2jax_ignore mathjax_ignore"', make("$x$ and $y$").html())
