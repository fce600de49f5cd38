from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fmagic.models.detokenize import Detokenizer

if TYPE_CHECKING:
    from collections.abc import Sequence


class Bytes:
    """A tokenizer whose tokens are bytes."""

    def decode(self, ids: Sequence[int], *, skip_special_tokens: bool) -> str:
        assert skip_special_tokens
        return bytes(ids).decode("utf-8", errors="replace")


def pieces(text: str, stop: Sequence[str] = ()) -> tuple[list[str], Detokenizer]:
    detokenizer = Detokenizer(Bytes(), stop)
    out = []
    for token in text.encode():
        out.append(detokenizer.push(token))
        if detokenizer.stopped:
            return out, detokenizer
    out.append(detokenizer.close())
    return out, detokenizer


@pytest.mark.parametrize("text", ["plain", "naïve café", "日本語", "a👩‍👩‍👧b", ""])
def test_pieces_are_whole_characters_and_join_to_the_text(text: str) -> None:
    out, detokenizer = pieces(text)
    assert "".join(out) == text == detokenizer.text
    assert not any("\N{REPLACEMENT CHARACTER}" in piece for piece in out)


def test_bytes_that_are_no_text_do_not_hold_everything_back() -> None:
    detokenizer = Detokenizer(Bytes())
    out = [detokenizer.push(0xFF) for _ in range(20)]
    assert "".join(out)


def test_a_stop_string_over_several_tokens_is_never_let_out() -> None:
    out, detokenizer = pieces("one END two", stop=["END"])
    assert detokenizer.stopped
    assert "".join(out) == "one "
    assert not any("E" in piece for piece in out)


def test_what_only_began_like_a_stop_string_comes_out() -> None:
    out, detokenizer = pieces("one EN", stop=["END"])
    assert not detokenizer.stopped
    assert "".join(out) == "one EN"


def test_the_earliest_of_several_stop_strings_counts() -> None:
    _, detokenizer = pieces("a;b,c", stop=[",", ";"])
    assert detokenizer.text == "a"
