"""Tokens to text while they come, ending at stop strings.

A token may hold part of a character, and whether a token starts with a space can depend on the one
before it. So a window of tokens is decoded twice, with and without the newest, and the difference
is let out once it is whole characters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

BROKEN = "\N{REPLACEMENT CHARACTER}"
# Longest run of tokens held back because the last character is broken: then it is the model's own.
LONGEST_CHARACTER = 8


class Detokenizer:
    """The text of one answer, growing token by token.

    Args:
        tokenizer: of the model; special tokens are left out of the text.
        stop: strings at which the text ends.
    """

    def __init__(self, tokenizer: Any, stop: Sequence[str] = ()) -> None:
        self._tokenizer = tokenizer
        self._stop = tuple(text for text in stop if text)
        self._ids: list[int] = []
        self._window = 0  # first token of the decoded window
        self._read = 0  # tokens whose text is out
        self._held = ""  # text that may be the beginning of a stop string
        self._out: list[str] = []
        self.stopped = False

    def push(self, token: int) -> str:
        """Take one token and return the text that is certain now, often empty."""
        self._ids.append(token)
        before = self._decode(self._ids[self._window : self._read])
        now = self._decode(self._ids[self._window :])
        unfinished = now.endswith(BROKEN) and len(self._ids) - self._read < LONGEST_CHARACTER
        if len(now) <= len(before) or unfinished:
            return ""
        self._window, self._read = self._read, len(self._ids)
        return self._release(now[len(before) :])

    def close(self) -> str:
        """Return what was still held back; nothing is pushed afterwards."""
        if self.stopped:
            return ""
        before = self._decode(self._ids[self._window : self._read])
        rest = self._held + self._decode(self._ids[self._window :])[len(before) :]
        self._held = ""
        self._read = len(self._ids)
        for stop in self._stop:
            rest, found, _ = rest.partition(stop)
            self.stopped = self.stopped or bool(found)
        self._out.append(rest)
        return rest

    @property
    def text(self) -> str:
        """The text let out so far."""
        return "".join(self._out)

    def _decode(self, ids: Sequence[int]) -> str:
        text: str = self._tokenizer.decode(ids, skip_special_tokens=True)
        return text

    def _release(self, new: str) -> str:
        text = self._held + new
        self._held = ""
        ends = [place for stop in self._stop if (place := text.find(stop)) >= 0]
        if ends:
            self.stopped = True
            text = text[: min(ends)]
        else:
            held = max((_overlap(text, stop) for stop in self._stop), default=0)
            if held:
                text, self._held = text[:-held], text[-held:]
        if text:
            self._out.append(text)
        return text


def _overlap(text: str, stop: str) -> int:
    """Return how many characters at the end of `text` begin `stop`."""
    for size in range(min(len(text), len(stop) - 1), 0, -1):
        if stop.startswith(text[-size:]):
            return size
    return 0
