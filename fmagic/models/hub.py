"""Models of the Hugging Face Hub: from this disk at once, over the network only if they must.

A model that is on this disk is never looked up elsewhere, so it loads without a network, and its
revision changes only when the user asks for another.
"""

from __future__ import annotations

import importlib
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fmagic.errors import (
    ModelError,
    ModelNotFoundError,
    OfflineError,
    UnsafeModelError,
    UnsuitableModelError,
)
from fmagic.models.checkpoint import (
    PICKLED,
    PICKLED_INDEX,
    SAFE,
    SAFE_INDEX,
    find_weights,
    no_weights,
    refusal,
    transformer_folder,
)
from fmagic.models.spec import near_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from fmagic.models.spec import ModelSpec

LOOK_UP_SECONDS = 10.0
SPARE_DISK = 200_000_000  # bytes to leave free
CARD = "README.md"
TEXT_ENDINGS = (".json", ".txt", ".model", ".tiktoken", ".jinja", ".spm", ".vocab")
TINY_FOLDER = Path(__file__).parent / "tiny" / "weights"


@dataclass(frozen=True, slots=True)
class LocalModel:
    """A model on this disk.

    Attributes:
        path: folder with config.json and the weights.
        root: folder of the whole model, with its card and its pooling.
        revision: commit of the hub, run id of a tuned model, `None` for a folder.
    """

    path: Path
    root: Path
    revision: str | None = None


def resolve(
    spec: ModelSpec,
    *,
    revision: str | None = None,
    offline: bool = False,
    allow_pickle: bool = False,
    with_code: bool = False,
    known: Iterable[str] = (),
    progress: Callable[[int, int], None] | None = None,
) -> LocalModel:
    """Return where a model is on this disk, fetching it first if it is not there.

    Args:
        spec: of the model.
        revision: branch, tag or commit; before that of the spec.
        offline: never use the network. `HF_HUB_OFFLINE=1` says the same.
        allow_pickle: fetch pickled weights if there are no others.
        with_code: fetch the repository's Python files as well.
        known: names to suggest when there is no such model.
        progress: called with bytes done and bytes in all while a model is fetched.

    Raises:
        ModelNotFoundError: the hub has no such model or revision.
        OfflineError: it is not on this disk, and the network is off or does not answer.
        UnsafeModelError: it has pickled weights only.
        UnsuitableModelError: it is no model for text, or one of another program.
    """
    if spec.kind == "remote":
        raise UnsuitableModelError(
            f"{spec.name} is served at an address, and nothing of it comes to this machine."
        )
    if spec.kind == "tiny":
        if not (TINY_FOLDER / "config.json").is_file():
            raise ModelError(
                "The files of `tiny` are missing from this installation of fmagic. "
                "Install it again: pip install --force-reinstall --no-deps fmagic"
            )
        return LocalModel(TINY_FOLDER, TINY_FOLDER)
    if spec.kind != "hub":
        assert spec.path is not None
        return LocalModel(transformer_folder(spec.path), spec.path, spec.revision)
    revision = revision or spec.revision
    found = cached(spec.name, revision)
    if found is not None and _is_whole(found, allow_pickle=allow_pickle):
        return found
    if offline or _offline_mode():
        raise _offline_error(spec.name, revision, part=found is not None)
    return _fetch(
        spec.name,
        revision,
        allow_pickle=allow_pickle,
        with_code=with_code,
        known=known,
        part=found is not None,
        progress=progress,
    )


def cached(name: str, revision: str | None = None) -> LocalModel | None:
    """Return the model if the hub's cache on this disk has it, whole or in part."""
    from huggingface_hub import try_to_load_from_cache

    for file in ("config.json", "modules.json"):
        path = try_to_load_from_cache(name, file, revision=revision)
        if isinstance(path, str):
            root = Path(path).parent
            return LocalModel(transformer_folder(root), root, root.name)
    return None


def cached_names() -> list[str]:
    """Return the names of the models in the hub's cache on this disk."""
    from huggingface_hub import constants

    folder = Path(constants.HF_HUB_CACHE)
    if not folder.is_dir():
        return []
    parts = (each.name.split("--")[1:] for each in sorted(folder.glob("models--*--*")))
    return [f"{part[0]}/{'--'.join(part[1:])}" for part in parts]


def fetch_command(name: str, revision: str | None) -> str:
    """Return the command that brings a model onto this disk."""
    return f"hf download {name}" + (f" --revision {revision}" if revision else "")


def wanted_files(names: Iterable[str], *, allow_pickle: bool, with_code: bool) -> list[str]:
    """Return which files of a repository a model needs: one format of weights, and small files."""
    names = list(names)
    folders = {name.rpartition("/")[0] for name in names if name.endswith("/config.json")}
    top = ["", *sorted(folder for folder in folders if folder[:1].isdigit())]
    wanted = [CARD] if CARD in names else []
    for folder in top:
        here = [name for name in names if name.rpartition("/")[0] == folder]
        wanted += [name for name in here if name.endswith(TEXT_ENDINGS)]
        wanted += _weights(here, allow_pickle=allow_pickle)
    if with_code:
        wanted += [name for name in names if name.endswith(".py")]
    return wanted


def _weights(names: list[str], *, allow_pickle: bool) -> list[str]:
    """Return the weights among the files of one folder, as transformers would pick them."""
    by_short = {name.rpartition("/")[2]: name for name in names}
    forms = [(SAFE, SAFE_INDEX, "model-", ".safetensors")]
    if allow_pickle:
        forms.append((PICKLED, PICKLED_INDEX, "pytorch_model-", ".bin"))
    for single, index, start, end in forms:
        if single in by_short:
            return [by_short[single]]
        if index in by_short:
            return [
                name
                for short, name in by_short.items()
                if short.startswith(start) and short.endswith(end)
            ]
    return []


