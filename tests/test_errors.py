from __future__ import annotations

import pytest

from fmagic import errors
from fmagic.errors import FmagicError, Interrupted, did_you_mean


def test_every_error_is_in_one_tree() -> None:
    found = [
        each
        for each in vars(errors).values()
        if isinstance(each, type)
        and issubclass(each, Exception)
        and each.__module__ == "fmagic.errors"
    ]
    assert len(found) > 10
    warnings = [each for each in found if issubclass(each, Warning)]
    assert warnings == [errors.FmagicWarning]
    assert all(issubclass(each, FmagicError) for each in found if each not in warnings)


def test_a_notebook_shows_the_message_alone() -> None:
    error = errors.DataError("no such column")
    assert error._render_traceback_() == ["DataError: no such column"]


def test_an_interrupt_carries_what_was_done() -> None:
    assert Interrupted("stopped", result=[1]).result == [1]
    assert Interrupted("stopped").result is None


@pytest.mark.parametrize(
    ("word", "options", "expected"),
    [
        ("txt", ["text", "label"], " Did you mean 'text'?"),
        ("TEXT", ["Text"], " Did you mean 'Text'?"),
        ("zzz", ["text"], ""),
        ("", ["text"], ""),
        ("text", [], ""),
    ],
)
def test_the_near_names_are_told(word: str, options: list[str], expected: str) -> None:
    assert did_you_mean(word, options) == expected


def test_names_that_differ_in_case_alone_are_told_both() -> None:
    assert did_you_mean("tex", ["text", "Text"]).count("ext'") == 2
