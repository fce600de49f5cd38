"""Server-sent events: bytes as they come off the line to the data of each event.

The event stream format of the HTML standard (section 9.2.6), of which only data matters here. A
line ends at CR, LF or both and nowhere else: JSON may hold U+2028 or U+0085 as they are.
"""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING

from fmagic.errors import ServerError

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_CHARACTERS = 16 * 2**20  # of one event
LINE = re.compile(r"\r\n|\n|\r")


class EventStream:
    """Takes a stream in pieces, cut anywhere, and gives the data of its events.

    Bytes that are no UTF-8 become U+FFFD, as the standard wants it.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")("replace")
        self._rest: list[str] = []
        self._data: list[str] = []
        self._size = 0

    def feed(self, piece: bytes) -> Iterator[str]:
        """Yield the data of each event that this piece ends.

        Raises:
            ServerError: an event without an end.
        """
        text = self._decoder.decode(piece)
        # A CR that ends the piece may be half of a line's end.
        held = text.endswith("\r")
        if self._rest and self._rest[-1] == "\r":
            self._rest.pop()
            text = "\r" + text
        lines = LINE.split(text.removesuffix("\r") if held else text)
        self._size += len(text)
        if self._size > MOST_CHARACTERS:
            raise ServerError("The server sends an event without an end.")
        for end in lines[:-1]:
            line = "".join(self._rest) + end
            self._rest = []
            if line:
                self._take(line)
            elif self._data:
                yield "\n".join(self._data)
                self._data, self._size = [], 0
            else:
                self._size = 0
        if lines[-1]:
            self._rest.append(lines[-1])
        if held:
            self._rest.append("\r")

    def _take(self, line: str) -> None:
        name, _, value = line.partition(":")
        if name == "data":
            self._data.append(value.removeprefix(" "))
