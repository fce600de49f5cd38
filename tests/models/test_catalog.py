"""The models on this disk."""

import json
import shutil
from pathlib import Path

import pytest

from fmagic.models import catalog
from fmagic.models.catalog import license_for, listing
from fmagic.models.hub import TINY_FOLDER
from fmagic.models.spec import ModelSpec, parse_spec
from tests.support.checkpoints import Checkpoints


def test_bundled_tuned_and_cached_models(
    tmp_path: Path, hub_cache: Path, checkpoints: Checkpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog, "TINY_FOLDER", checkpoints("llama"))
    snapshot = hub_cache / "models--org--small" / "snapshots" / ("b" * 40)
    shutil.copytree(checkpoints("bert"), snapshot)
    (snapshot / "README.md").write_text("---\nlanguage: en\nlicense: Apache-2.0\n---\n# Small\n")
    refs = hub_cache / "models--org--small" / "refs"
    refs.mkdir()
    (refs / "main").write_text("b" * 40)
    # What other programs leave: a bare name, a configuration alone, a commit alone.
    for name in ("bare", "org--part", "org--pinned"):
        other = hub_cache / f"models--{name}" / "snapshots" / ("d" * 40)
        shutil.copytree(checkpoints("bert"), other)
        if name == "org--part":
            (other / "model.safetensors").unlink()
    (hub_cache / "models--org--nothing" / "snapshots" / ("c" * 40)).mkdir(parents=True)
    run = tmp_path / "models" / "mine" / "0198a000"
    run.mkdir(parents=True)
    (run / "fmagic.json").write_text(json.dumps({"base": "tiny"}))

    tiny, mine, pinned, small = listing(tmp_path / "models")
    assert pinned.name == f"org/pinned@{'d' * 40}"
    assert (tiny.name, tiny.source, tiny.architecture) == ("tiny", "tiny", "LlamaForCausalLM")
    assert tiny.bytes > 100_000
    assert (mine.name, mine.source, mine.base, mine.revision) == (
        "mine",
        "tuned",
        "tiny",
        "0198a000",
    )
    assert (small.name, small.source, small.license.id) == ("org/small", "hub", "apache-2.0")
    assert small.architecture == "BertForMaskedLM"
    assert small.revision == "b" * 40


def test_nothing_on_this_disk(
    tmp_path: Path, hub_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub_cache.rmdir()
    monkeypatch.setattr(catalog, "TINY_FOLDER", tmp_path / "none")
    assert listing(tmp_path / "models") == []


def test_licences_of_tiny_tuned_and_cached_models(tmp_path: Path, hub_cache: Path) -> None:
    models = tmp_path / "models"
    silent = tmp_path / "silent"
    silent.mkdir()

    def of(spec: str, root: Path | None = silent) -> str:
        return license_for(parse_spec(spec, models_dir=models), root, models).id

    def tune(name: str, base: str, card: str = "") -> None:
        run = models / name / "0198a000"
        run.mkdir(parents=True)
        (run / "fmagic.json").write_text(json.dumps({"base": base}))
        if card:
            (run / "README.md").write_text(card)

    assert of("tiny", TINY_FOLDER) == "apache-2.0"
    # Its card says nothing, the curated list does.
    assert of("meta-llama/Llama-3.2-1B-Instruct") == "llama3.2"
    assert of("meta-llama/Llama-3.2-1B-Instruct", None) == "llama3.2"
    assert of("org/nobody-knows") == "unknown"
    tune("mine", "tiny")
    tune("again", "mine")
    tune("cached", "org/small")
    tune("gone", "./no-such-folder")
    tune("said", "tiny", "---\nlicense: mit\n---\n")
    tune("round", "round")
    snapshot = hub_cache / "models--org--small" / "snapshots" / ("b" * 40)
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text("{}")
    (snapshot / "README.md").write_text("---\nlicense: gemma\n---\n")
    (hub_cache / "models--org--small" / "refs").mkdir()
    (hub_cache / "models--org--small" / "refs" / "main").write_text("b" * 40)
    expected = {
        "mine": "apache-2.0",
        "again": "apache-2.0",
        "cached": "gemma",
        "gone": "unknown",
        "said": "mit",
        "round": "unknown",
    }
    for name, said in expected.items():
        assert of(name, models / name / "0198a000") == said, name


def test_of_a_model_and_an_adapter_the_stricter_licence_counts(tmp_path: Path) -> None:
    for name, said in (("base", "mit"), ("adapter", "cc-by-nc-4.0"), ("silent", "other")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "README.md").write_text(f"---\nlicense: {said}\n---\n")
    spec = ModelSpec("folder", "base", None, tmp_path / "base")
    for adapter, said in (("adapter", "cc-by-nc-4.0"), ("silent", "mit")):
        found = license_for(spec, tmp_path / "base", tmp_path, adapter=tmp_path / adapter)
        assert found.id == said


def test_one_broken_file_does_not_hide_the_others(tmp_path: Path, hub_cache: Path) -> None:
    for name, text in (("bad", "{"), ("good", "{}")):
        run = tmp_path / name / "0198a000"
        run.mkdir(parents=True)
        (run / "fmagic.json").write_text(text)
    assert [each.name for each in listing(tmp_path)[-2:]] == ["bad", "good"]
