"""Quantized copies on this disk: where they lie, and what they are of.

A copy is a folder of `quantized/` in fmagic's cache, named by a key of everything that decides what
its weights are. It holds what transformers saves of a quantized model, and `copy.json` that says
what it is. How copies are made and read is in `fmagic.models.keeping`,
how they are removed in `fmagic.models.pruning`.
"""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import json
import os
import zlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from fmagic.models.architecture import Plan
    from fmagic.models.checkpoint import Weights
    from fmagic.models.devices import Device
    from fmagic.models.hub import LocalModel
    from fmagic.models.quant import Method
    from fmagic.models.spec import ModelSpec

FOLDER = "quantized"
NOTE = "copy.json"
FORMAT = "fmagic.copy/1"
REFUSED = ".refused"  # ends the name of a note on a model of which no copy can be kept
SAMPLES, SAMPLE = 64, 4096  # places of a weight file that are looked at, and their bytes
# A smaller model is quantized in a tenth of a second, and checking a copy takes as long.
LEAST_PARAMETERS = 10_000_000
PACKAGES = ("torch", "transformers")  # that decide what a copy is, besides those of the method
CHUNK = 1 << 24  # bytes that are read at once


@dataclass(frozen=True, slots=True)
class Copy:
    """A quantized copy on this disk.

    Attributes:
        folder: with its files.
        name: of the model, for people; empty if its note cannot be read.
        revision: commit of the hub, `None` for a local folder.
        method: of quantization.
        dtype: of its unquantized weights.
        device: kind of device on which it was made and checked.
        bytes: on disk.
        parameters: number of weights, each quantized one counted as one.
        versions: of the packages that made it.
        made: when.
        used: when it was last loaded.
    """

    folder: Path
    name: str
    revision: str | None
    method: str
    dtype: str
    device: str
    bytes: int
    parameters: int
    made: datetime
    used: datetime
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def is_current(self) -> bool:
        """Whether the packages that are installed now would read it."""
        return bool(self.name) and self.versions == versions(self.versions)


@dataclass(frozen=True, slots=True)
class Place:
    """Where the copy of one model, quantized in one way, lies or would lie.

    Attributes:
        folder: of the copy, there or not.
        about: what its note says, apart from what is only known once it is made.
        plan: how transformers reads it.
        dtype: of its unquantized weights.
        device: to read it onto.
        label: name of the model, for messages.
    """

    folder: Path
    about: Mapping[str, Any]
    plan: Plan
    dtype: str
    device: Device
    label: str


def place_of(
    root: Path,
    spec: ModelSpec,
    local: LocalModel,
    weights: Weights,
    *,
    plan: Plan,
    method: Method,
    options: Mapping[str, Any],
    dtype: str,
    device: Device,
    parameters: int,
) -> Place | None:
    """Return where a model's copy belongs; `None` if none is to be kept.

    That is the case for a model that is small, not quantized or quantized in its own files, whose
    weights are pickled, or whose class is Python code of its own.

    Args:
        root: folder of all copies.
        spec: of the model whose weights these are.
        local: its files.
        weights: those with its weights.
        plan: how it is loaded.
        method: of quantization.
        options: of `from_pretrained`, for the method.
        dtype: in which it computes.
        device: on which it will run.
        parameters: of the model.
    """
    asked = options.get("quantization_config")
    if (
        asked is None
        or not getattr(method, "storable", False)
        or plan.with_code
        or weights.pickled
        or parameters < LEAST_PARAMETERS
    ):
        return None
    settings = asked.to_dict()
    about = {
        "name": spec.name,
        "revision": local.revision,
        "method": method.name,
        "settings": settings,
        "class": plan.auto_class,
        "dtype": dtype,
        "device": device.type,
        "versions": versions((*PACKAGES, *method.requires)),
    }
    # A commit names content; anything else can change under its name.
    is_commit = spec.kind == "hub" and local.revision is not None
    content = {} if is_commit else {"content": fingerprint(local.path, weights.files)}
    known_by = {**about, **content, "format": FORMAT}
    if not is_commit:
        del known_by["name"], known_by["revision"]
    text = json.dumps(known_by, sort_keys=True, default=str)
    config = copy.deepcopy(plan.config)
    config.quantization_config = settings
    return Place(
        folder=root / hashlib.sha256(text.encode()).hexdigest()[:32],
        about=about,
        plan=dataclasses.replace(plan, config=config),
        dtype=dtype,
        device=device,
        label=spec.name,
    )


