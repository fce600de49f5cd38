"""Events to one updating display in the notebook, which ends as the card of the run.

The display is made at the first event and updated at most ten times a second. Front ends keep the
last update, so the saved notebook holds the card and nothing of the way to it.
"""

from __future__ import annotations

import os
import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fmagic.operations.events import Advanced, Event, Notice, Piece, Point, Started
from fmagic.runs.record import CellInfo

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fmagic.drive import Watch
    from fmagic.picker import Picking
    from fmagic.results import Result
    from fmagic.runs.record import RunRecord
    from fmagic.settings import Fmagic
    from fmagic.views import Block

# A curve that is redrawn while it grows; the card draws all of it.
SHORTEST_CURVE = 2


class LiveDisplay:
    """Shows one operation in the cell's output.

    Args:
        shell: the IPython shell.
        seconds: shortest time between two updates.
    """

    def __init__(self, shell: Any, seconds: float) -> None:
        self._shell = shell
        self._seconds = seconds
        # A terminal cannot update what it has printed: it gets the end alone.
        self._updates = getattr(shell, "kernel", None) is not None
        self._handle: Any = None
        self._last = 0.0
        self._begun = time.perf_counter()
        self._started: Started | None = None
        self._done = 0
        self._text: list[str] = []
        self._curves: dict[str, list[tuple[float, float]]] = {}
        self._notices: list[str] = []

    def event(self, event: Event) -> None:
        """Take an event; the display follows when it is due."""
        if isinstance(event, Started):
            self._started, self._done = event, event.first
            self._begun = time.perf_counter()
        elif isinstance(event, Advanced):
            self._done = event.done
        elif isinstance(event, Piece):
            self._text.append(event.text)
        elif isinstance(event, Point):
            self._curves.setdefault(event.series, []).append((event.step, event.value))
        else:
            assert isinstance(event, Notice)
            self._notices.append(event.text)
        now = time.perf_counter()
        if self._updates and now - self._last >= self._seconds:
            self._last = now
            self._show(self._bundle(self._progress()))

    def finish(self, result: Result) -> None:
        """Show the result in the place of its progress."""
        self._show({**result.mimebundle()})
        result.shown(self._shell.execution_count)

    def fail(self, record: RunRecord) -> None:
        """Show the record of a run that ended in an error."""
        from fmagic.runs.card import bundle, card, with_notices

        self._show(bundle(record, with_notices(record, card(record))))

    def end(self, said: str) -> None:
        """Show one line in the place of the progress."""
        from fmagic.views import Text

        self._show(self._bundle(Text(said, tone="muted")))

    def _progress(self) -> Block:
        from fmagic.views import Curve, Progress, Stack, Text

        blocks: list[Block] = [Text(text, tone="muted") for text in self._notices]
        started = self._started
        if started is not None and not self._text and (started.total or 0) != 1:
            blocks.append(
                Progress(
                    self._done,
                    started.total,
                    label=started.label,
                    unit=started.unit,
                    first=started.first,
                    seconds=time.perf_counter() - self._begun,
                )
            )
        if any(len(points) >= SHORTEST_CURVE for points in self._curves.values()):
            blocks.append(Curve(self._curves, x_label="step", y_label="loss"))
        if self._text:
            blocks.append(Text("".join(self._text)))
        return Stack(blocks)

    def _bundle(self, block: Block) -> dict[str, str]:
        from fmagic.views import bundle

        return bundle(block)

    def _show(self, bundle: Mapping[str, Any]) -> None:
        from IPython.display import display

        if self._handle is None:
            self._handle = display(bundle, raw=True, display_id=True)  # type: ignore[no-untyped-call]  # IPython has it without types
        else:
            self._handle.update(bundle, raw=True)


@cache
def _session_name() -> str | None:
    """Return the notebook's path as Jupyter tells it to a kernel.

    A kernel that another kernel started, as papermill and nbclient do in a notebook, inherits the
    name of that one's notebook, which is not its own.
    """
    named = os.environ.get("JPY_SESSION_NAME")
    if named is None:
        return None
    import psutil

    try:
        inherited = psutil.Process(os.getppid()).environ().get("JPY_SESSION_NAME")
    except psutil.Error:
        return named
    return None if inherited == named else named


class Notebook:
    """The front of an IPython shell: its cell, its variables, its displays.

    Args:
        shell: the IPython shell.
        settings: of the session.
        changed: called when other models are loaded, or other operations go on.
    """

    def __init__(
        self, shell: Any, settings: Fmagic, changed: Callable[[], None] | None = None
    ) -> None:
        self._shell = shell
        self._settings = settings
        self._changed = changed

    def cell(self) -> CellInfo | None:
        """Return the cell that is running, with the id that its front end gave it."""
        history = self._shell.history_manager.input_hist_raw or [""]
        kernel = getattr(self._shell, "kernel", None)
        parent = kernel.get_parent() if kernel is not None else {}
        # A cell that runs without history is not in it.
        source = (parent.get("content") or {}).get("code", history[-1])
        return CellInfo(
            source=source,
            execution_count=self._shell.execution_count,
            id=(parent.get("metadata") or {}).get("cellId"),
        )

    def notebook(self) -> str | None:
        """Return the notebook's path as its front end tells it; VS Code and Jupyter do."""
        named = self._shell.user_ns.get("__vsc_ipynb_file__") or _session_name()
        if not named or Path(named).suffix != ".ipynb":
            return None
        return str(named)

    def variables(self) -> Mapping[str, object]:
        """Return the user's variables, without those that IPython keeps for itself."""
        hidden = self._shell.user_ns_hidden
        return {
            name: value
            for name, value in self._shell.user_ns.items()
            if not name.startswith("_") and name not in hidden
        }

    def put_cell(self, source: str) -> bool:
        """Put a new cell below the running one, as `%load` does."""
        self._shell.set_next_input(source)
        return True

    def watch(self) -> Watch:
        """Return a display for an operation."""
        from fmagic.drive import Unwatched

        if not self._settings.display:
            return Unwatched()
        return LiveDisplay(self._shell, self._settings.update_seconds)

    def pick(self, state: Picking) -> bool:
        """Show the picker as a widget."""
        if getattr(self._shell, "kernel", None) is None:
            return False
        try:
            from fmagic.widgets.picker import Picker
        except ImportError:
            return False
        Picker(state).show()
        return True

    def changed(self) -> None:
        """Pass on that other models are loaded, or other operations go on."""
        if self._changed is not None:
            self._changed()
