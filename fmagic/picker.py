"""The state of the picker: what is shown, what is picked, how far its loading is.

It knows nothing of widgets. Whoever shows it observes its traits; loading runs in a thread of its
own, so that the kernel hears Cancel meanwhile, and so does whatever asks the hub.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from traitlets import Bool, Enum, HasTraits, Int, List, Unicode, observe

from fmagic.errors import FmagicError
from fmagic.models.choices import Choice, Wanted
from fmagic.operations.events import Advanced, Event, Started

if TYPE_CHECKING:
    from collections.abc import Callable

    from fmagic.drive import Watch
    from fmagic.results import Result
    from fmagic.runs.record import RunRecord

AUTO = "auto"
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
        self._wanted = Wanted()
        self._asker: threading.Thread | None = None
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
        self._wanted = Wanted(
            query=self.query.strip(),
            task=self.task or None,
            license=self.license or None,
            fits=self.fits,
            max_size=self.max_size or None,
        )
        self._here, self._there, self.hub_said = self._search(self._wanted), {}, ""
        self._show_found()
        if self.picked is None:
            self.name = ""
        if self.on_hub:
            self._ask_hub(self._wanted)

    def _show_found(self) -> None:
        names = {each.name.lower() for each in self._here}
        others = [each for each in self._there.values() if each.name.lower() not in names]
        self.found = [*self._here, *others]

    def _ask_hub(self, wanted: Wanted) -> None:
        if not wanted.query:
            self.hub_said = "Write a part of a name; the hub is searched for it."
            return

        def ask() -> str:
            found = self._hub.search(wanted)
            if wanted is self._wanted:
                self._there = {each.name: each for each in found}
            return "" if found else f"The hub finds nothing more for {wanted.query!r}."

        self._ask(ask, f"Searching the hub for {wanted.query!r} …", wanted)

    def _ask(self, ask: Callable[[], str], said: str, wanted: Wanted) -> None:
        """Ask the hub something; what it says counts if nothing else is wanted meanwhile."""

        def work() -> None:
            try:
                said = ask()
            except FmagicError as error:
                said = str(error)
            except Exception as error:  # noqa: BLE001 - as in `_work`: it is shown
                said = f"{type(error).__name__}: {error}"
            if wanted is self._wanted:
                self.hub_said = said
                self._show_found()

        self.hub_said = said
        self._asker = threading.Thread(target=work, name="fmagic-picker-hub", daemon=True)
        self._asker.start()

    @observe("name")
    def _other_model(self, _: Any) -> None:
        self.method = AUTO
        if self.phase != "loading":
            self.phase, self.message = "idle", ""
        picked = self._there.get(self.name)
        # Of what the search finds only the number of weights is known.
        if picked is not None and picked.fits and not picked.context:
            self._measure(picked)

    def _measure(self, choice: Choice) -> None:
        def ask() -> str:
            measured = self._hub.measure(choice)
            if choice.name in self._there:
                self._there[choice.name] = measured
            return ""

        self._ask(ask, f"Reading the sizes of {choice.name} …", self._wanted)

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
        for thread in (self._asker, self._worker):
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

    def event(self, event: Event) -> None:
        """Take how far it is.

        Raises:
            KeyboardInterrupt: it was cancelled.
        """
        if self._state._cancelled.is_set():  # noqa: SLF001 - of this module
            raise KeyboardInterrupt
        if isinstance(event, Started):
            self._state.total, self._state.done = event.total or 0, event.first
        elif isinstance(event, Advanced):
            self._state.done = event.done

    def finish(self, result: Result) -> None:
        """Show nothing: loading makes no run."""

    def fail(self, record: RunRecord) -> None:
        """Show nothing, as above."""

    def end(self, said: str) -> None:
        """Say what was fetched; the weights are read now."""
        self._state.message = said
