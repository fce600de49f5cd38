"""What a user may write to name a model.

`tiny`, a folder, `org/name[@revision]`, the name of a model that `%%finetune` made, or the address
of a server with the model's name, `https://host/v1#name`. A folder wins over a hub name, and a
tuned model over a folder beside the notebook; `./name` always means the folder.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from fmagic.errors import ModelNotFoundError, OptionError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable

TINY = "tiny"
TUNED_FILE = "fmagic.json"
HUB_NAME = re.compile(
    r"(?P<name>[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(?:@(?P<revision>[\w./-]+))?", re.ASCII
)
TUNED_NAME = re.compile(r"(?P<name>[\w.-]+)(?:@(?P<run>[0-9a-f-]+))?")
# `./x`, `../x`, `/x`, `~/x`, `.`, `..`, `C:\x`, `C:/x`, and anything with a backslash.
PATH_FORM = re.compile(r"\.{1,2}(?:[/\\]|$)|[/~]|[A-Za-z]:[/\\]|.*\\", re.DOTALL)
SHOWN_FILES = 6

SpecKind = Literal["tiny", "folder", "hub", "tuned", "remote"]


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A model, named.

    Attributes:
        kind: where it is.
        name: for people: `tiny`, `org/name`, the folder's or the tuned model's own name, or
            `address#name` of a server.
        revision: branch, tag or commit of the hub; run id of a tuned model.
        path: folder, if it is known already.
    """

    kind: SpecKind
    name: str
    revision: str | None = None
    path: Path | None = None

    @property
    def address(self) -> str:
        """Address of the server, empty for a model of this machine."""
        return self.name.partition("#")[0] if self.kind == "remote" else ""

    @property
    def name_there(self) -> str:
        """Name of the model on its server, empty for a model of this machine."""
        return self.name.partition("#")[2] if self.kind == "remote" else ""

    def __str__(self) -> str:
        if self.kind == "folder" and self.path is not None:
            return str(self.path)
        if self.kind == "hub" and self.revision:
            return f"{self.name}@{self.revision}"
        return self.name


def parse_spec(text: str, *, models_dir: Path) -> ModelSpec:
    """Return what `text` names, without touching the network.

    Args:
        text: as the user wrote it.
        models_dir: where `%%finetune` saves models.

    Raises:
        OptionError: no name at all, or a server's address without the name of a model.
        ModelNotFoundError: it can only be a folder or a tuned model, and there is none.
    """
    text = text.strip().strip("\"'")
    if not text:
        raise OptionError("No model is named. Try `%model tiny`, or a name from `%models`.")
    if text == TINY:
        return ModelSpec("tiny", TINY)
    if text.startswith(("http://", "https://")):
        return _remote(text)
    if PATH_FORM.match(text):
        return _folder(Path(text).expanduser())
    if (tuned := _tuned(text, models_dir)) is not None:
        return tuned
    if Path(text).is_dir():
        return _folder(Path(text))
    if match := HUB_NAME.fullmatch(text):
        return ModelSpec("hub", match["name"], match["revision"])
    names = known_names(models_dir)
    raise ModelNotFoundError(
        f"There is no model {text!r}.{near_names(text, names)} A model is `tiny`, `org/name` of "
        "the Hugging Face Hub, a folder (./folder), or a name that %%finetune made (they are in "
        f"{models_dir})."
    )


def must_name_tuned(text: str) -> None:
    """See that a model to be made may be called so, and will be found by it.

    Raises:
        OptionError: it is no name, or that of the bundled model.
    """
    if text == TINY:
        raise OptionError(f"{TINY} is the bundled model. Choose another name, such as {TINY}-mine.")
    match = TUNED_NAME.fullmatch(text)
    if match is None or match["run"] or not text.strip("."):
        raise OptionError(
            f"{text!r} is no name for a model: use letters, digits, - and _, such as reviews-lora."
        )


def at_revision(spec: ModelSpec, revision: str) -> ModelSpec:
    """Return a model of the hub at a branch, a tag or a commit.

    Raises:
        OptionError: it is no model of the hub, or names another revision itself.
    """
    if spec.kind != "hub":
        raise OptionError(
            f"--revision is for models of the Hugging Face Hub (org/name), and {spec.name} is none."
        )
    if spec.revision not in (None, revision):
        raise OptionError(
            f"{spec} names the revision {spec.revision}, and --revision is {revision}: give one."
        )
    return replace(spec, revision=revision)


