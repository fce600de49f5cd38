"""The files of a model on disk: which hold weights, and whether they are whole.

Looking at the files takes milliseconds and finds what would else fail, or pass unseen, in the
middle of loading: shards that are missing and downloads that were cut off.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fmagic.errors import ModelError, UnsafeModelError, UnsuitableModelError
from fmagic.models.spec import read_json

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

SAFE, SAFE_INDEX = "model.safetensors", "model.safetensors.index.json"
PICKLED, PICKLED_INDEX = "pytorch_model.bin", "pytorch_model.bin.index.json"
# Weights of other programs, by the end of their name, and what to say about them.
FOREIGN = {
    ".gguf": "GGUF files of llama.cpp",
    ".onnx": "ONNX files",
    ".msgpack": "Flax weights",
    ".h5": "TensorFlow weights",
    ".mlmodel": "Core ML weights",
}
LFS_POINTER = b"version https://git-lfs"
LONGEST_HEADER = 100_000_000  # bytes; the limit of the safetensors library


@dataclass(frozen=True, slots=True)
class Weights:
    """The files that hold a model's weights."""

    files: tuple[Path, ...]
    pickled: bool

    @property
    def bytes(self) -> int:
        """Size on disk."""
        return sum(file.stat().st_size for file in self.files)


def transformer_folder(root: Path) -> Path:
    """Return the folder with config.json: `root`, or where its modules.json says it is."""
    if (root / "config.json").is_file():
        return root
    try:
        steps = json.loads((root / "modules.json").read_text(encoding="utf-8"))
        path = str(steps[0]["path"])
    except (OSError, ValueError, LookupError, TypeError):
        return root
    return root / path if (root / path / "config.json").is_file() else root


def find_weights(folder: Path, *, allow_pickle: bool) -> Weights:
    """Return the weight files of a model's folder, after a look at each.

    Raises:
        ModelError: there are none, some are missing, or one is cut off.
        UnsafeModelError: they are pickled, and `allow_pickle` is false.
        UnsuitableModelError: they are of another program.
    """
    for single, index, pickled in ((SAFE, SAFE_INDEX, False), (PICKLED, PICKLED_INDEX, True)):
        names = _listed(folder, single, index)
        if not names:
            continue
        if pickled and not allow_pickle:
            raise UnsafeModelError(refusal(folder.name))
        missing = [name for name in names if not (folder / name).is_file()]
        if missing:
            raise ModelError(
                f"{folder.name} lacks {len(missing)} of its {len(names)} weight files: "
                f"{missing[0]}{' and more' if len(missing) > 1 else ''}. Fetch them again."
            )
        files = tuple(folder / name for name in names)
        for file in files:
            _check_file(file, pickled=pickled)
        return Weights(files, pickled)
    raise no_weights(folder.name, (each.name for each in folder.iterdir()))


def refusal(name: str) -> str:
    """Say why pickled weights are not loaded and what to do."""
    return (
        f"The weights of {name} are pickled, and a pickle can run any code when it is read. If you "
        "trust their author, add --allow-pickle; "
        "https://huggingface.co/spaces/safetensors/convert makes safetensors of them."
    )


def no_weights(name: str, files: Iterable[str]) -> ModelError:
    """Return the error for a model without weights that fmagic loads, naming what is there."""
    for file in sorted(files):
        for ending, what in FOREIGN.items():
            if file.endswith(ending):
                return UnsuitableModelError(
                    f"{name} holds {what} and no safetensors. Pick the original model that they "
                    "were made from."
                )
    return ModelError(f"{name} has no weights: {SAFE} is missing. Fetch or save the model again.")


def read_header(file: Path) -> dict[str, Any]:
    """Return the header of a safetensors file: name to dtype, shape and place.

    The format is eight bytes with the header's length, the header as JSON, then the tensors
    (https://huggingface.co/docs/safetensors, "Format").

    Raises:
        ModelError: the file is no safetensors file, or is cut off.
    """
    size = file.stat().st_size
    with file.open("rb") as stream:
        start = stream.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0  # noqa: PLR2004 - above
        if start.startswith(LFS_POINTER[:8]):
            raise ModelError(
                f"{file.name} is a pointer of Git LFS and not the weights. Run `git lfs pull` in "
                f"{file.parent.name}, or fetch the model with `hf download`."
            )
        if not 0 < length <= min(size - 8, LONGEST_HEADER):
            raise _broken(file, "its header is no header")
        try:
            header = json.loads(stream.read(length))
            end = max(
                (each["data_offsets"][1] for key, each in header.items() if key != "__metadata__"),
                default=0,
            )
        except (ValueError, LookupError, TypeError, AttributeError):
            raise _broken(file, "its header is no header") from None
    if size != 8 + length + end:
        raise _broken(file, f"it has {size:,} bytes where {8 + length + end:,} are due")
    header.pop("__metadata__", None)
    return dict(header)


def _listed(folder: Path, single: str, index: str) -> list[str]:
    if (folder / single).is_file():
        return [single]
    content = read_json(folder / index)
    if content is None:
        return []
    names = content.get("weight_map")
    if not isinstance(names, dict) or not names:
        raise ModelError(f"{index} in {folder.name} lists no weights. Fetch the model again.")
    return sorted({str(name) for name in names.values()})


def _check_file(file: Path, *, pickled: bool) -> None:
    if not pickled:
        read_header(file)
        return
    with file.open("rb") as stream:
        if stream.read(len(LFS_POINTER)) == LFS_POINTER:
            raise ModelError(
                f"{file.name} is a pointer of Git LFS and not the weights. Run `git lfs pull`."
            )


def _broken(file: Path, reason: str) -> ModelError:
    return ModelError(
        f"{file.name} in {file.parent.name} is broken: {reason}. "
        "Remove the file and fetch the model again."
    )
