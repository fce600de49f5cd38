"""From Stop to the end of the cell, in a real kernel."""

from __future__ import annotations

from typing import Any

from tests.support.kernel import Kernel

from .harness import Measured, Row, Settings, need

NAME = "stop"
TITLE = "seconds from Stop to the end of the cell, `tiny`, 10,000 rows"
TARGET = "at most 0.5 s"

START = """
import os
os.environ["FMAGIC_MODELS_DIR"] = os.environ["FMAGIC_JOURNAL_DIR"] = {folder!r}
%load_ext fmagic
%model tiny
table = [{{"text": f"The kettle number {{i}} is fine", "label": "positive"}} for i in range(10_000)]
"""
BODY = "user:\n{{ text }}\n"
CELLS = {
    "prompting": f"%%prompt --data table --max-tokens 4\n{BODY}",
    "embedding": "%embed --data table --text text",
    "tuning": f"%%finetune --data table --as stopped\n{BODY}assistant:\n{{{{ label }}}}",
}
UPDATES = 3  # of the display, before Stop


def run(settings: Settings) -> list[Row]:
    """Stop each operation several times, in turns."""
    need("ipykernel", "jupyter_client")
    seconds: dict[str, list[float]] = {name: [] for name in CELLS}
    kernel = Kernel(settings.folder)
    try:
        started = kernel(START.format(folder=str(settings.folder)))
        if started.error:
            raise RuntimeError(f"{started.error}: {started.message}")
        for _ in range(settings.repeats(5)):
            for name, code in CELLS.items():
                cell = kernel(code, stop_when=_Enough())
                if cell.error != "Interrupted" or cell.interrupted_after is None:
                    raise RuntimeError(f"{name} was not stopped: {cell.error}: {cell.message}")
                seconds[name].append(cell.interrupted_after)
    finally:
        kernel.close()
    return [
        Row(f"stop {name}", "", None, Measured.of(taken), "s", "lower", "0.5 s")
        for name, taken in seconds.items()
    ]


class _Enough:
    """Says yes once the display was updated often enough."""

    def __init__(self) -> None:
        self._seen = 0

    def __call__(self, message: dict[str, Any]) -> bool:
        self._seen += message["msg_type"] == "update_display_data"
        return self._seen >= UPDATES