def root_of(cache_dir: str | Path) -> Path:
    """Return the folder of all copies."""
    return Path(cache_dir).expanduser() / FOLDER


def listing(cache_dir: str | Path) -> list[Copy]:
    """Return the copies in a cache, the last used first."""
    root = root_of(cache_dir)
    folders = [each for each in entries(root) if each.is_dir() and not each.name.startswith(".")]
    return sorted(map(_open, folders), key=lambda each: each.used, reverse=True)


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Return the installed versions of packages, an empty one where there is none."""
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = ""
    return found


def fingerprint(folder: Path, files: Sequence[Path]) -> str:
    """Return what tells the model in a folder from any other, without reading all of it.

    Its config.json, and of each weight file the name, the size, the time of its last change, and
    samples of its bytes: archives and build systems set all times alike.

    Args:
        folder: with config.json.
        files: with the weights.
    """
    digest = hashlib.sha256((folder / "config.json").read_bytes())
    for file in sorted(files):
        state = file.stat()
        digest.update(f"\0{file.name}\0{state.st_size}\0{state.st_mtime_ns}\0".encode())
        with file.open("rb") as stream:
            for number in range(SAMPLES):
                stream.seek(max(0, state.st_size - SAMPLE) * number // (SAMPLES - 1))
                digest.update(stream.read(SAMPLE))
    return digest.hexdigest()


def checksum(folder: Path) -> dict[str, str]:
    """Return size and CRC-32 of each weight file of a copy, by name.

    Against disks that lie and files that were exchanged; nobody else can write there.
    """
    found = {}
    for file in sorted(folder.glob("*.safetensors")):
        value = 0
        with file.open("rb") as stream:
            while chunk := stream.read(CHUNK):
                value = zlib.crc32(chunk, value)
        found[file.name] = f"{file.stat().st_size}:{value:08x}"
    return found


def read_note(folder: Path) -> dict[str, Any]:
    """Return what copy.json says, nothing if it is not there, is broken or of another kind."""
    try:
        said = json.loads((folder / NOTE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) and said.get("format") == FORMAT else {}


def write_note(folder: Path, about: dict[str, Any]) -> None:
    """Write copy.json into a folder."""
    note = folder / NOTE
    said = {"format": FORMAT, **about}
    note.write_text(json.dumps(said, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    note.chmod(0o600)


def touch(folder: Path) -> None:
    """Note that a copy is used now."""
    os.utime(folder / NOTE)


def entries(root: Path) -> list[Path]:
    """Return what lies in the folder of all copies."""
    try:
        return sorted(root.iterdir())
    except OSError:
        return []


def _open(folder: Path) -> Copy:
    said = read_note(folder)
    named = said.get("versions")
    moment = _time_of(folder / NOTE) or _time_of(folder) or datetime.now(UTC)
    try:
        made = datetime.fromisoformat(str(said.get("made"))).astimezone(UTC)
    except ValueError:
        made = moment
    parameters = said.get("parameters")
    revision = said.get("revision")
    return Copy(
        folder=folder,
        name=str(said.get("name", "")),
        revision=str(revision) if revision else None,
        method=str(said.get("method", "")),
        dtype=str(said.get("dtype", "")),
        device=str(said.get("device", "")),
        bytes=bytes_of(folder),
        parameters=parameters if isinstance(parameters, int) else 0,
        made=made,
        used=moment,
        versions={str(k): str(v) for k, v in named.items()} if isinstance(named, dict) else {},
    )


def _time_of(file: Path) -> datetime | None:
    try:
        return datetime.fromtimestamp(file.stat().st_mtime, UTC)
    except OSError:
        return None


def bytes_of(place: Path) -> int:
    """Return what a file, or a folder with all in it, takes on disk."""
    total = 0
    for file in [place, *place.rglob("*")]:
        try:
            if file.is_file():
                total += file.stat().st_size
        except OSError:
            continue
    return total