def _is_whole(found: LocalModel, *, allow_pickle: bool) -> bool:
    if not (found.path / "config.json").is_file():
        return False
    try:
        find_weights(found.path, allow_pickle=allow_pickle)
    except UnsafeModelError:
        raise
    except ModelError:
        return False
    return True


def _offline_mode() -> bool:
    from huggingface_hub import constants

    return bool(constants.is_offline_mode())


def _offline_error(
    name: str, revision: str | None, *, part: bool, because: str = "the network is switched off"
) -> OfflineError:
    state = "Only a part of" if part else "None of"
    return OfflineError(
        f"{state} {name} is on this disk, and {because}. With a network, run\n"
        f"  {fetch_command(name, revision)}\n"
        "`%model tiny` works without one."
    )


def _fetch(
    name: str,
    revision: str | None,
    *,
    allow_pickle: bool,
    with_code: bool,
    known: Iterable[str],
    part: bool,
    progress: Callable[[int, int], None] | None,
) -> LocalModel:
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub import errors as hub_errors

    # httpx's, by the only name that stays the same between versions of huggingface_hub.
    no_answer: type[Exception] = vars(hub_errors)["HTTPError"]
    try:
        info = HfApi().model_info(
            name, revision=revision, timeout=LOOK_UP_SECONDS, files_metadata=True
        )
        sizes = {each.rfilename: int(each.size or 0) for each in info.siblings or ()}
        files = _needed(name, sizes, allow_pickle=allow_pickle, with_code=with_code)
        total = sum(sizes[file] for file in files)
        _must_have_room(name, total)
        root = Path(
            snapshot_download(
                name,
                revision=info.sha,
                allow_patterns=files,
                tqdm_class=_reporter(progress, total),
            )
        )
    except hub_errors.GatedRepoError:
        raise ModelNotFoundError(
            f"{name} asks for consent first: accept its terms at https://huggingface.co/{name}, "
            "then `hf auth login` on this machine."
        ) from None
    except hub_errors.RevisionNotFoundError:
        raise ModelNotFoundError(
            f"{name} has no revision {revision!r}; "
            f"https://huggingface.co/{name}/commits lists them."
        ) from None
    except (hub_errors.RepositoryNotFoundError, hub_errors.HFValidationError):
        raise ModelNotFoundError(
            f"The Hugging Face Hub has no model {name!r} that this machine may read."
            f"{near_names(name, known)} A private one needs `hf auth login`."
        ) from None
    except hub_errors.HfHubHTTPError as error:
        raise _offline_error(
            name, revision, part=part, because=f"the hub answers with an error ({error})"
        ) from None
    except (
        no_answer,
        hub_errors.OfflineModeIsEnabled,
        hub_errors.LocalEntryNotFoundError,
    ) as error:
        raise _offline_error(
            name,
            revision,
            part=part,
            because=f"the Hugging Face Hub cannot be reached ({type(error).__name__})",
        ) from None
    return LocalModel(transformer_folder(root), root, root.name)


def _needed(name: str, files: Iterable[str], *, allow_pickle: bool, with_code: bool) -> list[str]:
    """Return the files to fetch, or say why none would do, before anything large is fetched."""
    files = list(files)
    wanted = wanted_files(files, allow_pickle=allow_pickle, with_code=with_code)
    if "model_index.json" in files:
        raise UnsuitableModelError(
            f"{name} is a diffusion model (images); fmagic runs text models."
        )
    if not any(file.rpartition("/")[2] == "config.json" for file in wanted):
        if "adapter_config.json" in files:
            raise UnsuitableModelError(
                f"{name} is an adapter, not a whole model. Load its base with "
                f"`--adapter`, after `{fetch_command(name, None)}`."
            )
        raise no_weights(name, files)
    if not any(file.endswith((".safetensors", ".bin")) for file in wanted):
        if any(file.endswith((PICKLED, PICKLED_INDEX)) for file in files):
            raise UnsafeModelError(refusal(name))
        raise no_weights(name, files)
    return wanted


def _must_have_room(name: str, needed: int) -> None:
    from huggingface_hub import constants

    from fmagic.views import size

    folder = Path(constants.HF_HUB_CACHE)
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if needed + SPARE_DISK > free:
        raise ModelError(
            f"{name} takes {size(needed)} of disk, and {size(free)} are free in its cache. Remove "
            "models with `hf cache rm`, or set HF_HOME to a larger disk."
        )


def _reporter(progress: Callable[[int, int], None] | None, total: int) -> type[Any]:
    """Return a progress bar class of tqdm that draws nothing and calls `progress`."""
    base: Any = importlib.import_module("huggingface_hub.utils.tqdm").tqdm

    class Reporter(base):  # type: ignore[misc]  # tqdm has no types
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            # One bar counts bytes on disk, another bytes received; files have one as well.
            self._reports = kwargs.get("name") == "huggingface_hub.snapshot_download"
            self._sum = int(kwargs.get("initial") or 0)
            super().__init__(*args, **{**kwargs, "disable": True})

        def update(self, n: float | None = 1) -> None:
            if self._reports and progress is not None and n:
                self._sum += int(n)
                progress(min(self._sum, total), total)

    return Reporter
