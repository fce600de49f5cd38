"""The picker's state: what is shown, picked and loaded; no browser, no widgets."""

from __future__ import annotations

import dataclasses
import threading
from typing import TYPE_CHECKING

import pytest

from fmagic.errors import ModelNotFoundError, OfflineError
from fmagic.models.choices import Wanted
from fmagic.operations.events import Advanced, Started
from fmagic.picker import CANCELLED, Hub, Picking
from fmagic.session import Session
from fmagic.settings import Fmagic
from tests.models.test_choices import choice

if TYPE_CHECKING:
    from fmagic.drive import Watch
    from fmagic.models.choices import Choice

ALL = [choice(1), dataclasses.replace(choice(9, 7, 5), name="org/other")]
FOUND = dataclasses.replace(choice(2), name="org/found", context=0)
NO_HUB = Hub(lambda _: pytest.fail("the hub was asked"), lambda _: pytest.fail("as above"))


class Asked:
    """Answers a picker, and remembers what it was asked."""

    def __init__(self, found: list[Choice] | None = None) -> None:
        self.wanted: list[Wanted] = []
        self.loaded: list[tuple[str, str]] = []
        self.found = ALL if found is None else found
        self.error: BaseException | None = None

    def search(self, wanted: Wanted) -> list[Choice]:
        self.wanted.append(wanted)
        return self.found

    def load(self, name: str, method: str, watch: Watch) -> None:
        self.loaded.append((name, method))
        watch.event(Started("Fetching", 100, "B", 20))
        watch.event(Advanced(100))
        watch.end("Fetched org/model: 80 B.")
        if self.error is not None:
            raise self.error


def test_filters_ask_anew() -> None:
    asked = Asked()
    state = Picking(asked.search, asked.load, NO_HUB)
    assert asked.wanted == [Wanted(fits=True)]
    state.query, state.task, state.license = " qwen ", "embedding", "open"
    state.max_size, state.fits = "3B", False
    assert asked.wanted[-1] == Wanted("qwen", "embedding", "open", False, False, "3B")


def test_what_is_no_longer_shown_is_no_longer_picked() -> None:
    asked = Asked()
    state = Picking(asked.search, asked.load, NO_HUB)
    state.name = "org/model"
    assert state.picked is ALL[0]
    asked.found = []
    state.query = "else"
    assert state.name == ""
    assert not state.can_load
    state.load()
    assert asked.loaded == []


def test_loading_leaves_the_line_that_does_the_same() -> None:
    asked = Asked()
    state = Picking(asked.search, asked.load, NO_HUB)
    state.name = "org/model"
    assert state.magic == "%model org/model"
    state.method = "nf4"
    state.load()
    state.wait(30)
    assert asked.loaded == [("org/model", "nf4")]
    assert (state.phase, state.line) == ("loaded", "%model org/model --quant nf4")
    assert (state.done, state.total) == (100, 100)


@pytest.mark.parametrize("error", [ModelNotFoundError("There is no such model."), ValueError("x")])
def test_a_failure_is_told_and_the_next_try_works(error: Exception) -> None:
    asked = Asked()
    asked.error = error
    state = Picking(asked.search, asked.load, NO_HUB)
    state.name = "org/model"
    state.load()
    state.wait(30)
    assert state.phase == "failed"
    assert str(error) in state.message
    assert state.line == ""
    asked.error = None
    state.load()
    state.wait(30)
    assert state.phase == "loaded"


def test_cancel_ends_a_download_at_its_next_step() -> None:
    begun, cancelled = threading.Event(), threading.Event()

    def load(_: str, __: str, watch: Watch) -> None:
        watch.event(Started("Fetching", 100, "B"))
        begun.set()
        assert cancelled.wait(30)
        watch.event(Advanced(50))
        pytest.fail("it went on")

    state = Picking(Asked().search, load, NO_HUB)
    state.name = "org/model"
    state.load()
    assert begun.wait(30)
    assert not state.can_load
    state.cancel()
    cancelled.set()
    state.wait(30)
    assert (state.phase, state.message) == ("failed", CANCELLED)
    assert state.can_load


def test_the_hub_is_searched_on_demand_and_what_is_picked_there_is_measured() -> None:
    asked: list[Wanted] = []
    measured = dataclasses.replace(FOUND, context=512, tunings={"lora": FOUND.fits["none"]})

    def search(wanted: Wanted) -> list[Choice]:
        asked.append(wanted)
        return [dataclasses.replace(FOUND, name="Org/Model"), FOUND]  # the first is here too

    state = Picking(Asked().search, Asked().load, Hub(search, lambda _: measured))
    state.query = "found"
    assert asked == []
    state.on_hub = True
    state.wait(30)
    assert asked == [Wanted("found", fits=True)]
    assert (state.found, state.hub_said) == ([*ALL, FOUND], "")
    state.name = "org/found"
    state.wait(30)
    assert state.picked is measured
    assert state.can_load
    state.query = ""
    assert state.found == ALL
    assert "Write a part of a name" in state.hub_said
    assert len(asked) == 1


