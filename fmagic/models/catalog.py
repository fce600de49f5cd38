"""The models on this disk: the bundled one, tuned ones, and what the hub's cache holds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fmagic.errors import ModelError
from fmagic.models.checkpoint import transformer_folder
from fmagic.models.hub import CARD, TINY_FOLDER
from fmagic.models.spec import TINY, TUNED_FILE, read_json, tuned_names, tuned_runs

if TYPE_CHECKING:
    from pathlib import Path

    from fmagic.models.spec import SpecKind

FRONT_MATTER = re.compile(r"\A---\s*\n(.*?)\n---\s*(?:\n|\Z)", re.DOTALL)
LICENSE_LINE = re.compile(r"^license:\s*[\"']?([^\s\"'#]+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Entry:
    """One model on this disk.

    Attributes:
        name: as `%model` takes it.
        source: where it is: `tiny`, `tuned` or `hub`.
        bytes: on disk.
        architecture: from its config.json, `None` if it does not say.
        license: as its card says, `None` if it does not say.
        base: the model that a tuned one was made from.
        revision: commit of the hub, run id of a tuned model.
        path: folder.
    """

    name: str
    source: SpecKind
    bytes: int
    architecture: str | None
    license: str | None
    base: str | None
    revision: str | None
    path: Path


def listing(models_dir: Path) -> list[Entry]:
    """Return the models on this disk: `tiny`, then tuned ones, then the hub's, each by name.

    Args:
        models_dir: where `%%finetune` saves models.
    """
    tiny = [_entry(TINY, "tiny", TINY_FOLDER)] if TINY_FOLDER.is_dir() else []
    return [*tiny, *_tuned(models_dir), *_hub()]


def license_of(folder: Path) -> str | None:
    """Return the licence in the front matter of a model's card, `None` if there is none."""
    try:
        text = (folder / CARD).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    matter = FRONT_MATTER.match(text)
    line = LICENSE_LINE.search(matter[1]) if matter else None
    return line[1].lower() if line else None


def _tuned(models_dir: Path) -> list[Entry]:
    entries = []
    for name in tuned_names(models_dir):
        run = tuned_runs(models_dir / name)[-1]
        base = _json(run / TUNED_FILE).get("base")
        entries.append(
            _entry(
                name, "tuned", run, base=base if isinstance(base, str) else None, revision=run.name
            )
        )
    return entries


def _hub() -> list[Entry]:
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
        if _is_text_model(folder):
            entries.append(
                _entry(
                    repository.repo_id,
                    "hub",
                    folder,
                    size=newest.size_on_disk,
                    revision=newest.commit_hash,
                )
            )
    return entries


def _is_text_model(folder: Path) -> bool:
    return (transformer_folder(folder) / "config.json").is_file()


def _entry(
    name: str,
    source: SpecKind,
    folder: Path,
    *,
    size: int | None = None,
    base: str | None = None,
    revision: str | None = None,
) -> Entry:
    if size is None:
        size = sum(each.stat().st_size for each in folder.rglob("*") if each.is_file())
    architectures = _json(transformer_folder(folder) / "config.json").get("architectures")
    first = architectures[0] if isinstance(architectures, list) and architectures else None
    return Entry(
        name,
        source,
        size,
        first if isinstance(first, str) else None,
        license_of(folder),
        base,
        revision,
        folder,
    )


def _json(file: Path) -> dict[str, Any]:
    """Return the object in a file; a listing leaves out what one broken file would say."""
    try:
        return read_json(file) or {}
    except ModelError:
        return {}
