"""A real kernel, driven as a front end drives it."""

from __future__ import annotations

import queue
import signal
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jupyter_client.manager import KernelManager

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PATIENCE = 120  # seconds until a silent kernel is given up


@dataclass
class Cell:
    """What came back from one cell, as a notebook would keep it.

    `outputs` are display data and results, the last update of each display in its first place.
    """

    outputs: list[dict[str, Any]] = field(default_factory=list)
    streams: str = ""
    error: str | None = None
    message: str = ""
    traceback: list[str] = field(default_factory=list)
    updates: int = 0
    interrupted_after: float | None = None
    next_cell: str | None = None
    places: dict[str | None, int] = field(default_factory=dict, repr=False)

    @property
    def text(self) -> str:
        """All that a plain front end shows."""
        plain = [str(output.get("text/plain", "")) for output in self.outputs]
        return "\n".join([*plain, self.streams])

    def take(self, message: dict[str, Any]) -> None:
        """Keep what a message says, as a notebook does."""
        kind, content = message["msg_type"], message["content"]
        if kind in ("display_data", "execute_result"):
            self.places[content.get("transient", {}).get("display_id")] = len(self.outputs)
            self.outputs.append(content["data"])
        elif kind == "update_display_data":
            self.updates += 1
            self.outputs[self.places[content["transient"]["display_id"]]] = content["data"]
        elif kind == "stream":
            self.streams += content["text"]
        elif kind == "error":
            self.error, self.message = content["ename"], content["evalue"]
            self.traceback = content["traceback"]

    def run(self) -> dict[str, Any]:
        """Return the one run record among the outputs."""
        found = [o[RUN_MIME] for o in self.outputs if RUN_MIME in o]
        assert len(found) == 1, self
        record: dict[str, Any] = found[0]
        return record


RUN_MIME = "application/vnd.fmagic.run.v1+json"


class Kernel:
    """One kernel process in a folder."""

    def __init__(self, folder: Path) -> None:
        self.manager = KernelManager(kernel_name="python3")
        self.manager.start_kernel(cwd=str(folder))
        self.client = self.manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=PATIENCE)

    def __call__(
        self, code: str, *, stop_when: Callable[[dict[str, Any]], bool] | None = None
    ) -> Cell:
        """Run a cell to its end.

        `stop_when` sees each message of the cell; once it says yes, the kernel is interrupted.
        """
        cell = Cell()
        request = self.client.execute(code, store_history=True)
        stopped: float | None = None
        for message in self.messages(request, code):
            cell.take(message)
            if stopped is not None and message["msg_type"] == "error":
                cell.interrupted_after = time.perf_counter() - stopped
            if stop_when is not None and stopped is None and stop_when(message):
                stopped = time.perf_counter()
                self.manager.interrupt_kernel()
        reply = self.client.get_shell_msg(timeout=PATIENCE)
        while reply["parent_header"].get("msg_id") != request:
            reply = self.client.get_shell_msg(timeout=PATIENCE)
        for payload in reply["content"].get("payload", ()):
            if payload["source"] == "set_next_input":
                cell.next_cell = payload["text"]
        if reply["content"]["status"] == "error":
            # A UsageError of IPython has no error output, only a line on the error stream.
            cell.error = cell.error or reply["content"]["ename"]
            cell.message = cell.message or reply["content"]["evalue"]
        else:
            assert cell.error is None
        return cell

    def messages(self, request: str, code: str) -> Iterator[dict[str, Any]]:
        """Yield what the kernel publishes about a cell until it has finished it."""
        while True:
            try:
                message = self.client.get_iopub_msg(timeout=PATIENCE)
            except queue.Empty:
                raise AssertionError(f"the kernel is silent: {code}") from None
            if message["parent_header"].get("msg_id") != request:
                continue
            if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                return
            yield message

    def value(self, expression: str) -> Any:
        """Return the value of an expression that JSON can hold."""
        import json

        cell = self(f"import json as _json; print(_json.dumps({expression}))")
        assert cell.error is None, cell
        return json.loads(cell.streams)

    def kill(self) -> None:
        """End the process without a word to it, as the system does when memory runs out."""
        self.client.stop_channels()
        self.manager.signal_kernel(signal.SIGKILL)
        self.manager.shutdown_kernel(now=True)

    def close(self) -> None:
        """End the process."""
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)
