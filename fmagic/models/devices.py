"""Where models run, and how much memory there really is.

`FMAGIC_MEMORY_LIMIT` (bytes, or a figure with a unit such as `2GB`) is the most that this process
takes on each device: for machines that are shared.
"""

from __future__ import annotations

import ctypes
import gc
import os
import platform
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from fmagic.errors import OptionError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

LIMIT_VARIABLE = "FMAGIC_MEMORY_LIMIT"
UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
BINARY_UNITS = {"k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
# A cgroup without a limit says "max" (version 2) or a figure near 2**63 (version 1).
NO_LIMIT = 2**60

DeviceType = Literal["cuda", "mps", "cpu", "remote"]
AUTO = "auto"  # as many devices as a model needs
KINDS = ("cuda", "mps", "cpu", AUTO)


@dataclass(frozen=True, slots=True)
class Device:
    """A place where a model can run.

    Attributes:
        type: `cuda`, `mps` or `cpu`; `remote` for a server, of which nothing else is known.
        index: which of several; 0 for `mps` and `cpu`.
        name: of the hardware, for people.
        total_bytes: memory of the device.
        free_bytes: memory that could be taken when this was made.
        parts: the devices over which a model is spread; empty for one alone. Type and index are
            those of the first.
    """

    type: DeviceType
    index: int
    name: str
    total_bytes: int
    free_bytes: int
    parts: tuple[Device, ...] = ()

    def __str__(self) -> str:
        if self.parts:
            return "+".join(map(str, self.parts))
        return f"cuda:{self.index}" if self.type == "cuda" else self.type

    @property
    def each(self) -> tuple[Device, ...]:
        """Its parts, or itself alone."""
        return self.parts or (self,)

    def touches(self, other: Device) -> bool:
        """Tell whether both take memory of the same hardware."""
        return not {*map(str, self.each)}.isdisjoint(map(str, other.each))


def joined(parts: Sequence[Device]) -> Device:
    """Return one device for a model that is spread over several."""
    if len(parts) == 1:
        return parts[0]
    return Device(
        parts[0].type,
        parts[0].index,
        " and ".join(part.name for part in parts),
        sum(part.total_bytes for part in parts),
        sum(part.free_bytes for part in parts),
        tuple(parts),
    )


def gpus() -> list[Device]:
    """Return the CUDA devices, the one with the most free memory first."""
    import torch

    found = [_cuda(index) for index in range(torch.cuda.device_count())]
    return sorted(found, key=lambda device: -device.free_bytes)


def detect(request: str | None = None) -> Device:
    """Return the device that was asked for, or the fastest one that is there.

    Args:
        request: `cuda`, `cuda:1`, `mps`, `cpu`, several as in `cuda:0+cuda:1`, `auto` for the one
            that is tried first, or `None` to choose.

    Raises:
        OptionError: no such device, with the reason.
    """
    import torch

    if request is not None and "+" in request:
        found = [detect(part) for part in request.split("+")]
        return joined(list({str(device): device for device in found}.values()))
    if request is not None and request.strip().lower() == AUTO:
        return next(iter(gpus()), None) or detect(None)
    if request is None:
        if torch.cuda.is_available():
            return _cuda(torch.cuda.current_device())
        return _mps() if torch.backends.mps.is_available() else _cpu()
    match = re.fullmatch(r"(cuda|mps|cpu)(?::(\d+))?", request.strip().lower())
    if match is None:
        raise OptionError(
            f"There is no device {request!r}.{did_you_mean(request, KINDS)} "
            "It is cuda, cuda:1, mps, cpu or auto."
        )
    kind, index = match[1], int(match[2] or 0)
    if kind == "cuda":
        return _asked_cuda(index if match[2] else None)
    if index:
        raise OptionError(f"There is one {kind} device; write --device {kind}.")
    if kind == "mps" and not torch.backends.mps.is_available():
        raise OptionError("This machine has no Apple GPU (mps). Use --device cpu.")
    return _mps() if kind == "mps" else _cpu()


def free_memory(device: Device) -> int:
    """Return the bytes that can be taken on the device now."""
    return detect(str(device)).free_bytes


def memory_in_use(device: Device) -> tuple[int, int | None]:
    """Return the bytes in use and the bytes there are, without freeing anything first.

    On a GPU all processes count. On a processor it is the resident size of this one, of no total:
    the rest of the machine is not ours to judge by. Of a model that is spread its GPUs count.
    """
    import psutil

    if device.parts:
        there = [memory_in_use(part) for part in device.parts if part.type == device.type]
        return sum(used for used, _ in there), sum(total or 0 for _, total in there)
    if device.type == "cuda":
        import torch

        free, total = torch.cuda.mem_get_info(device.index)
        return int(total - free), int(total)
    if device.type == "mps":
        import torch

        return int(torch.mps.driver_allocated_memory()), device.total_bytes
    return int(psutil.Process().memory_info().rss), None


def resident_bytes() -> int:
    """Return the memory of this process, after everything that is unused went back."""
    import psutil

    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None
    if trim is not None:
        trim(0)  # glibc keeps freed memory for later; nobody else has that function
    return int(psutil.Process().memory_info().rss)


def held_bytes(device: Device) -> int:
    """Return what this process holds on the device, after unused memory went back to it."""
    import torch

    if device.parts:
        return sum(held_bytes(part) for part in device.parts)
    if device.type == "cuda":
        gc.collect()
        torch.cuda.empty_cache()
        return int(torch.cuda.memory_reserved(device.index))
    if device.type == "mps":
        gc.collect()
        torch.mps.empty_cache()
        return int(torch.mps.driver_allocated_memory())
    return resident_bytes()


def parse_bytes(text: str) -> int:
    """Return the bytes of `500000`, `2GB`, `1.5 GiB` or `800M`.

    Raises:
        OptionError: it is no size.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?\s*", text.lower())
    if match is None or (match[3] and not match[2]):
        raise OptionError(f"{text!r} is no size of memory. Write 2GB, 800MB or a number of bytes.")
    return int(float(match[1]) * (BINARY_UNITS if match[3] else UNITS)[match[2]])


def _limited(free: int, held: int) -> int:
    text = os.environ.get(LIMIT_VARIABLE, "")
    if not text.strip():
        return max(0, free)
    try:
        limit = parse_bytes(text)
    except OptionError as error:
        raise OptionError(f"{LIMIT_VARIABLE}: {error}") from None
    return max(0, min(free, limit - held))


def _asked_cuda(index: int | None) -> Device:
    import torch

    if not torch.cuda.is_available():
        built = torch.version.cuda or torch.version.hip
        reason = (
            "PyTorch finds no NVIDIA GPU or driver"
            if built
            else "this PyTorch is built without CUDA (https://pytorch.org has the builds)"
        )
        raise OptionError(f"There is no cuda device: {reason}. Use --device cpu.")
    count = torch.cuda.device_count()
    if index is not None and index >= count:
        raise OptionError(f"There is no cuda:{index}; this machine has cuda:0 to cuda:{count - 1}.")
    return _cuda(torch.cuda.current_device() if index is None else index)


def _cuda(index: int) -> Device:
    import torch

    free, total = torch.cuda.mem_get_info(index)
    # What PyTorch keeps for later and nothing uses is ours to take as well.
    reserved = torch.cuda.memory_reserved(index)
    spare = reserved - torch.cuda.memory_allocated(index)
    name = torch.cuda.get_device_name(index)
    return Device("cuda", index, name, int(total), _limited(int(free + spare), reserved - spare))


def _mps() -> Device:
    import psutil
    import torch

    total = int(torch.mps.recommended_max_memory())
    held = int(torch.mps.driver_allocated_memory())
    # The memory is shared with the processor: both bounds hold.
    free = min(total - held, int(psutil.virtual_memory().available))
    return Device("mps", 0, f"Apple {platform.machine()} GPU", total, _limited(free, held))


def _cpu() -> Device:
    import psutil

    memory = psutil.virtual_memory()
    total, free = int(memory.total), int(memory.available)
    for limit, used in cgroup_limits():
        total = min(total, limit)
        free = min(free, limit - used)
    held = int(psutil.Process().memory_info().rss) if os.environ.get(LIMIT_VARIABLE) else 0
    return Device("cpu", 0, _cpu_name(), total, _limited(free, held))


def _cpu_name() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.processor() or platform.machine()
    match = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return match[1].strip() if match else platform.processor() or platform.machine()


def cgroup_limits(root: Path = Path("/")) -> list[tuple[int, int]]:
    """Return `(limit, used)` in bytes for each control group that bounds this process.

    Containers set them, and `psutil` does not see them. Memory that only caches files counts as
    unused, as the kernel gives it up before it ends a process. Both versions of the interface are
    read: https://docs.kernel.org/admin-guide/cgroup-v2.html and cgroup-v1/memory.html beside it.
    """
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    limits = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            top = root / "sys/fs/cgroup"
            names = ("memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            top = root / "sys/fs/cgroup/memory"
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        else:
            continue
        # Inside a container the path is the host's, and the group itself is mounted at the top.
        parts = [part for part in path.split("/") if part and part != ".."]
        for depth in range(len(parts), -1, -1):
            found = _read_group(top.joinpath(*parts[:depth]), *names)
            if found is not None:
                limits.append(found)
    return limits


def _read_group(
    folder: Path, limit_file: str, used_file: str, cache_key: str
) -> tuple[int, int] | None:
    try:
        limit = int((folder / limit_file).read_text(encoding="ascii"))
        used = int((folder / used_file).read_text(encoding="ascii"))
        stat = dict(
            line.split(maxsplit=1)
            for line in (folder / "memory.stat").read_text(encoding="ascii").splitlines()
        )
    except (OSError, ValueError):  # no such file, or "max"
        return None
    return None if limit >= NO_LIMIT else (limit, max(0, used - int(stat.get(cache_key, 0))))


def processor_has(*flags: str) -> bool:
    """Tell whether this processor has all these instruction sets, as Linux names them."""
    return set(flags) <= _instruction_sets()


@cache
def _instruction_sets() -> frozenset[str]:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return frozenset()
    match = re.search(r"^(?:flags|Features)\s*:\s*(.+)$", text, re.MULTILINE)
    return frozenset(match[1].split() if match else ())


def capability(device: Device) -> tuple[int, int]:
    """Return the compute capability of a CUDA device, `(0, 0)` for others."""
    import torch

    if device.type != "cuda":
        return (0, 0)
    found: Any = torch.cuda.get_device_capability(device.index)
    return (int(found[0]), int(found[1]))
