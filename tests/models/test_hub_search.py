"""Searches of the hub, and the size of a model that is not on this disk."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from fmagic.errors import (
    DownloadError,
    GatedModelError,
    ModelError,
    ModelNotFoundError,
    OfflineError,
    UnsuitableModelError,
)
from fmagic.models.hub_search import _width, remote_census, search

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.checkpoints import Checkpoints
    from tests.support.hub import Hub


def values_in(folder: Path) -> int:
    from safetensors import safe_open

    total = 0
    for file in folder.glob("*.safetensors"):
        with safe_open(file, "pt") as weights:
            total += sum(weights.get_tensor(name).numel() for name in weights.keys())  # noqa: SIM118 - no mapping
    return total


def test_a_search_tells_what_one_picks_by(hub: Hub, checkpoints: Checkpoints) -> None:
    folder = checkpoints("llama")
    hub.add("org/small", folder, downloads=5, licence="llama3.2")
    hub.add("org/small-2", folder, downloads=50, gated=True)
    hub.add("org/other", folder)
    second, first = search("Small")
    assert (second.name, first.name) == ("org/small-2", "org/small")
    assert (first.licence, first.task, first.downloads) == ("llama3.2", "text-generation", 5)
    assert first.parameters == values_in(folder)
    assert first.bytes == 4 * values_in(folder)
    assert (first.gated, second.gated) == (False, True)
    assert first.tags == ("transformers", "safetensors", "llama")
    assert [each.name for each in search("small", limit=1)] == ["org/small-2"]
    assert search("small", task="feature-extraction") == []
    assert len(search("")) == 3


def test_a_search_asks_for_what_loads_here(hub: Hub) -> None:
    search("small")
    assert all(f"filter={each}" in hub.asked[-1].path for each in ("transformers", "safetensors"))


def test_a_search_without_a_network(hub_cache: Path) -> None:
    with pytest.raises(OfflineError, match="lists what is on this disk"):
        search("small")


def test_a_search_while_the_hub_has_a_fault(hub: Hub) -> None:
    hub.refuse(500)
    with pytest.raises(DownloadError, match="a fault"):
        search("small")
    hub.moods.clear()
    hub.refuse(429, times=2, Retry_After="0")
    assert search("small") == []


@pytest.mark.parametrize("shard_size", ["5GB", "100KB"])
def test_a_size_is_read_without_the_weights(
    hub: Hub, hub_cache: Path, checkpoints: Checkpoints, shard_size: str
) -> None:
    folder = checkpoints("llama", shard_size=shard_size)
    commit = hub.add("org/small", folder, tags=("v1",))
    found = remote_census("org/small", "v1")
    assert found.revision == commit
    assert found.parameters == {"F32": values_in(folder)}
    assert found.total == values_in(folder)
    assert found.bytes == 4 * values_in(folder)
    assert found.config == json.loads((folder / "config.json").read_text())
    vocabulary, hidden = found.config["vocab_size"], found.config["hidden_size"]
    assert found.tensors["model.embed_tokens.weight"] == (vocabulary, hidden)
    assert found.largest == vocabulary * hidden
    assert all(each.range for each in hub.gets(".safetensors") if "index" not in each.path)
    assert not list(hub_cache.rglob("*.safetensors"))


def test_a_size_needs_consent_too(hub: Hub, checkpoints: Checkpoints) -> None:
    hub.add("org/gated", checkpoints("llama"), gated=True)
    with pytest.raises(GatedModelError, match="is gated"):
        remote_census("org/gated")


def without_weights(files: dict[str, bytes]) -> None:
    files["x.gguf"] = files.pop("model.safetensors")


def broken_weights(files: dict[str, bytes]) -> None:
    files["model.safetensors"] = b"\x10\0\0\0\0\0\0\0not a header at all"


def broken_config(files: dict[str, bytes]) -> None:
    files["config.json"] = b"[1"


@pytest.mark.parametrize(
    ("spoil", "error", "said"),
    [
        (without_weights, UnsuitableModelError, "GGUF"),
        (broken_weights, ModelError, "no safetensors files"),
        (broken_config, ModelError, "config.json of org/small on the hub is broken"),
    ],
)
def test_a_size_that_cannot_be_read(
    hub: Hub,
    checkpoints: Checkpoints,
    spoil: Callable[[dict[str, bytes]], None],
    error: type[ModelError],
    said: str,
) -> None:
    commit = hub.add("org/small", checkpoints("llama"))
    spoil(hub.repositories["org/small"].commits[commit])
    with pytest.raises(error, match=said):
        remote_census("org/small")


def test_a_size_of_no_model(hub: Hub) -> None:
    with pytest.raises(ModelNotFoundError, match="no model 'org/none'"):
        remote_census("org/none")


@pytest.mark.parametrize(
    ("dtype", "size"),
    [("F32", 4), ("BF16", 2), ("I8", 1), ("F8_E4M3", 1), ("F4", 0.5), ("BOOL", 1)],
)
def test_widths_of_types(dtype: str, size: float) -> None:
    assert _width(dtype) == size
