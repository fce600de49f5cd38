"""What the hub says about models without fetching them: searches, names, sizes."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fmagic.errors import FmagicError, ModelError, OfflineError
from fmagic.models.checkpoint import SAFE, SAFE_INDEX, no_weights
from fmagic.models.hub_client import headers, must_be_good, no_answer, quiet, small_file
from fmagic.models.hub_errors import explained, patiently

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import TypeVar

    T = TypeVar("T")

ANSWER_SECONDS = 10.0
NEAR_SECONDS = 4.0  # for what only makes a message better
MOST_NEAR = 20
# Bytes of one number, by the names of the safetensors format; others are told in bits, `F8_E4M3`.
WIDTHS = {"BOOL": 1.0, "C64": 8.0}
LICENCE_TAG = "license:"


@dataclass(frozen=True, slots=True)
class Found:
    """A model that the hub's search found.

    Attributes:
        name: `org/name`.
        task: the hub's name of it, such as `text-generation`.
        licence: the hub's tag of it, such as `apache-2.0`.
        downloads: in the last month.
        parameters: how many, `None` if the hub does not know.
        bytes: of its weights as they are stored, `None` if the hub does not know.
        gated: whether its terms must be accepted first.
        tags: all others of the hub.
    """

    name: str
    task: str | None
    licence: str | None
    downloads: int
    parameters: int | None
    bytes: int | None
    gated: bool
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RemoteCensus:
    """The size of a model, read from the heads of its files.

    Attributes:
        name: `org/name`.
        revision: commit that was read.
        parameters: number of values by type, such as `{"BF16": 494032768}`.
        bytes: of all tensors as they are stored.
        largest: values in the largest tensor.
        tensors: name to shape, of each tensor.
        config: content of config.json.
    """

    name: str
    revision: str
    parameters: Mapping[str, int]
    bytes: int
    largest: int
    tensors: Mapping[str, tuple[int, ...]]
    config: Mapping[str, Any]

    @property
    def total(self) -> int:
        """Number of values."""
        return sum(self.parameters.values())


def search(query: str, *, task: str | None = None, limit: int = 20) -> list[Found]:
    """Return what the hub's own search finds, the most downloaded first.

    Only models of the transformers library that are stored as safetensors are asked for: others do
    not load here.

    Args:
        query: words in the name; empty for all.
        task: the hub's name of a task, such as `text-generation`.
        limit: most models.

    Raises:
        OfflineError: the network is off or does not answer.
        DownloadError: the hub has a fault or gets too many requests.
    """
    params: dict[str, Any] = {
        "search": query,
        "limit": limit,
        "sort": "downloads",
        "filter": ["transformers", "safetensors"],
        "expand": ["downloads", "pipeline_tag", "tags", "safetensors", "gated"],
    }
    if task is not None:
        params["pipeline_tag"] = task
    answer = _told(lambda: _get("models", params, ANSWER_SECONDS), query)
    if not isinstance(answer, list):
        raise ModelError("The hub's search answers with no list. Check HF_ENDPOINT, if it is set.")
    return [_found(each) for each in answer[:limit] if isinstance(each, dict) and each.get("id")]


def remote_census(name: str, revision: str | None = None) -> RemoteCensus:
    """Return the size of a model of the hub without fetching its weights.

    Args:
        name: `org/name`.
        revision: branch, tag or commit; the main branch if not given.

    Raises:
        ModelNotFoundError: the hub has no such model or revision.
        GatedModelError: the hub does not give it to this machine's user.
        UnsuitableModelError: it has no safetensors.
        ModelError: its files are broken.
        OfflineError: the network is off or does not answer.
    """
    return _told(lambda: _census(name, revision), name, revision)


def near_on_hub(name: str) -> list[str]:
    """Return names on the hub like this one; none if the hub does not answer at once.

    It searches for the words of the name, fewer from one search to the next.
    """
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    words = [word for word in re.split(r"[\W_]+", name.rpartition("/")[2]) if word]
    found: dict[str, None] = {}
    for query in dict.fromkeys([name.rpartition("/")[2], " ".join(words[:2]), "".join(words[:1])]):
        try:
            params = {"search": query, "limit": MOST_NEAR, "sort": "downloads"}
            answer = _get("models", params, NEAR_SECONDS)
        except (HfHubHTTPError, OfflineModeIsEnabled, ValueError, no_answer()):
            break  # this is for a message about another error, which is told all the same
        found |= {str(each["id"]): None for each in answer if isinstance(each, dict)}
        if found:
            break
    return [each for each in found if each.isprintable()]


def refs(name: str) -> list[str]:
    """Return the branches and tags of a model; none if the hub does not answer at once."""
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    try:
        answer = _get(f"models/{name}/refs", {}, NEAR_SECONDS)
        named = [each["name"] for kind in ("branches", "tags") for each in answer.get(kind, ())]
    except (HfHubHTTPError, OfflineModeIsEnabled, LookupError, TypeError, no_answer()):
        return []  # as above
    return [str(each) for each in named if str(each).isprintable()]


def _get(path: str, params: Mapping[str, Any], seconds: float) -> Any:
    """Return the answer of the hub's interface: its client would wait for it without end."""
    from huggingface_hub import constants, get_session

    response = get_session().get(
        f"{constants.ENDPOINT}/api/{path}",
        params=params,
        headers=headers(),
        timeout=seconds,
    )
    must_be_good(response)
    return response.json()


