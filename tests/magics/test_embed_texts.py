from __future__ import annotations

import pytest

from fmagic.magics.embed import texts_in


@pytest.mark.parametrize(
    ("body", "texts"),
    [
        ("one\ntwo\n", ["one", "two"]),
        ("one\nmore\n\ntwo\n", ["one\nmore", "two"]),
        ("\n\none\n\n\ntwo\n\n", ["one", "two"]),
        ("  one  \n", ["  one"]),
    ],
)
def test_lines_or_paragraphs(body: str, texts: list[str]) -> None:
    assert texts_in(body) == texts
