"""Models of the hub: from this disk at once, and honest answers without a network."""

import shutil
import time
from pathlib import Path

import pytest

from fmagic.errors import ModelError, OfflineError, UnsafeModelError, UnsuitableModelError
from fmagic.models import hub
from fmagic.models.hub import cached, cached_names, resolve, wanted_files
from fmagic.models.loader import load
from fmagic.models.spec import ModelSpec
from tests.support.checkpoints import Checkpoints

COMMIT = "a" * 40
SPEC = ModelSpec("hub", "org/small")


def put_into_cache(cache: Path, model: Path, name: str = "org/small") -> Path:
    """Lay a model out as huggingface_hub does."""
    home = cache / f"models--{name.replace('/', '--')}"
    snapshot = home / "snapshots" / COMMIT
    shutil.copytree(model, snapshot)
    (home / "refs").mkdir()
    (home / "refs" / "main").write_text(COMMIT)
    return snapshot


def test_a_cached_model_needs_no_network(hub_cache: Path, checkpoints: Checkpoints) -> None:
    snapshot = put_into_cache(hub_cache, checkpoints("llama"))
    found = resolve(SPEC)
    assert (found.path, found.root, found.revision) == (snapshot, snapshot, COMMIT)
    assert resolve(ModelSpec("hub", "org/small", COMMIT)).revision == COMMIT
    assert cached_names() == ["org/small"]


def test_a_cached_model_never_asks_the_network(
    hub_cache: Path, checkpoints: Checkpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        pytest.fail("the network was asked")

    monkeypatch.setattr(hub, "_fetch", refuse)
    monkeypatch.setattr(hub, "_offline_mode", lambda: False)
    put_into_cache(hub_cache, checkpoints("llama"))
    assert resolve(SPEC).revision == COMMIT


def test_what_is_not_here_names_the_command(hub_cache: Path) -> None:
    with pytest.raises(OfflineError, match=r"None of org/small .*\n  hf download org/small\n"):
        resolve(SPEC)
    with pytest.raises(OfflineError, match="hf download org/small --revision v2"):
        resolve(SPEC, revision="v2")


def test_a_part_of_a_model_is_not_a_model(hub_cache: Path, checkpoints: Checkpoints) -> None:
    snapshot = put_into_cache(hub_cache, checkpoints("llama"))
    (snapshot / "model.safetensors").unlink()
    assert cached("org/small") is not None
    with pytest.raises(OfflineError, match="Only a part of org/small"):
        resolve(SPEC)


def test_a_network_that_does_not_answer_is_not_asked_twice(
    hub_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    start = time.perf_counter()
    with pytest.raises(OfflineError, match=r"cannot be reached .*\n  hf download org/small"):
        resolve(SPEC)
    assert time.perf_counter() - start < 5
    with pytest.raises(OfflineError, match="switched off"):
        resolve(SPEC, offline=True)


def test_pickled_weights_in_the_cache(hub_cache: Path, checkpoints: Checkpoints) -> None:
    snapshot = put_into_cache(hub_cache, checkpoints("llama"))
    (snapshot / "model.safetensors").rename(snapshot / "pytorch_model.bin")
    with pytest.raises(UnsafeModelError, match="--allow-pickle"):
        resolve(SPEC)
    assert resolve(SPEC, allow_pickle=True).revision == COMMIT


def test_old_pickled_weights_do_not_hide_what_the_hub_has(
    hub_cache: Path, checkpoints: Checkpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = put_into_cache(hub_cache, checkpoints("llama"))
    (snapshot / "model.safetensors").rename(snapshot / "pytorch_model.bin")
    fetched = hub.LocalModel(snapshot, snapshot, "b" * 40)
    monkeypatch.setattr(hub, "_offline_mode", lambda: False)
    monkeypatch.setattr(hub, "_fetch", lambda *_, **__: fetched)
    assert resolve(SPEC) is fetched

    def fail(*_: object, **__: object) -> None:
        raise OfflineError("The hub cannot be reached.")

    monkeypatch.setattr(hub, "_fetch", fail)
    with pytest.raises(UnsafeModelError, match="--allow-pickle"):
        resolve(SPEC)


def test_what_could_not_be_looked_up_is_doubtful(hub_cache: Path, checkpoints: Checkpoints) -> None:
    put_into_cache(hub_cache, checkpoints("bert"))
    put_into_cache(hub_cache, checkpoints("llama"), "org/writes")
    assert resolve(SPEC).doubtful
    assert not resolve(ModelSpec("hub", "org/writes")).doubtful
    model = load("org/small", device="cpu")
    assert any("the mean of the tokens is taken" in each for each in model.notices)


def test_a_server_has_nothing_to_fetch() -> None:
    with pytest.raises(UnsuitableModelError, match="served at an address"):
        resolve(ModelSpec("remote", "http://h/v1#x"))


def test_tiny_without_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "TINY_FOLDER", tmp_path)
    with pytest.raises(ModelError, match="Install it again"):
        resolve(ModelSpec("tiny", "tiny"))


def test_one_format_of_weights_is_fetched() -> None:
    names = [
        "README.md",
        "config.json",
        "tokenizer.json",
        "model.safetensors",
        "pytorch_model.bin",
        "consolidated.safetensors",
        "onnx/model.onnx",
        "onnx/config.json",
        "1_Pooling/config.json",
        "modeling.py",
        "picture.png",
    ]
    wanted = wanted_files(names, allow_pickle=True, with_code=False)
    assert sorted(wanted) == [
        "1_Pooling/config.json",
        "README.md",
        "config.json",
        "model.safetensors",
        "tokenizer.json",
    ]
    assert "modeling.py" in wanted_files(names, allow_pickle=False, with_code=True)


def test_shards_are_fetched_with_their_index() -> None:
    shards = [f"model-0000{i}-of-00002.safetensors" for i in (1, 2)]
    names = ["config.json", "model.safetensors.index.json", "consolidated.safetensors", *shards]
    assert set(wanted_files(names, allow_pickle=False, with_code=False)) == {*names} - {
        "consolidated.safetensors"
    }


@pytest.mark.parametrize(
    ("files", "error", "said"),
    [
        (["config.json", "pytorch_model.bin"], UnsafeModelError, "--allow-pickle"),
        (["config.json", "x.Q4.gguf"], UnsuitableModelError, "GGUF"),
        (["README.md", "x.Q4.gguf"], UnsuitableModelError, "GGUF"),
        (["model_index.json"], UnsuitableModelError, "diffusion"),
        (["adapter_config.json", "adapter_model.safetensors"], UnsuitableModelError, "adapter"),
        (["config.json"], ModelError, "no weights"),
    ],
)
def test_what_cannot_be_loaded_is_not_fetched(
    files: list[str], error: type[ModelError], said: str
) -> None:
    with pytest.raises(error, match=said):
        hub._needed("org/x", files, allow_pickle=False, with_code=False)
