"""Models for which one device is too small: over several GPUs, and the rest on the processor.

accelerate puts whole layers on each device, one after the other, and moves what passes between
them. Weights that stay in the processor's memory travel to the GPU for each pass.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fmagic.models.devices import AUTO, detect, gpus, joined
from fmagic.views import size

if TYPE_CHECKING:
    from fmagic.models.devices import Device
    from fmagic.models.fit import Fit

# Bytes a second from the processor's memory to a GPU: PCIe 4.0 with 16 lanes, memory not pinned.
LINK = 12e9


def ways(request: str | None) -> list[Device]:
    """Return the devices to try one after the other, the fastest first.

    Args:
        request: as `detect` takes it; `auto` tries the GPU with the most free memory, then all
            GPUs, then these and the processor's memory.

    Raises:
        OptionError: no such device.
    """
    if request is None or request.strip().lower() != AUTO:
        return [detect(request)]
    found = gpus()
    if not found:
        return [detect(None)]
    several = [joined(found)] if len(found) > 1 else []
    return [found[0], *several, joined([*found, detect("cpu")])]


def offloads(device: Device) -> bool:
    """Tell whether a part of a model there would stay in the processor's memory."""
    return bool(device.parts) and any(part.type == "cpu" for part in device.parts)


def placement(device: Device, fit: Fit) -> dict[str, Any]:
    """Return the arguments of `from_pretrained` that put a model on a device.

    Args:
        device: where it goes.
        fit: what it takes; beside its weights each GPU keeps room for the work.
    """
    if not device.parts:
        return {"device_map": {"": str(device)}}
    work = fit.total - fit.weights
    room: dict[int | str, int] = {"cpu": 0}
    for part in device.parts:
        place = part.index if part.type == "cuda" else part.type
        free = detect(str(part)).free_bytes
        room[place] = free if part.type == "cpu" else max(0, free - work)
    return {"device_map": "auto", "max_memory": room}


def settled(device: Device, module: Any) -> Device:
    """Return the devices that a model really lies on, of those it was offered."""
    if not device.parts:
        return device
    taken = {f"cuda:{place}" if isinstance(place, int) else str(place) for place in _map(module)}
    return joined([part for part in device.parts if str(part) in taken] or [device.parts[0]])


def warning(device: Device, module: Any) -> str | None:
    """Say what it costs that weights stay in the processor's memory; `None` if none do."""
    if not offloads(device):
        return None
    away = sum(weight.nbytes for weight in module.parameters() if weight.device.type == "meta")
    if not away:
        return None
    return (
        f"{size(away)} of the weights stay in the processor's memory and travel to the GPU for "
        f"each token: expect {LINK / away:.1f} tokens a second at most. --quant nf4 or a smaller "
        "model would be many times faster."
    )


def _map(module: Any) -> set[int | str]:
    return set(getattr(module, "hf_device_map", {}).values())
