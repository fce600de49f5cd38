from __future__ import annotations

import pytest

from fmagic.views import Words


@pytest.mark.parametrize(
    ("before", "after", "plain"),
    [
        ("", "", ""),
        ("same text", "same text", "same text"),
        ("a red fox", "a grey fox", "a [-red-]{+grey+} fox"),
        ("one", "one two", "one{+ two+}"),
        ("good?\n", "good!\n", "good[-?-]{+!+}\n"),
        ("", "new", "{+new+}"),
    ],
)
def test_changes_are_marked_word_by_word(before: str, after: str, plain: str) -> None:
    assert Words(before, after).plain() == plain


def test_html_marks_and_escapes() -> None:
    html = Words("<b>one</b>", "<b>two</b>").html()
    assert "<b>" not in html
    assert ">one</del>" in html
    assert ">two</ins>" in html


def test_both_texts_can_be_had_back_even_when_long() -> None:
    before = "\n".join(f"line {i} of many" for i in range(3_000))
    after = before.replace("line 7 of", "line seven of")
    changes = list(Words(before, after).changes())
    assert "".join(text for change, text in changes if change != "in") == before
    assert "".join(text for change, text in changes if change != "out") == after
    assert len(changes) == 4
