from __future__ import annotations

import traceback
import weakref

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


def test_emptied_frames_hold_nothing_and_the_stack_is_there() -> None:
    def fail() -> None:
        held = Held()
        alive.append(weakref.ref(held))
        raise ValueError

    def translate() -> None:
        try:
            fail()
        except ValueError as error:
            raise errors.ModelError("in words") from error

    class Held: ...

    alive: list[weakref.ref[Held]] = []
    with pytest.raises(errors.ModelError) as caught:
        translate()
    assert alive[0]() is not None
    errors.empty_frames(caught.value)
    assert alive[0]() is None
    cause = caught.value.__cause__
    assert isinstance(cause, ValueError)
    stack = traceback.extract_tb(cause.__traceback__)
    assert [each.name for each in stack] == ["translate", "fail"]


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
