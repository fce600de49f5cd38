"""How much memory an operation took, and how to tell that there was too little."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from fmagic.views import size

if TYPE_CHECKING:
    from fmagic.models.devices import Device

# Linux keeps the highest resident size of a process, and forgets it when a 5 is written here.
HIGH_WATER = Path("/proc/self/status")
FORGET = Path("/proc/self/clear_refs")


class PeakMemory:
    """Measures the most memory in use between its making and `bytes()`.

    On CUDA that is what the allocators handed out, elsewhere the resident size of the process. Where
    the system keeps no high-water mark, it is the larger of the sizes before and after.
    """

    def __init__(self, device: Device) -> None:
        self._cuda = [each for each in device.each if each.type == "cuda"]
        self._before = psutil.Process().memory_info().rss
        if self._cuda:
            import torch

            for each in self._cuda:
                torch.cuda.reset_peak_memory_stats(each.index)
        else:
            with contextlib.suppress(OSError):
                FORGET.write_text("5", encoding="ascii")

    def bytes(self) -> int:
        """Return the peak so far, in bytes."""
        if self._cuda:
            import torch

            return sum(int(torch.cuda.max_memory_allocated(each.index)) for each in self._cuda)
        with contextlib.suppress(OSError):
            for line in HIGH_WATER.read_text(encoding="ascii").splitlines():
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
        return max(self._before, psutil.Process().memory_info().rss)


def is_shortage(error: BaseException) -> bool:
    """Tell whether an error means that memory ran out, on whatever device."""
    torch = sys.modules.get("torch")  # where it was not imported, the error is not one of its own
    if isinstance(error, MemoryError) or (torch and isinstance(error, torch.OutOfMemoryError)):
        return True
    text = str(error)
    return isinstance(error, RuntimeError) and (
        "can't allocate memory" in text
        or "not enough memory" in text
        or "out of memory" in text
        or "_ALLOC_FAILED" in text  # of cuBLAS and cuDNN
    )


def shortage_message(device: Device, advice: str) -> str:
    """Say how much memory is free and what to do."""
    return (
        f"Out of memory on {device.name}: {size(device.free_bytes)} of "
        f"{size(device.total_bytes)} are free now, after everything this run held was freed. {advice}"
    )
