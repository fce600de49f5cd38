"""Models of the Hugging Face Hub: from this disk at once, over the network only if they must.

A model that is on this disk loads without a network, and its revision changes only when the user
asks for another. It is looked up once where another program may have fetched a part of it.
"""

from __future__ import annotations

import contextlib
import re
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from fmagic.errors import (
    FmagicError,
    Interrupted,
    ModelError,
    OptionError,
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
from fmagic.models.download import download
from fmagic.models.hub_client import LONGEST_CONFIG, no_answer, small_file
from fmagic.models.hub_errors import explained, fetch_command, missing, patiently
from fmagic.models.hub_storage import (
    Digest,
    RemoteFile,
    checked_names,
    lacks,
    must_have_room,
    note_lacking,
)
from fmagic.models.spec import read_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from fmagic.models.spec import ModelSpec

LOOK_UP_SECONDS = 10.0
GLANCE_SECONDS = 2.0  # to look whether a model that loads as it is lacks anything
DEFAULT_REVISION = "main"
COMMIT = re.compile(r"[0-9a-f]{40}")
REVISION = re.compile(r"\w[\w./-]*", re.ASCII)
CARD = "README.md"
SMALL_PARTS = ("tokenizer.json", "modules.json")  # that another program may have left out
OF_A_WHOLE = ("README.md", ".gitattributes")
TOKENIZER = re.compile(r"token|vocab|merges|tekken|\.model$|\.spm$|spiece")
WRITES = re.compile("CausalLM|LMHead|ConditionalGeneration")
TOLD_BY = ("config.json", "modules.json")  # what kind of model it is, and how large
TEXT_ENDINGS = (".json", ".txt", ".model", ".tiktoken", ".jinja", ".spm", ".vocab")
TINY_FOLDER = Path(__file__).parent / "tiny" / "weights"


@dataclass(frozen=True, slots=True)
class LocalModel:
    """A model on this disk.

    Attributes:
        path: folder with config.json and the weights.
        root: folder of the whole model, with its card and its pooling.
        revision: commit of the hub, run id of a tuned model, `None` for a folder.
        doubtful: whether small files may be lacking, and the hub could not be asked.
    """

    path: Path
    root: Path
    revision: str | None = None
    doubtful: bool = False


def resolve(
    spec: ModelSpec,
    *,
    revision: str | None = None,
    offline: bool = False,
    allow_pickle: bool = False,
    with_code: bool = False,
    known: Iterable[str] = (),
    look: Callable[[Path], None] | None = None,
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
        look: called before a model is fetched, with a folder that holds its config.json (and
            modules.json) alone; what it raises ends the fetching before anything large came.
        progress: called with bytes on disk and bytes in all while a model is fetched; first with
            what an earlier try left.

    Raises:
        ModelNotFoundError: the hub has no such model or revision.
        GatedModelError: the hub does not give it to this machine's user.
        DownloadError: its files do not come, come broken, or have no room.
        OfflineError: it is not on this disk, and the network is off or does not answer.
        Interrupted: Stop was pressed; what was received is kept for the next try.
        UnsafeModelError: it has pickled weights only.
        UnsuitableModelError: it is no model for text, or one of another program.
    """
    if spec.kind != "hub":
        return _on_disk(spec)
    revision = checked_revision(revision or spec.revision)
    found = cached(spec.name, revision)
    whole, pickled = _whole(found, allow_pickle=allow_pickle)
    if whole and not _may_lack(whole, spec.name):
        return whole
    try:
        if offline or _offline_mode():
            raise missing(spec.name, revision, "the network is switched off")
        fetched = _fetch(
            spec.name,
            whole.revision if whole else revision,
            allow_pickle=allow_pickle,
            with_code=with_code,
            known=known,
            doubted=found is not None and whole is None,
            look=look,
            progress=progress,
            patience=GLANCE_SECONDS if whole else LOOK_UP_SECONDS,
        )
    except FmagicError as error:
        if isinstance(error, Interrupted):
            raise
        if whole:
            return replace(whole, doubtful=True)
        raise (pickled or error) from None
    note_lacking(spec.name, fetched.root, SMALL_PARTS)
    return fetched


def _on_disk(spec: ModelSpec) -> LocalModel:
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
    assert spec.path is not None
    return LocalModel(transformer_folder(spec.path), spec.path, spec.revision)


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


def checked_revision(revision: str | None) -> str | None:
    """Return a revision that can be the name of a branch, a tag or a commit.

    Raises:
        OptionError: it cannot.
    """
    if revision is not None and (not REVISION.fullmatch(revision) or ".." in revision):
        raise OptionError(
            f"{revision!r} is no revision: name a branch, a tag or a commit, such as main."
        )
    return revision


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


def _whole(
    found: LocalModel | None, *, allow_pickle: bool
) -> tuple[LocalModel | None, UnsafeModelError | None]:
    """Return a model in the cache if it is whole, and why not if only pickled weights are there.

    They may have come long ago: the hub may have others by now.
    """
    if found is None or not (found.path / "config.json").is_file():
        return None, None
    try:
        find_weights(found.path, allow_pickle=allow_pickle)
    except UnsafeModelError as error:
        return None, error
    except ModelError:
        return None, None
    return found, None


def _may_lack(found: LocalModel, name: str) -> bool:
    """Tell whether another program may have left out small files of a model in the cache.

    transformers fetches what it reads itself: not how vectors are pooled, and of AutoModel alone no
    tokenizer. Who fetches a whole repository has its card.
    """
    if any((found.root / each).exists() for each in OF_A_WHOLE):
        return False
    here = [each.name for folder in {found.path, found.root} for each in folder.iterdir()]
    if not any(TOKENIZER.search(each) for each in here):
        return not lacks(name, found.root, "tokenizer.json")
    kinds = (read_json(found.path / "config.json") or {}).get("architectures") or ()
    writes = any(WRITES.search(str(each)) for each in kinds)
    return not writes and "modules.json" not in here and not lacks(name, found.root, "modules.json")


def _offline_mode() -> bool:
    from huggingface_hub import constants

    return bool(constants.is_offline_mode())


def _fetch(
    name: str,
    revision: str | None,
    *,
    allow_pickle: bool,
    with_code: bool,
    known: Iterable[str],
    doubted: bool,
    look: Callable[[Path], None] | None,
    progress: Callable[[int, int], None] | None,
    patience: float,
) -> LocalModel:
    files: list[RemoteFile] = []
    try:
        commit, listed = _listing(name, revision, patience)
        names = [file.name for file in listed]
        wanted = set(_needed(name, names, allow_pickle=allow_pickle, with_code=with_code))
        files = [file for file in listed if file.name in wanted]
        if look is not None:
            _look_ahead(name, files, commit, look)
        must_have_room(name, files)
        root = download(
            name,
            files,
            commit=commit,
            revision=revision or DEFAULT_REVISION,
            doubted=doubted,
            progress=progress,
        )
    except FmagicError:
        raise
    except (Exception, KeyboardInterrupt) as error:
        failure = explained(error, name, revision, files=files, known=known)
        if failure is None:
            raise
    else:
        return LocalModel(transformer_folder(root), root, commit)
    # Here, so that it carries nothing of the request, which has the token in it.
    raise failure


def _look_ahead(
    name: str, files: Iterable[RemoteFile], commit: str, look: Callable[[Path], None]
) -> None:
    """Show what a model is before its weights come; nothing of it stays on this disk.

    What cannot be had or checked is left to the fetching, which tries again and says what is wrong.
    """
    from huggingface_hub.errors import HfHubHTTPError

    small = [file for file in files if file.name.rpartition("/")[2] in TOLD_BY]
    checked_names(name, (file.name for file in small))
    if not all(file.is_checkable and file.size <= LONGEST_CONFIG for file in small):
        return
    with contextlib.ExitStack() as stack:
        try:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fmagic-look-")))
            for file in small:
                content = small_file(name, file.name, commit, LOOK_UP_SECONDS)
                digest = Digest(file)
                digest.add(content)
                if not digest.is_right():
                    return
                path = folder / file.name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
        except (HfHubHTTPError, ModelError, OSError, no_answer()):
            return
        look(folder)


def _listing(name: str, revision: str | None, seconds: float) -> tuple[str, list[RemoteFile]]:
    """Return the commit that a revision is now, and its files."""
    from huggingface_hub import HfApi

    info = patiently(
        lambda: HfApi(library_name="fmagic").model_info(
            name, revision=revision, timeout=seconds, files_metadata=True
        )
    )
    files = []
    for each in info.siblings or ():
        digest = each.lfs.sha256 if each.lfs is not None else each.blob_id
        files.append(RemoteFile(each.rfilename, int(each.size or 0), str(digest or "")))
    commit = str(info.sha or "")
    if not COMMIT.fullmatch(commit):
        raise ModelError(
            f"The hub does not say which commit {name} is at, so it cannot be recorded. "
            "Check that HF_ENDPOINT names a Hugging Face Hub."
        )
    return commit, files


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
