"""The models on this disk: the bundled one, tuned ones, and what the hub's cache holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fmagic.errors import FmagicError, ModelError
from fmagic.models.architecture import reads_images_too
from fmagic.models.cards import license_of
from fmagic.models.checkpoint import transformer_folder
from fmagic.models.hub import TINY_FOLDER, cached
from fmagic.models.known import find
from fmagic.models.licenses import UNKNOWN, strictest
from fmagic.models.spec import (
    TINY,
    TUNED_FILE,
    ModelSpec,
    parse_spec,
    read_json,
    tuned_names,
    tuned_runs,
)

if TYPE_CHECKING:
    from pathlib import Path

    from fmagic.models.licenses import License
    from fmagic.models.spec import SpecKind

MOST_BASES = 8  # of a tuned model of a tuned model


@dataclass(frozen=True, slots=True)
class Entry:
    """One model on this disk.

    Attributes:
        name: as `%model` takes it.
        source: where it is: `tiny`, `tuned` or `hub`.
        bytes: on disk.
        architecture: from its config.json, `None` if it does not say.
        license: as its card says, else as the curated list does.
        base: the model that a tuned one was made from.
        revision: commit of the hub, run id of a tuned model.
        path: folder.
        reads_images_too: and writes with text alone.
    """

    name: str
    source: SpecKind
    bytes: int
    architecture: str | None
    license: License
    base: str | None
    revision: str | None
    path: Path
    reads_images_too: bool = False


def listing(models_dir: Path) -> list[Entry]:
    """Return the models on this disk: `tiny`, then tuned ones, then the hub's, each by name.

    Args:
        models_dir: where `%%finetune` saves models.
    """
    tiny = TINY_FOLDER.is_dir()
    return [
        *([_entry(ModelSpec("tiny", TINY), TINY_FOLDER, models_dir)] if tiny else []),
        *_tuned(models_dir),
        *_hub(models_dir),
    ]


def license_for(
    spec: ModelSpec, root: Path | None, models_dir: Path, *, adapter: Path | None = None
) -> License:
    """Return the licence of a model: as its card says, else as the curated list does.

    A tuned model without a card has its base's.

    Args:
        spec: of the model.
        root: its folder; `None` if it is not on this disk.
        models_dir: where `%%finetune` saves models.
        adapter: folder of an adapter on it; of the two licences the one that asks more counts.
    """
    found = _license(spec, root, models_dir)
    own = license_of(adapter) if adapter else UNKNOWN
    return found if own == UNKNOWN else strictest([found, own])


def _license(spec: ModelSpec, root: Path | None, models_dir: Path) -> License:
    for _ in range(MOST_BASES):
        hub_name = spec.name if spec.kind == "hub" else None
        found = license_of(root, hub_name) if root is not None else UNKNOWN
        if found.kind != "unknown":
            return found
        if hub_name and (known := find(hub_name)) is not None:
            return known.license
        if spec.kind != "tuned" or spec.path is None:
            return found
        try:
            spec = parse_spec(
                str(_json(spec.path / TUNED_FILE).get("base") or ""), models_dir=models_dir
            )
        except FmagicError:
            return found  # the base is gone
        root = _root(spec)
    return UNKNOWN


def _root(spec: ModelSpec) -> Path | None:
    """Return the folder of a model as far as it is on this disk."""
    if spec.kind == "tiny":
        return TINY_FOLDER
    if spec.kind == "hub":
        held = cached(spec.name, spec.revision)
        return held.root if held else None
    return spec.path


def _tuned(models_dir: Path) -> list[Entry]:
    entries = []
    for name in tuned_names(models_dir):
        run = tuned_runs(models_dir / name)[-1]
        base = _json(run / TUNED_FILE).get("base")
        entries.append(
            _entry(
                ModelSpec("tuned", name, run.name, run),
                run,
                models_dir,
                base=base if isinstance(base, str) else None,
            )
        )
    return entries


def _hub(models_dir: Path) -> list[Entry]:
    from huggingface_hub import CacheNotFound, constants, scan_cache_dir

    try:
        repositories = scan_cache_dir(constants.HF_HUB_CACHE).repos
    except CacheNotFound:
        return []
    entries = []
    for repository in sorted(repositories, key=lambda each: each.repo_id.lower()):
        if repository.repo_type != "model" or not repository.revisions:
            continue
        newest = max(repository.revisions, key=lambda each: each.last_modified)
        folder = newest.snapshot_path
        # What other programs left: a name without its owner, or a configuration without weights.
        if "/" in repository.repo_id and _has_weights(folder):
            # Only a commit is there, where a commit was asked for.
            pinned = "" if cached(repository.repo_id) else f"@{newest.commit_hash}"
            entries.append(
                _entry(
                    ModelSpec("hub", f"{repository.repo_id}{pinned}", newest.commit_hash),
                    folder,
                    models_dir,
                    size=newest.size_on_disk,
                )
            )
    return entries


def _has_weights(folder: Path) -> bool:
    """Tell whether a folder holds a model for text with weights, whole or not."""
    path = transformer_folder(folder)
    files = [*path.glob("*.safetensors"), *path.glob("*.bin")]
    return (path / "config.json").is_file() and bool(files)


def _entry(
    spec: ModelSpec,
    folder: Path,
    models_dir: Path,
    *,
    size: int | None = None,
    base: str | None = None,
) -> Entry:
    if size is None:
        size = sum(each.stat().st_size for each in folder.rglob("*") if each.is_file())
    config = _json(transformer_folder(folder) / "config.json")
    architectures = config.get("architectures")
    first = architectures[0] if isinstance(architectures, list) and architectures else None
    return Entry(
        spec.name,
        spec.kind,
        size,
        first if isinstance(first, str) else None,
        license_for(spec, folder, models_dir),
        base,
        spec.revision,
        folder,
        # transformers is asked only where there is something to ask.
        "text_config" in config and reads_images_too(str(config.get("model_type"))),
    )


def _json(file: Path) -> dict[str, Any]:
    """Return the object in a file; a listing leaves out what one broken file would say."""
    try:
        return read_json(file) or {}
    except ModelError:
        return {}
