"""Stop from another thread ends one operation: neither what came before it nor what comes after."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from fmagic.operations.events import Advanced
from fmagic.session import Session
from fmagic.settings import Fmagic
from fmagic.stopping import Stops

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from fmagic.operations.events import Event

ROWS = [{"text": f"row {number}"} for number in range(50)]


@pytest.fixture
def session(tmp_path: Path) -> Session:
    session = Session(Fmagic(journal_dir=str(tmp_path / "journal"), device="cpu"))
    session.load("tiny")
    return session


@contextmanager
def ctrl_c(handler: object) -> Iterator[None]:
    before = signal.signal(signal.SIGINT, handler)  # type: ignore[arg-type]  # typeshed has no name for what it takes
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def test_it_strikes_in_the_middle() -> None:
    stops = Stops()
    inside, seen = threading.Event(), []

    def other() -> None:
        inside.wait()
        seen.append(stops.stop("a"))

    thread = threading.Thread(target=other)
    thread.start()
    forever = threading.Event()
    with (  # noqa: PT012 - the block is what is struck
        ctrl_c(signal.default_int_handler),
        pytest.raises(KeyboardInterrupt),
        stops.work("a", "prompt", None),
    ):
        inside.set()
        while not forever.is_set():
            pass
    thread.join()
    assert seen == [True]
    assert not stops.going


def test_what_has_ended_cannot_be_stopped() -> None:
    stops = Stops()
    with ctrl_c(signal.default_int_handler):
        with stops.work("a", "prompt", None):
            assert not stops.stop("b")
        assert not stops.stop("a")


def test_a_stop_that_comes_too_late_strikes_nothing() -> None:
    stops = Stops()
    with ctrl_c(signal.default_int_handler):
        for _ in range(200):
            thread = threading.Thread(target=lambda: stops.stop("a"))
            try:
                with stops.work("a", "prompt", None):
                    thread.start()
            except KeyboardInterrupt:
                pass
            # Out here nothing may strike, however the two threads met.
            thread.join()
            assert not stops.going


def test_a_second_stop_does_not_break_the_tidying_up() -> None:
    stops = Stops()
    tidied = False
    with ctrl_c(signal.default_int_handler), stops.work("a", "prompt", None):
        try:
            stops.stop("a")
        except KeyboardInterrupt:
            stops.stop("a")
            tidied = True
    assert tidied


def test_between_events_where_ctrl_c_does_not_raise(session: Session) -> None:
    """As in a cell with a bare `await`, or in a thread of the user's."""

    def operation() -> Generator[Event, None, str]:
        for step in range(1000):
            try:
                yield Advanced(step)
            except KeyboardInterrupt:
                return f"stopped at {step}"
            if step == 3:
                session.stops.stop(active.record.id)
        return "never stopped"

    from fmagic.drive import Unwatched, drive

    active = session.log.begin("prompt")
    work = session.stops.work(active.record.id, "prompt", None)
    with ctrl_c(lambda *_: None), work:
        done, _ = drive(operation(), active, Unwatched(), work)
    assert done == "stopped at 4"


def test_an_interrupt_that_is_lost_is_raised_again(session: Session) -> None:
    active = session.log.begin("prompt")
    lost = []

    def operation() -> Generator[Event, None, str]:
        try:
            session.stops.stop(active.record.id)
        except KeyboardInterrupt:  # as Python does around a finalizer
            lost.append(1)
        while True:
            try:
                yield Advanced(1)
            except KeyboardInterrupt:
                return "stopped"

    from fmagic.drive import Unwatched, drive

    work = session.stops.work(active.record.id, "prompt", None)
    with ctrl_c(signal.default_int_handler), work:
        done, _ = drive(operation(), active, Unwatched(), work)
    assert (done, lost) == ("stopped", [1])


def test_in_a_thread_of_the_users(session: Session) -> None:
    from fmagic.errors import Interrupted

    caught: list[Interrupted] = []

    def work() -> None:
        try:
            session.prompt("{{ text }}", data=ROWS * 20, max_tokens=50)
        except Interrupted as stopped:
            caught.append(stopped)

    thread = threading.Thread(target=work)
    thread.start()
    while not session.stops.going:
        thread.join(0.01)
        assert thread.is_alive()
    assert session.stops.stop(next(iter(session.stops.going)))
    thread.join()
    assert caught[0].result.run.status == "interrupted"
    assert len(caught[0].result) == len(ROWS) * 20
