"""Models for which one device is too small: over several GPUs, and the rest on the processor.

accelerate puts whole layers on each device, one after the other, and moves what passes between
them. Weights that stay in the processor's memory travel to the GPU for each pass.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fmagic.errors import OutOfMemoryError
from fmagic.models.devices import AUTO, detect, gpus, joined
from fmagic.views import size

if TYPE_CHECKING:
    from fmagic.models.devices import Device
    from fmagic.models.fit import Fit

# Bytes a second from the processor's memory to a GPU: PCIe 4.0 with 16 lanes, memory not pinned.
LINK = 12e9
GAP = 0.02  # of the weights, for each device
TAKES_A_TENTH = ("nf4", "int8")  # off what it is given, in the code of transformers itself
FILLED = 0.9  # of the room that there is


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
    return any(part.type == "cpu" for part in device.parts)


def room(device: Device, fit: Fit) -> dict[int | str, int]:
    """Return the bytes of weights that each part of a device can take.

    Each GPU keeps room for the work beside its weights. Whole layers go to one device, and
    bitsandbytes takes a tenth more while it quantizes; hence the tenth less.
    """
    work = fit.total - fit.weights
    found: dict[int | str, int] = {"cpu": 0}
    for part in device.parts:
        if part.type == "cuda":
            found[part.index] = int(FILLED * max(0, part.free_bytes - work))
        else:
            found[part.type] = int(FILLED * part.free_bytes)
    return found


def fits(device: Device, fit: Fit) -> bool:
    """Tell whether a model fits on a device, or over its parts."""
    if not device.parts:
        return fit.fits
    # Whole layers leave a gap at each end, and accelerate keeps one free on the first GPU.
    return (1 + GAP * len(device.parts)) * fit.weights <= sum(room(device, fit).values())


def placement(device: Device, fit: Fit) -> dict[str, Any]:
    """Return the arguments of `from_pretrained` that put a model on a device."""
    if not device.parts:
        return {"device_map": {"": str(device)}}
    now = joined([detect(str(part)) for part in device.parts])  # a model may have gone since
    given = room(now, fit)
    if fit.method in TAKES_A_TENTH:
        given = {place: int(most / FILLED) for place, most in given.items()}
    return {"device_map": "sequential", "max_memory": given}


def settled(device: Device, module: Any) -> Device:
    """Return the devices that a model really lies on, of those it was offered.

    Raises:
        OutOfMemoryError: layers are left for which there was no room.
    """
    if not device.parts:
        return device
    places = set(getattr(module, "hf_device_map", {}).values())
    taken = {f"cuda:{place}" if isinstance(place, int) else str(place) for place in places}
    if "disk" in taken:
        raise OutOfMemoryError(
            f"Not all layers found room on {device.name}: each goes to one device as a whole. Use "
            "a smaller quantization or model."
        )
    return joined([part for part in device.parts if str(part) in taken])


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