def test_a_hub_that_does_not_answer_is_told_and_the_list_stays() -> None:
    def search(_: Wanted) -> list[Choice]:
        raise OfflineError("The hub cannot be asked.")

    state = Picking(Asked().search, Asked().load, Hub(search, lambda each: each))
    state.on_hub = True
    state.query = "found"
    state.wait(30)
    assert (state.found, state.hub_said) == (ALL, "The hub cannot be asked.")


def test_what_was_chosen_stays_while_the_hub_is_asked() -> None:
    from fmagic.widgets.picker import Picker

    asked, measure = threading.Event(), threading.Event()
    measured = dataclasses.replace(choice(2, 1, 1), name="org/found")

    def wait(_: Choice) -> Choice:
        asked.set()
        assert measure.wait(30)
        return measured

    state = Picking(Asked().search, Asked().load, Hub(lambda _: [FOUND], wait))
    view = Picker(state)
    state.query, state.on_hub = "found", True
    state.wait(30)
    state.name = "org/found"
    assert asked.wait(30)
    assert state.hub_said == "Reading the sizes of org/found …"
    view._method.value = "none"
    measure.set()
    state.wait(30)
    assert state.picked is measured
    assert (state.method, view._method.value) == ("none", "none")
    state.max_size = "3B"  # the model passes, so it stays picked
    assert (state.name, state.method) == ("org/found", "none")
    state.wait(30)
    assert state.picked is measured


def test_a_late_answer_of_the_hub_does_not_count() -> None:
    begun, later = threading.Event(), threading.Event()

    def search(wanted: Wanted) -> list[Choice]:
        if wanted.query == "slow":
            begun.set()
            assert later.wait(30)
        return [FOUND] if wanted.query == "slow" else []

    state = Picking(Asked().search, Asked().load, Hub(search, lambda each: each))
    state.on_hub = True
    state.query = "slow"
    (slow,) = state._askers
    assert begun.wait(30)
    state.query = "else"
    later.set()
    slow.join(30)
    state.wait(30)
    assert state.found == ALL
    assert state.hub_said == "The hub finds nothing more for 'else'."


def test_the_view_follows_the_state() -> None:
    from fmagic.widgets.picker import Picker

    asked = Asked()
    state = Picking(asked.search, asked.load, NO_HUB)
    view = Picker(state)
    assert len(view._box.children) == 2
    assert view._load.disabled
    state.name = "org/model"
    assert not view._load.disabled
    assert "mit (open)" in view._about.value
    state.method = "none"
    assert view._method.value == "none"
    view._method.value = "auto"
    assert state.method == "auto"
    view._load.click()
    state.wait(30)
    assert "is loaded and current" in view._said.value
    assert "%model org/model" in view._line()["text/plain"]
    asked.found = []
    state.query = "else"
    assert view._box.children == ()
    assert "No model is like that" in view._more.value
    state.hub_said = "Searching"
    assert "Widen the filters. Searching" in view._more.value


def test_the_view_tells_rate_and_time_left_and_what_comes_after() -> None:
    from fmagic.widgets.picker import Picker

    said = []

    def load(_: str, __: str, watch: Watch) -> None:
        watch.event(Started("Fetching", 4_000_000, "B", 1_000_000))
        for done in (2_000_000, 4_000_000):
            watch._begun -= 2.0  # type: ignore[attr-defined]  # two seconds go by
            watch.event(Advanced(done))
            said.append(view._said.value)

    state = Picking(Asked().search, load, NO_HUB)
    view = Picker(state)
    state.name = "org/model"
    state.load()
    state.wait(30)
    assert "2.0 MB of 4.0 MB" in said[0].replace("2 MB", "2.0 MB").replace("4 MB", "4.0 MB")
    assert "/s" in said[0]
    assert "left" in said[0]
    assert "Reading the weights" in said[1]


def test_a_row_never_stands_for_another_model() -> None:
    from fmagic.widgets.picker import Picker

    asked = Asked()
    state = Picking(asked.search, asked.load, NO_HUB)
    view = Picker(state)
    second = view._box.children[1]
    asked.found = [ALL[1]]
    state.query = "other"
    assert view._box.children == (second,)
    second.children[0].click()
    assert state.name == "org/other"


def test_hostile_names_are_escaped() -> None:
    from fmagic.widgets.picker import Picker

    bad = dataclasses.replace(ALL[0], name="<script>x</script>", good_at="<img src=x>")
    state = Picking(Asked([bad]).search, Asked().load, NO_HUB)
    view = Picker(state)
    state.name = bad.name
    assert "<script>" not in view._about.value
    assert "<img" not in view._about.value


def test_outside_a_notebook_the_picker_says_what_to_do_instead() -> None:
    from fmagic.errors import OptionError

    with pytest.raises(OptionError, match="%models"):
        Session(Fmagic(device="cpu")).pick()
