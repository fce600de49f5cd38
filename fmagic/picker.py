"""The state of the picker: what is shown, what is picked, how far its loading is.

It knows nothing of widgets. Whoever shows it observes its traits; loading runs in a thread of its
own, so that the kernel hears Cancel meanwhile, and so does whatever asks the hub.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from traitlets import Bool, Enum, Float, HasTraits, Int, List, Unicode, observe

from fmagic.errors import FmagicError
from fmagic.models.choices import Choice, Wanted
from fmagic.operations.events import Advanced, Event, Started

if TYPE_CHECKING:
    from collections.abc import Callable

    from fmagic.drive import Watch
    from fmagic.results import Result
    from fmagic.runs.record import RunRecord

AUTO = "auto"
BEST = 10  # models that stand before what the hub finds
T = TypeVar("T")
CANCELLED = "Cancelled. What was fetched is kept; Load goes on from there."


@dataclass(frozen=True, slots=True)
class Hub:
    """What the picker asks the hub.

    Attributes:
        search: returns what the hub's search finds.
        measure: returns a model that it found with what that takes in full.
    """

    search: Callable[[Wanted], list[Choice]]
    measure: Callable[[Choice], Choice]


class Picking(HasTraits):
    """What the picker shows and does.

    Attributes:
        query: part of a name or of what a model is good at.
        task: of the models to show, empty for all.
        license: class of the licences to show, empty for all.
        max_size: of the models to show, such as `3B`; empty for all.
        fits: whether to show only what fits.
        on_hub: whether the hub is searched for the query too.
        hub_said: what became of that.
        found: the models that are shown, best first.
        name: of the model that is picked, empty if none is.
        method: of quantization that is picked.
        phase: `idle`, `loading`, `loaded` or `failed`.
        done: bytes that were fetched.
        first: of these, what was on the disk before.
        seconds: since the fetching began.
        total: bytes to fetch, 0 if nothing is.
        message: what to tell the user.
        line: the magic that does the same as the last loading, empty before it.

    Args:
        search: returns the models that are wanted.
        load: loads a model by its name with a quantization, under somebody's eyes.
        hub: that is searched if the user wishes.
    """

    query = Unicode()
    task = Unicode()
    license = Unicode()
    max_size = Unicode()
    fits = Bool(default_value=True)
    on_hub = Bool(default_value=False)
    hub_said = Unicode()
    found: List[Choice] = List()
    name = Unicode()
    method = Unicode(AUTO)
    phase = Enum(("idle", "loading", "loaded", "failed"), "idle")
    done = Int()
    first = Int()
    seconds = Float()
    total = Int()
    message = Unicode()
    line = Unicode()

    def __init__(
        self,
        search: Callable[[Wanted], list[Choice]],
        load: Callable[[str, str, Watch], object],
        hub: Hub,
    ) -> None:
        super().__init__()
        self._search, self._load, self._hub = search, load, hub
        self._here: list[Choice] = []
        self._there: dict[str, Choice] = {}
        self._measured: set[str] = set()
        self._wanted = Wanted()
        self._askers: list[threading.Thread] = []
        self._lock = threading.RLock()  # of what is listed
        self._worker: threading.Thread | None = None
        self._cancelled = threading.Event()
        self.refresh()

    @property
    def picked(self) -> Choice | None:
        """The model that is picked, `None` if none is."""
        return next((each for each in self.found if each.name == self.name), None)

    @property
    def magic(self) -> str:
        """The magic that loads what is picked, empty if nothing is."""
        if not self.name:
            return ""
        return f"%model {self.name}" + (f" --quant {self.method}" if self.method != AUTO else "")

    @property
    def can_load(self) -> bool:
        """Whether what is picked can be loaded now."""
        return self.phase != "loading" and self.picked is not None and self.picked.runs

    @observe("query", "task", "license", "max_size", "fits", "on_hub")
    def refresh(self, _: Any = None) -> None:
        """Search again; what is picked stays so if it is still shown."""
        wanted = Wanted(
            query=self.query.strip(),
            task=self.task or None,
            license=self.license or None,
            fits=self.fits,
            max_size=self.max_size or None,
        )
        with self._lock:
            stay = self.on_hub and wanted.query == self._wanted.query
            others = dataclasses.replace(wanted, query="")  # the hub has found its own way
            self._there = {
                name: each for name, each in self._there.items() if stay and others.takes(each)
            }
            self._wanted, self._here, self.hub_said = wanted, self._search(wanted), ""
            self._show_found()
            if self.picked is None:
                self.name = ""
            if self.on_hub:
                self._search_hub(wanted)

    def _show_found(self) -> None:
        self.found = [*self._here[:BEST], *self._there.values(), *self._here[BEST:]]

    def _search_hub(self, wanted: Wanted) -> None:
        if not wanted.query:
            self.hub_said = "Write a part of a name; the hub is searched for it."
            return

        def take(found: list[Choice]) -> None:
            if wanted is not self._wanted:
                return
            here = {each.name.lower() for each in self._here}
            measured = {name: self._there.get(name) for name in self._measured}
            self._there = {
                each.name: measured.get(each.name) or each
                for each in found
                if each.name.lower() not in here
            }
            said = "" if self._there else f"The hub finds nothing more for {wanted.query!r}."
            self.hub_said = said
            self._show_found()

        def fail(said: str) -> None:
            if wanted is self._wanted:
                self.hub_said = said

        self.hub_said = f"Searching the hub for {wanted.query!r} …"
        self._ask(lambda: self._hub.search(wanted), take, fail)

    def _measure(self, choice: Choice) -> None:
        def say(said: str) -> None:
            if self.name == choice.name:
                self.hub_said = said

        def take(measured: Choice) -> None:
            if choice.name in self._there:
                self._there[choice.name] = measured
                self._show_found()
            say("")

        self._measured.add(choice.name)
        say(f"Reading the sizes of {choice.name} …")
        self._ask(lambda: self._hub.measure(choice), take, say)

    def _ask(
        self, ask: Callable[[], T], take: Callable[[T], None], fail: Callable[[str], None]
    ) -> None:
        """Ask the hub something in a thread; `take` its answer, or what went wrong."""

        def work() -> None:
            try:
                found = ask()
            except Exception as error:  # noqa: BLE001 - as in `_work`: it is shown
                kind = "" if isinstance(error, FmagicError) else f"{type(error).__name__}: "
                with self._lock:
                    fail(f"{kind}{error}")
            else:
                with self._lock:
                    take(found)

        thread = threading.Thread(target=work, name="fmagic-picker-hub", daemon=True)
        self._askers = [*(each for each in self._askers if each.is_alive()), thread]
        thread.start()

    @observe("name")
    def _other_model(self, _: Any) -> None:
        self.method = AUTO
        if self.phase != "loading":
            self.phase, self.message = "idle", ""
        with self._lock:
            picked = self._there.get(self.name)
            # Of what the search finds only the number of weights is known.
            if picked is not None and picked.runs and picked.name not in self._measured:
                self._measure(picked)

    def load(self) -> None:
        """Begin to load what is picked; does nothing if that is not possible now."""
        if not self.can_load:
            return
        self._cancelled.clear()
        self.done = self.total = 0
        self.message = f"Loading {self.name} …"
        self.phase = "loading"
        # A daemon: a kernel that ends does not wait for a download, which can go on later.
        self._worker = threading.Thread(
            target=self._work,
            args=(self.name, self.method, self.magic),
            name="fmagic-picker",
            daemon=True,
        )
        self._worker.start()

    def cancel(self) -> None:
        """Stop the loading at its next step."""
        if self.phase == "loading":
            self._cancelled.set()
            self.message = "Stopping …"

    def wait(self, seconds: float | None = None) -> None:
        """Return when loading and asking are over, or after some seconds for each."""
        for thread in (*self._askers, self._worker):
            if thread is not None:
                thread.join(seconds)

    def _work(self, name: str, method: str, magic: str) -> None:
        try:
            self._load(name, method, _Eye(self))
        except KeyboardInterrupt:
            self._end("failed", CANCELLED)
        except FmagicError as error:
            self._end("failed", CANCELLED if self._cancelled.is_set() else str(error))
        except Exception as error:  # noqa: BLE001 - there is no cell here that could fail: it is shown
            self._end("failed", f"{type(error).__name__}: {error}")
        else:
            self.line = magic
            self._end("loaded", f"{name} is loaded and current.")

    def _end(self, phase: str, message: str) -> None:
        self.message = message
        self.phase = phase


class _Eye:
    """Watches the fetching of a model for the picker, and ends it where that is wished."""

    def __init__(self, state: Picking) -> None:
        self._state = state
        self._begun = 0.0

    def event(self, event: Event) -> None:
        """Take how far it is.

        Raises:
            KeyboardInterrupt: it was cancelled.
        """
        if self._state._cancelled.is_set():  # noqa: SLF001 - of this module
            raise KeyboardInterrupt
        if isinstance(event, Started):
            self._begun = time.perf_counter()
            self._state.seconds, self._state.first = 0.0, event.first
            self._state.total, self._state.done = event.total or 0, event.first
        elif isinstance(event, Advanced):
            self._state.seconds = time.perf_counter() - self._begun
            self._state.done = event.done
            if event.done == self._state.total:
                # What is left has no measure, and takes a while for a large model.
                self._state.message = "Reading the weights …"

    def finish(self, result: Result) -> None:
        """Show nothing: loading makes no run."""

    def fail(self, record: RunRecord) -> None:
        """Show nothing, as above."""

    def end(self, said: str) -> None:
        """Say what was fetched; the weights are read now."""
        self._state.message = said
