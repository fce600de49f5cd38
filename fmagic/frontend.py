"""What a front end sees of the kernel while it works: a comm with the status, and Stop.

Messages are JSON with `version` and `type`; what is not understood is passed over.

    kernel -> front end
        hello     once, when fmagic is loaded, on a comm that nobody opened: front ends pass it over,
                  but for the one that knows it and opens a comm of its own, target `fmagic`
        status    model, memory, loaded, running, picker: see `Desk.status`
        stopping  run, found: the answer to `stop`
    front end -> kernel
        status?   send a status
        stop      run: end this run, as an interrupt of the kernel would

A front end opens its comm on a subshell (ipykernel 7), so its messages arrive while a cell runs.
What is sent goes out from one thread in the context of the opening message: ipykernel routes the
answers of a front end to the shell under which it was last written to, which for a cell's own
context would be the one that is busy.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import time
from contextvars import Context, copy_context
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from fmagic.models.loaded import Loaded
    from fmagic.session import Session

VERSION = 1
TARGET = "fmagic"
# A reloaded page leaves its comm behind: the oldest are given up.
MOST_COMMS = 8
# Between two messages about the status, and between two while a cell runs and nothing else happens.
SHORTEST, LONGEST = 0.5, 1.0


@dataclass(frozen=True, slots=True)
class Line:
    """An open comm with the context in which it was opened."""

    comm: Any
    context: Context

    def send(self, type_: str, **content: object) -> None:
        """Send a message; a front end that is gone is no concern of the kernel's."""
        data = {"version": VERSION, "type": type_, **content}
        with contextlib.suppress(Exception):
            self.context.copy().run(self.comm.send, data)


class Desk:
    """Answers front ends for one shell.

    Attributes:
        session: of the shell, once it is made.

    Args:
        shell: the IPython shell of a kernel.
        busy: whether a cell runs.
    """

    def __init__(self, shell: Any, *, busy: bool) -> None:
        self.session: Session | None = None
        self._shell = shell
        self._lines: dict[str, Line] = {}
        # When the cell that runs began, when all were told last, and whether that is outdated.
        self._begun = time.monotonic() if busy else None
        self._told = 0.0
        self._stale = False
        # What the thread is to do. A simple queue can be filled at any moment; a lock would stay
        # locked if an interrupt struck there.
        self._todo: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def open(self, comm: Any, message: Any = None) -> None:  # noqa: ARG002 - a target is called so
        """Take up a comm that a front end opens."""
        line = Line(comm, copy_context())
        # In the place of the comm's own method, which fires the events of a cell around a message:
        # from another thread, in the middle of a cell, they would flush its plots.
        comm.handle_msg = partial(self._take, line)
        comm.on_close(lambda _: self._lines.pop(comm.comm_id, None))
        self._lines[comm.comm_id] = line
        for name in list(self._lines)[:-MOST_COMMS]:
            del self._lines[name]
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="fmagic-desk", daemon=True)
            self._thread.start()
        self._todo.put(partial(self._send_status, line))

    def changed(self) -> None:
        """Tell front ends that the status is another one."""
        if self._lines:
            self._todo.put(self._outdated)

    def cell_begins(self, *_: object) -> None:
        """Note that a cell runs: the status is sent every second from now on."""
        self._begun = time.monotonic()
        if self._lines:
            self._todo.put(lambda: None)  # so that the thread looks at the clock

    def cell_ends(self, *_: object) -> None:
        """Note that no cell runs."""
        self._begun = None
        self.changed()

    def status(self) -> dict[str, Any]:
        """Return what a `status` message says.

        Returns:
            `model`: the current one as in `loaded`, or `None`. `memory`: `used` and `total` bytes,
            `total` being `None` on a processor, where `used` is the resident size; or `None` before
            a model is loaded. `loaded`: the models, in the order of loading. `running`: `run`,
            `kind` and `cell` of the latest operation that goes on, or `None`. `picker`: whether
            there is `%pick`.
        """
        session = self.session
        going = list(session.stops.going.values()) if session else []
        models = list(session.by_name.values()) if session else []
        loaded = [_model(model) for model in models]
        current = session.current if session else None
        return {
            "model": next((each for each in loaded if each["name"] == current), None),
            "memory": _memory(models, current),
            "loaded": loaded,
            "running": (
                {"run": going[-1].run, "kind": going[-1].kind, "cell": going[-1].cell}
                if going
                else None
            ),
            "picker": self._shell.find_line_magic("pick") is not None,
        }

    def _take(self, line: Line, message: Any) -> None:
        data = message["content"].get("data")
        if not isinstance(data, dict) or data.get("version") != VERSION:
            return
        if data.get("type") == "stop":
            run = str(data.get("run"))
            found = self.session is not None and self.session.stops.stop(run)
            self._todo.put(partial(line.send, "stopping", run=run, found=found))
        elif data.get("type") == "status?":
            self._todo.put(partial(self._send_status, line))

    def _send_status(self, line: Line) -> None:
        line.send("status", **self.status())

    def _send_all(self) -> None:
        self._told, self._stale = time.monotonic(), False
        for line in list(self._lines.values()):
            self._send_status(line)

    def _outdated(self) -> None:
        self._stale = True

    def _work(self) -> None:
        while True:
            try:
                self._todo.get(timeout=self._wait())()
            except queue.Empty:
                self._send_all()
            except Exception:
                # A status that fails once must not end all that come after it.
                logging.getLogger(__name__).exception("A message to the front end failed.")

    def _wait(self) -> float | None:
        """Return the seconds until the status is due."""
        if self._stale:
            due = self._told + SHORTEST
        elif self._begun is not None and self._lines:
            due = max(self._told, self._begun) + LONGEST
        else:
            return None
        return max(0.0, due - time.monotonic())


def connect(shell: Any) -> Desk | None:
    """Answer front ends of a shell; `None` where there is no kernel that could."""
    kernel: Any = getattr(shell, "kernel", None)
    manager = getattr(kernel, "comm_manager", None)
    if manager is None:
        return None
    from comm import create_comm

    parent = kernel.get_parent() or {}
    desk = Desk(shell, busy=parent.get("header", {}).get("msg_type") == "execute_request")
    shell.events.register("pre_run_cell", desk.cell_begins)
    shell.events.register("post_run_cell", desk.cell_ends)
    manager.register_target(TARGET, desk.open)
    # Asked which comms there are, the kernel names this one: a page that is opened later learns
    # from it that fmagic is here.
    resting = create_comm(target_name=TARGET, primary=False)
    manager.register_comm(resting)
    resting.send({"version": VERSION, "type": "hello"})
    return desk


def _model(model: Loaded) -> dict[str, Any]:
    return {
        "name": model.name,
        "spec": str(model.spec) if model.spec.kind != "folder" else model.name,
        "kind": model.kind,
        "quant": model.quant,
        "dtype": model.dtype,
        "device": str(model.device),
        "device_name": model.device.name,
        "adapter": model.adapter,
        "parameters": model.parameters,
        "weight_bytes": model.weight_bytes,
        "context_length": model.context_length,
    }


def _memory(models: list[Loaded], current: str | None) -> dict[str, int | None] | None:
    from fmagic.models.devices import memory_in_use

    model = next((each for each in models if each.name == current), None)
    if model is None:
        return None
    used, total = memory_in_use(model.device)
    return {"used": used, "total": total}
