"""What is seen of a model being fetched: one bar, then one line; in plain Python nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fmagic.fetching import Fetching
from fmagic.operations.events import Advanced, Event, Started
from fmagic.views import Progress

if TYPE_CHECKING:
    from fmagic.results import Result
    from fmagic.runs.record import RunRecord


class Seen:
    def __init__(self) -> None:
        self.events: list[Event] = []
        self.said: list[str] = []

    def event(self, event: Event) -> None:
        self.events.append(event)

    def finish(self, result: Result) -> None:
        pytest.fail("a fetching makes no result")

    def fail(self, record: RunRecord) -> None:
        pytest.fail("a fetching makes no record")

    def end(self, said: str) -> None:
        self.said.append(said)


def test_what_was_here_counts_as_done_and_not_as_received() -> None:
    seen = Seen()
    with Fetching("org/x", lambda: seen) as fetching:
        for done in (300_000, 400_000, 1_000_000):
            fetching(done, 1_000_000)
    assert seen.events == [
        Started("Fetching org/x", 1_000_000, "B", 300_000),
        *(Advanced(done) for done in (300_000, 400_000, 1_000_000)),
    ]
    (said,) = seen.said
    assert said.startswith("Fetched org/x: 700 kB in ")
    assert said.endswith("; 300 kB were here already.")


def test_what_broke_off_says_how_far_it_is() -> None:
    seen = Seen()

    def broken() -> None:
        with Fetching("org/x", lambda: seen) as fetching:
            fetching(0, 1000)
            fetching(250, 1000)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken()
    assert seen.said == ["Of org/x, 250 B of 1.0 kB are on this disk."]


def test_nothing_is_seen_where_nothing_is_fetched() -> None:
    with Fetching("org/x", lambda: pytest.fail("nothing is to be seen")) as fetching:
        fetching(10, 10)
    with Fetching("org/x", lambda: pytest.fail("nothing is to be seen")):
        pass


def test_bytes_are_shown_as_sizes_and_the_rate_is_of_new_ones() -> None:
    bar = Progress(
        1_200_000, 2_400_000, label="Fetching org/x", unit="B", first=200_000, seconds=2.0
    )
    assert bar.plain() == (
        "Fetching org/x [##########          ] 50% 1.2 MB of 2.4 MB, 500 kB/s, 2.4 s left"
    )
    assert "1.2 MB of 2.4 MB" in bar.html()
    resumed = Progress(200_000, None, label="x", unit="B", first=200_000, seconds=2.0)
    assert resumed.plain() == "x 200 kB"
