"""A real kernel, driven as a front end drives it."""

from __future__ import annotations

import queue
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jupyter_client.manager import KernelManager

if TYPE_CHECKING:
    from collections.abc import Callable
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

    @property
    def text(self) -> str:
        """All that a plain front end shows."""
        plain = [str(output.get("text/plain", "")) for output in self.outputs]
        return "\n".join([*plain, self.streams])

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
        places: dict[str, int] = {}
        request = self.client.execute(code, store_history=True)
        stopped: float | None = None
        while True:
            try:
                message = self.client.get_iopub_msg(timeout=PATIENCE)
            except queue.Empty:
                raise AssertionError(f"the kernel is silent: {code}") from None
            if message["parent_header"].get("msg_id") != request:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "status" and content["execution_state"] == "idle":
                break
            if kind in ("display_data", "execute_result"):
                name = content.get("transient", {}).get("display_id")
                if name:
                    places[name] = len(cell.outputs)
                cell.outputs.append(content["data"])
            elif kind == "update_display_data":
                cell.updates += 1
                cell.outputs[places[content["transient"]["display_id"]]] = content["data"]
            elif kind == "stream":
                cell.streams += content["text"]
            elif kind == "error":
                cell.error, cell.message = content["ename"], content["evalue"]
                cell.traceback = content["traceback"]
                if stopped is not None:
                    cell.interrupted_after = time.perf_counter() - stopped
            if stop_when is not None and stopped is None and stop_when(message):
                stopped = time.perf_counter()
                self.manager.interrupt_kernel()
        reply = self.client.get_shell_msg(timeout=PATIENCE)
        while reply["parent_header"].get("msg_id") != request:
            reply = self.client.get_shell_msg(timeout=PATIENCE)
        assert (reply["content"]["status"] == "error") == (cell.error is not None)
        return cell

    def value(self, expression: str) -> Any:
        """Return the value of an expression that JSON can hold."""
        import json

        cell = self(f"import json as _json; print(_json.dumps({expression}))")
        assert cell.error is None, cell
        return json.loads(cell.streams)

    def close(self) -> None:
        """End the process."""
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)