def _told(ask: Callable[[], T], name: str, revision: str | None = None) -> T:
    """Return what `ask` returns; the hub's errors in fmagic's words."""
    try:
        return patiently(ask)
    except FmagicError:
        raise
    except Exception as error:
        failure = explained(error, name, revision)
        if failure is None:
            raise
        if isinstance(failure, OfflineError):
            failure = OfflineError(
                "The Hugging Face Hub cannot be asked: the network is switched off or does not "
                "answer. `%models` lists what is on this disk."
            )
    raise failure


def _found(each: Mapping[str, Any]) -> Found:
    tags = [str(tag) for tag in each.get("tags") or ()]
    licence = next((tag.removeprefix(LICENCE_TAG) for tag in tags if LICENCE_TAG in tag), None)
    stored = each.get("safetensors")
    stored = stored if isinstance(stored, dict) else {}
    counts = stored.get("parameters")
    counts = counts if isinstance(counts, dict) else {}
    total = stored.get("total") or sum(counts.values()) or None
    return Found(
        name=str(each["id"]),
        task=each.get("pipeline_tag"),
        licence=licence,
        downloads=int(each.get("downloads") or 0),
        parameters=int(total) if total else None,
        bytes=_bytes(counts) if counts else None,
        gated=bool(each.get("gated")),
        tags=tuple(tag for tag in tags if LICENCE_TAG not in tag),
    )


def _bytes(counts: Mapping[str, int]) -> int:
    return round(sum(int(count) * _width(dtype) for dtype, count in counts.items()))


def _width(dtype: str) -> float:
    """Return the bytes of one value of a safetensors type: `BF16` 2, `F8_E4M3` 1, `I64` 8."""
    if dtype in WIDTHS:
        return WIDTHS[dtype]
    bits = re.search(r"\d+", dtype)
    return int(bits[0]) / 8 if bits else 1.0


def _census(name: str, revision: str | None) -> RemoteCensus:
    from huggingface_hub import HfApi
    from huggingface_hub import errors as hub_errors

    hub = HfApi(library_name="fmagic")
    info = hub.model_info(name, revision=revision, timeout=ANSWER_SECONDS)
    commit = str(info.sha)
    files = [each.rfilename for each in info.siblings or ()]
    if not {SAFE, SAFE_INDEX} & set(files):
        raise no_weights(name, files)
    try:
        heads = _heads(hub, name, commit, files)
    except (hub_errors.NotASafetensorsRepoError, hub_errors.SafetensorsParsingError) as error:
        raise ModelError(
            f"The weights of {name} on the hub are no safetensors files ({type(error).__name__}). "
            "Pick another revision or model."
        ) from None
    tensors = {
        tensor: (entry.dtype, tuple(entry.shape))
        for file in heads
        for tensor, entry in file.tensors.items()
    }
    counts: dict[str, int] = {}
    for dtype, shape in tensors.values():
        counts[dtype] = counts.get(dtype, 0) + math.prod(shape)
    return RemoteCensus(
        name=name,
        revision=commit,
        parameters=counts,
        bytes=_bytes(counts),
        largest=max((math.prod(shape) for _, shape in tensors.values()), default=0),
        tensors={tensor: shape for tensor, (_, shape) in tensors.items()},
        config=_config(name, commit),
    )


def _heads(hub: Any, name: str, commit: str, files: Iterable[str]) -> list[Any]:
    """Return the heads of the weight files, without a progress bar on the screen."""
    if SAFE in files:
        return [
            hub.parse_safetensors_file_metadata(name, SAFE, revision=commit, timeout=ANSWER_SECONDS)
        ]
    with quiet():
        found = hub.get_safetensors_metadata(name, revision=commit, timeout=ANSWER_SECONDS)
    return list(found.files_metadata.values())


def _config(name: str, commit: str) -> dict[str, Any]:
    said = small_file(name, "config.json", commit, ANSWER_SECONDS)
    try:
        content = json.loads(said)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise ModelError(f"config.json of {name} on the hub is broken. Pick another revision.")
    return content
