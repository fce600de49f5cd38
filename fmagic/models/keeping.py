"""How quantized copies are made, checked and read.

A copy is written right after the first load, before the first inference: some methods pack weights
then, and what is saved later is corrupt. It counts only once every tensor read back from it equals
the model's to the last bit, and the model that was read back computes the same logits.
"""

from __future__ import annotations

import hashlib
import shutil
import traceback
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from fmagic.errors import FmagicError
from fmagic.models import copies
from fmagic.models.devices import detect, free_memory
from fmagic.models.measures import count_quantized, weight_bytes
from fmagic.models.memory import is_shortage
from fmagic.models.probe import probe, straighten, straightened
from fmagic.models.pruning import remove
from fmagic.models.quiet import quiet
from fmagic.models.reading import load_module
from fmagic.views import size

if TYPE_CHECKING:
    from pathlib import Path

    from fmagic.models.copies import Place
    from fmagic.models.devices import Device

SPARE_DISK = 2_000_000_000  # bytes to leave free
SPARE_MEMORY = 1.1  # times what the weights take, to read them back


class _UnlikeError(Exception):
    """What was read back is not what was saved; the message says what differs."""


class _NoRoomError(Exception):
    """There is too little room to keep a copy now; the message says of what."""


@dataclass(frozen=True, slots=True)
class Fresh:
    """A model that was just quantized, and has not run yet but for a probe.

    Attributes:
        module: the model.
        tokenizer: of the model.
        logits: of that probe.
        parameters: number of weights, each quantized one counted as one.
    """

    module: Any
    tokenizer: Any
    logits: Any
    parameters: int


def read(place: Place) -> tuple[Any | None, str | None]:
    """Return the model of a copy, and a notice if there was one and it is broken.

    A broken copy is removed. Shortage of memory is no fault of the copy and is raised.
    """
    if not place.folder.is_dir():
        return None, None
    try:
        note = _checked_note(place)
        module = _load(place, place.folder, place.device)
        straighten(module, note["straightened"])
        copies.touch(place.folder)
    except Exception as error:
        if is_shortage(error):
            raise
        traceback.clear_frames(error.__traceback__)
        reason = _first_line(error)
    else:
        return module, None
    try:
        remove(place.folder)
    except FmagicError as error:
        return None, f"The quantized copy of {place.label} is broken ({reason}). {error}"
    said = f"The quantized copy of {place.label} was broken ({reason}); it is made again."
    return None, said


def keep(place: Place, fresh: Fresh) -> str | None:
    """Keep a copy of a model that was just quantized, and return a notice if that cannot be.

    The model is as it was, whatever happens.
    """
    mark = place.folder.with_suffix(copies.REFUSED)
    if mark.exists():
        return None  # it was said when it was found out
    try:
        _write(place, fresh)
    except _NoRoomError as error:
        reason = str(error)
    except OSError as error:
        # Another kernel was as fast: its copy is as good.
        if place.folder.is_dir():
            return None
        reason = error.strerror or str(error)
    except Exception as error:  # noqa: BLE001 - each method and model class saves in its own way
        traceback.clear_frames(error.__traceback__)
        if is_shortage(error):
            reason = "memory ran out while it was checked"
        else:
            mark.touch(mode=0o600)
            reason = f"{_first_line(error)}. It is quantized at each load"
    else:
        return None
    return f"No quantized copy of {place.label} is kept: {reason}."


def _write(place: Place, fresh: Fresh) -> None:
    root, needed = place.folder.parent, weight_bytes(fresh.module)
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    free = shutil.disk_usage(root).free
    if needed + SPARE_DISK > free:
        raise _NoRoomError(f"it takes {size(needed)} of disk, and {size(free)} are free")
    device = _room_to_check(place.device, needed)
    draft = root / f".{place.folder.name}-{uuid.uuid4().hex[:8]}"
    draft.mkdir(mode=0o700)
    try:
        with quiet():
            fresh.module.save_pretrained(draft)
        for file in draft.iterdir():
            file.chmod(0o600)
        _must_equal(place, draft, fresh, device)
        copies.write_note(draft, _note(place, draft, fresh))
        draft.rename(place.folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _checked_note(place: Place) -> dict[str, Any]:
    note = copies.read_note(place.folder)
    if note.get("key") != place.folder.name:
        raise _UnlikeError("its note is not the one that was written")
    if copies.checksum(place.folder) != note.get("files"):
        raise _UnlikeError("its files are not those that were written")
    return note


def _note(place: Place, draft: Path, fresh: Fresh) -> dict[str, Any]:
    import torch

    plain = fresh.logits.detach().to("cpu", torch.float32).contiguous().numpy().tobytes()
    return {
        "key": place.folder.name,
        **place.about,
        "parameters": fresh.parameters,
        "files": copies.checksum(draft),
        "straightened": straightened(fresh.module),
        "logits": hashlib.sha256(plain).hexdigest(),
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _room_to_check(device: Device, needed: int) -> Device:
    """Return where a copy can be read back: its own device, else the processor."""
    if free_memory(device) >= SPARE_MEMORY * needed:
        return device
    processor = detect("cpu")
    if device.type != "cpu" and processor.free_bytes >= SPARE_MEMORY * needed:
        return processor
    raise _NoRoomError(f"checking it takes {size(needed)} of memory more than is free")


def _must_equal(place: Place, draft: Path, fresh: Fresh, device: Device) -> None:
    """Read a copy back and compare it, tensor by tensor and by what it computes.

    The tensors are compared after saving, so they show as well that saving left the model alone.

    Raises:
        _UnlikeError: something differs.
    """
    import torch

    other = _load(place, draft, device)
    theirs, ours = _tensors(other), _tensors(fresh.module)
    if theirs.keys() != ours.keys():
        odd = sorted(theirs.keys() ^ ours.keys())
        raise _UnlikeError(f"{odd[0]} is not the same after reading it back")
    for name, tensor in ours.items():
        if not _same_bits(tensor.to(theirs[name].device), theirs[name]):
            raise _UnlikeError(f"{name} is not the same after reading it back")
    # Another kind of device computes the same only nearly.
    if str(device) == str(place.device):
        straighten(other, straightened(fresh.module))
        if not torch.equal(probe(other, fresh.tokenizer), fresh.logits):
            raise _UnlikeError("what was read back computes other numbers")


def _load(place: Place, folder: Path, device: Device) -> Any:
    module = load_module(
        folder,
        place.plan,
        dtype=place.dtype,
        placement={"device_map": {"": str(device)}},
        pickled=False,
        options={},
        label=place.label,
    )
    if count_quantized(module) == 0:
        raise _UnlikeError("nothing in it is quantized")
    # It goes by the name of the model and not by that of a folder in a cache.
    module.name_or_path = module.config.name_or_path = place.plan.config.name_or_path
    return module


def _tensors(module: Any) -> dict[str, Any]:
    """Return every tensor of a model by name, with the constants of quantized weights."""
    return {**dict(module.named_buffers()), **module.state_dict()}


def _same_bits(one: Any, other: Any) -> bool:
    import torch

    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    pair = (each.detach().contiguous().reshape(-1).view(torch.uint8) for each in (one, other))
    return bool(torch.equal(*pair))


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines or [type(error).__name__])[0][:200].rstrip(".")
