"""Weight files: whole, broken, missing, pickled, foreign."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from fmagic.errors import ModelError, UnsafeModelError, UnsuitableModelError
from fmagic.models.checkpoint import find_weights, read_header, transformer_folder
from tests.support.checkpoints import Checkpoints


@pytest.fixture
def model(tmp_path: Path, checkpoints: Checkpoints) -> Path:
    """A copy that a test may break."""
    return Path(shutil.copytree(checkpoints("llama"), tmp_path / "broken"))


def test_a_whole_model(model: Path) -> None:
    weights = find_weights(model, allow_pickle=False)
    assert [file.name for file in weights.files] == ["model.safetensors"]
    assert not weights.pickled
    assert weights.bytes == (model / "model.safetensors").stat().st_size
    assert "model.norm.weight" in read_header(model / "model.safetensors")


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-100])


def cut_in_header(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:50])


def no_header(file: Path) -> None:
    file.write_bytes(b"\x10\0\0\0\0\0\0\0" + b"x" * 200)


def pointer(file: Path) -> None:
    file.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 4\n")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (cut, "bytes where"),
        (cut_in_header, "no header"),
        (no_header, "no header"),
        (pointer, "git lfs pull"),
        (lambda file: file.write_bytes(b""), "no header"),
    ],
)
def test_a_broken_file(model: Path, damage: Callable[[Path], object], said: str) -> None:
    damage(model / "model.safetensors")
    with pytest.raises(ModelError, match=rf"model\.safetensors.*{said}"):
        find_weights(model, allow_pickle=False)


def test_a_missing_shard(tmp_path: Path, checkpoints: Checkpoints) -> None:
    model = Path(shutil.copytree(checkpoints("llama", shard_size="200KB"), tmp_path / "m"))
    shards = sorted(model.glob("model-*.safetensors"))
    assert len(find_weights(model, allow_pickle=False).files) == len(shards) > 1
    shards[-1].unlink()
    with pytest.raises(ModelError, match=f"lacks 1 of its {len(shards)} weight files: model-"):
        find_weights(model, allow_pickle=False)


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"weight_map": {}}'])
def test_a_broken_index(model: Path, text: str) -> None:
    (model / "model.safetensors").unlink()
    (model / "model.safetensors.index.json").write_text(text)
    with pytest.raises(ModelError, match="index"):
        find_weights(model, allow_pickle=False)


def test_pickles_only_when_allowed(model: Path) -> None:
    (model / "model.safetensors").rename(model / "pytorch_model.bin")
    with pytest.raises(UnsafeModelError, match=r"--allow-pickle; .*convert"):
        find_weights(model, allow_pickle=False)
    assert find_weights(model, allow_pickle=True).pickled


def test_safetensors_come_before_pickles(model: Path) -> None:
    shutil.copy(model / "model.safetensors", model / "pytorch_model.bin")
    assert not find_weights(model, allow_pickle=True).pickled


@pytest.mark.parametrize(
    ("name", "said"), [("a.gguf", "GGUF"), ("m.onnx", "ONNX"), ("flax_model.msgpack", "Flax")]
)
def test_weights_of_another_program(model: Path, name: str, said: str) -> None:
    (model / "model.safetensors").rename(model / name)
    with pytest.raises(UnsuitableModelError, match=said):
        find_weights(model, allow_pickle=True)


def test_no_weights_at_all(model: Path) -> None:
    (model / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"model\.safetensors is missing"):
        find_weights(model, allow_pickle=False)


def test_the_older_layout_of_sentence_transformers(tmp_path: Path) -> None:
    (tmp_path / "0_Transformer").mkdir()
    (tmp_path / "0_Transformer" / "config.json").write_text("{}")
    (tmp_path / "modules.json").write_text(json.dumps([{"path": "0_Transformer"}]))
    assert transformer_folder(tmp_path) == tmp_path / "0_Transformer"
    (tmp_path / "modules.json").write_text("[]")
    assert transformer_folder(tmp_path) == tmp_path
