from __future__ import annotations

import json

import pytest

from fmagic.errors import ServerError
from fmagic.models.remote import sse
from fmagic.models.remote.sse import EventStream

STREAM = (
    "\ufeff: a comment\r\ndata: one\r\n\r\n"
    "event: ping\nid: 7\ndata:two\n\n"
    "data: a\ndata:  b\ndata\n\n\n"
    "data: é\u2028\u0085\x0b🦊\r\r"
    "data: cut off"
).encode()
EVENTS = ["one", "two", "a\n b\n", "é\u2028\u0085\x0b🦊"]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 1000])
def test_wherever_the_stream_is_cut(size: int) -> None:
    stream = EventStream()
    found = [
        data
        for start in range(0, len(STREAM), size)
        for data in stream.feed(STREAM[start : start + size])
    ]
    assert found == EVENTS


def test_bytes_that_are_no_text() -> None:
    [data] = EventStream().feed(b'data: {"a": "\xff\xfe"}\n\n')
    assert json.loads(data) == {"a": "\ufffd\ufffd"}


def test_an_event_without_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MOST_CHARACTERS", 1000)
    stream = EventStream()
    for _ in range(100):  # long streams of short events are well
        assert list(stream.feed(b"data: " + b"x" * 50 + b"\n\n"))
    with pytest.raises(ServerError, match="without an end"):
        list(stream.feed(b"data: " + b"x" * 5000))