def known_names(models_dir: Path) -> list[str]:
    """Return the names of models that are on this disk: `tiny`, tuned ones, the hub's cache."""
    from fmagic.models.hub import cached_names

    return [TINY, *tuned_names(models_dir), *cached_names()]


def near_names(word: str, names: Iterable[str]) -> str:
    """Return "Did you mean ...?" for the nearest names, with or without their organisation."""
    names = list(names)
    by_short = {name.rpartition("/")[2]: name for name in names}
    guess = did_you_mean(word, names)
    if guess or "/" in word:
        return guess
    short = did_you_mean(word, by_short)
    return re.sub(r"'([^']+)'", lambda match: repr(by_short[match[1]]), short)


def tuned_names(models_dir: Path) -> list[str]:
    """Return the names of the models that `%%finetune` made."""
    if not models_dir.is_dir():
        return []
    return sorted(each.name for each in models_dir.iterdir() if each.is_dir() and tuned_runs(each))


def tuned_runs(folder: Path) -> list[Path]:
    """Return the folders of the runs that made a tuned model, oldest first.

    Run ids are UUIDs of version 7, which sort by time.
    """
    if not folder.is_dir():
        return []
    return sorted(each for each in folder.iterdir() if (each / TUNED_FILE).is_file())


def read_json(file: Path) -> dict[str, Any] | None:
    """Return the object in a JSON file, `None` if there is no such file.

    Raises:
        ModelNotFoundError: the file is broken.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ModelNotFoundError(
            f"{file.name} in {file.parent.name} is broken: {error}. Fetch or save the model again."
        ) from None
    if not isinstance(content, dict):
        raise ModelNotFoundError(
            f"{file.name} in {file.parent.name} is broken: it holds no JSON object. "
            "Fetch or save the model again."
        )
    return content


def _remote(text: str) -> ModelSpec:
    address, _, name = text.partition("#")
    address = address.rstrip("/")
    try:
        parts = urlsplit(address)
        odd = not parts.hostname or parts.port == 0
    except ValueError:
        odd = True
    if odd:
        # What stands there may be a password, so it is not repeated.
        raise OptionError(
            "This is no address of a server. It looks like http://localhost:8000/v1#name."
        )
    if parts.username is not None or parts.query:
        raise OptionError(
            f"The address of {parts.hostname} holds a password or a query. Keys come from the "
            "environment: leave them out, and add --key-env VARIABLE."
        )
    if not name:
        raise OptionError(
            f"{text} names no model. Add its name after #, for example {address}#name."
        )
    return ModelSpec("remote", f"{address}#{name}")


def _tuned(text: str, models_dir: Path) -> ModelSpec | None:
    match = TUNED_NAME.fullmatch(text)
    if match is None:
        return None
    runs = tuned_runs(models_dir / match["name"])
    if not runs:
        return None
    if match["run"]:
        found = [run for run in runs if run.name.startswith(match["run"])]
        if not found:
            raise ModelNotFoundError(
                f"No run {match['run']!r} made {match['name']!r}. "
                f"There is {', '.join(run.name for run in runs)}."
            )
        runs = found
    return ModelSpec("tuned", match["name"], runs[-1].name, runs[-1])


def _folder(path: Path) -> ModelSpec:
    if not path.is_dir():
        raise ModelNotFoundError(_no_folder(path))
    if (path / "config.json").is_file() or (path / "modules.json").is_file():
        return ModelSpec("folder", path.resolve().name, None, path.resolve())
    if (adapter := read_json(path / "adapter_config.json")) is not None:
        base = adapter.get("base_model_name_or_path") or "BASE"
        raise ModelNotFoundError(
            f"{path} is an adapter, not a whole model. Load it on its base: "
            f"%model {base} --adapter {path}"
        )
    files = sorted(each.name + ("/" if each.is_dir() else "") for each in path.iterdir())
    shown = ", ".join(files[:SHOWN_FILES]) + (", …" if len(files) > SHOWN_FILES else "")
    raise ModelNotFoundError(
        f"{path} holds no model: there is no config.json, only {shown or 'nothing'}. A model "
        "folder has config.json, *.safetensors and tokenizer files, as save_pretrained writes them."
    )


def _no_folder(path: Path) -> str:
    if path.is_file():
        return f"{path} is a file. Name the folder that holds it, with its config.json."
    parent = path.parent
    folders = [each.name for each in parent.iterdir() if each.is_dir()] if parent.is_dir() else []
    return (
        f"There is no folder {path}.{did_you_mean(path.name, folders)} A model is also `tiny`, "
        "`org/name` of the Hugging Face Hub, or a name that %%finetune made."
    )
