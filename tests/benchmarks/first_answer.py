"""A new kernel to the first answer of the bundled model."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from .harness import MissingError, Row, Settings, alternate, need

if TYPE_CHECKING:
    from jupyter_client.blocking.client import BlockingKernelClient

NAME = "first_answer"
TITLE = "seconds from starting a kernel to the first answer of `tiny`"
TARGET = "at most 5 s"

CELLS = (
    "%load_ext fmagic",
    "%model tiny",
    "%prompt Is this review positive or negative? I love it, it works.",
)
PEER = "import torch, transformers"
PATIENCE = 120.0  # seconds


def run(settings: Settings) -> list[Row]:
    """Start kernels, and processes that only import, in turns."""
    need("ipykernel", "jupyter_client")
    from fmagic.models.tiny import WEIGHTS

    if not (Path(WEIGHTS) / "model.safetensors").is_file():
        raise MissingError("the weights of tiny are not in this checkout.")
    seconds = alternate({"fmagic": _first_answer, "peer": _import}, settings.repeats(5))
    return [
        Row(
            "new kernel to the first answer",
            f"`{PEER}` alone, in a new process",
            seconds["peer"],
            seconds["fmagic"],
            "s",
            "lower",
            "5 s",
            "kernel start, %load_ext, %model tiny, %prompt; the peer answers nothing",
        )
    ]


def _first_answer() -> None:
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import KernelManager

    manager = KernelManager()
    # A python3 kernel of this environment, whatever kernels the user has installed.
    manager._kernel_spec = KernelSpec(
        argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        display_name="Python 3",
        language="python",
    )
    manager.start_kernel(stderr=subprocess.DEVNULL)  # of warnings; replies tell failures
    client = manager.blocking_client()
    try:
        client.start_channels()
        client.wait_for_ready(timeout=PATIENCE)
        for cell in CELLS:
            _execute(client, cell)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def _execute(client: BlockingKernelClient, cell: str) -> None:
    reply = client.execute_interactive(
        cell, timeout=PATIENCE, output_hook=lambda _: None, store_history=False
    )
    content = reply["content"]
    if content["status"] != "ok":
        raise RuntimeError(f"`{cell}` failed: {content.get('ename')}: {content.get('evalue')}")


def _import() -> None:
    subprocess.run([sys.executable, "-c", PEER], check=True)
