"""A front end's end of the comm of fmagic, on a subshell of a real kernel."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, Any

from fmagic.frontend import TARGET, VERSION
from tests.support.kernel import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.kernel import Kernel


def subshell(kernel: Kernel) -> str:
    """Make a subshell and return its id."""
    client = kernel.client
    client.control_channel.send(client.session.msg("create_subshell_request", {}))
    found: str = client.get_control_msg(timeout=PATIENCE)["content"]["subshell_id"]
    return found


class Comm:
    """One comm, opened as JupyterLab opens it.

    Args:
        kernel: in which fmagic is loaded.
        subshell: where its messages go; the main shell if not given.
    """

    def __init__(self, kernel: Kernel, subshell: str | None = None) -> None:
        self.client = kernel.client
        self.id = uuid.uuid4().hex
        self.subshell = subshell
        self.other: list[dict[str, Any]] = []
        self._send("comm_open", {"target_name": TARGET, "data": {}})

    def _send(self, type_: str, content: dict[str, Any]) -> None:
        message = self.client.session.msg(type_, {"comm_id": self.id, **content})
        if self.subshell is not None:
            message["header"]["subshell_id"] = self.subshell
        self.client.shell_channel.send(message)

    def send(self, type_: str, **content: object) -> None:
        """Send a message."""
        self._send("comm_msg", {"data": {"version": VERSION, "type": type_, **content}})

    def close(self) -> None:
        """Close it as a page does."""
        self._send("comm_close", {"data": {}})

    def message(
        self, type_: str, fits: Callable[[dict[str, Any]], object] = lambda _: True
    ) -> dict[str, Any]:
        """Return the next message that fits; what else comes goes to `other`."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            message = self.client.get_iopub_msg(timeout=PATIENCE)
            content = message["content"]
            if message["msg_type"] == "comm_msg" and content["comm_id"] == self.id:
                data: dict[str, Any] = content["data"]
                assert data["version"] == VERSION
                if data["type"] == type_ and fits(data):
                    return data
            self.other.append(message)
        raise AssertionError(f"no {type_} that fits came")

    def errors(self, request: str) -> list[str]:
        """Wait for the end of a cell and return the names of the errors that it showed."""
        messages = [each for each in self.other if each["parent_header"].get("msg_id") == request]
        while not any(
            each["msg_type"] == "status" and each["content"]["execution_state"] == "idle"
            for each in messages
        ):
            message = self.client.get_iopub_msg(timeout=PATIENCE)
            if message["parent_header"].get("msg_id") == request:
                messages.append(message)
        return [each["content"]["ename"] for each in messages if each["msg_type"] == "error"]
