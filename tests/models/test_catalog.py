"""The models on this disk."""

import json
import shutil
from pathlib import Path

import pytest

from fmagic.models import catalog
from fmagic.models.catalog import license_of, listing
from tests.support.checkpoints import Checkpoints


def test_bundled_tuned_and_cached_models(
    tmp_path: Path, hub_cache: Path, checkpoints: Checkpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog, "TINY_FOLDER", checkpoints("llama"))
    snapshot = hub_cache / "models--org--small" / "snapshots" / ("b" * 40)
    shutil.copytree(checkpoints("bert"), snapshot)
    (snapshot / "README.md").write_text("---\nlanguage: en\nlicense: Apache-2.0\n---\n# Small\n")
    (hub_cache / "models--org--nothing" / "snapshots" / ("c" * 40)).mkdir(parents=True)
    run = tmp_path / "models" / "mine" / "0198a000"
    run.mkdir(parents=True)
    (run / "fmagic.json").write_text(json.dumps({"base": "tiny"}))

    tiny, mine, small = listing(tmp_path / "models")
    assert (tiny.name, tiny.source, tiny.architecture) == ("tiny", "tiny", "LlamaForCausalLM")
    assert tiny.bytes > 100_000
    assert (mine.name, mine.source, mine.base, mine.revision) == (
        "mine",
        "tuned",
        "tiny",
        "0198a000",
    )
    assert (small.name, small.source, small.license) == ("org/small", "hub", "apache-2.0")
    assert small.architecture == "BertForMaskedLM"
    assert small.revision == "b" * 40


def test_nothing_on_this_disk(
    tmp_path: Path, hub_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub_cache.rmdir()
    monkeypatch.setattr(catalog, "TINY_FOLDER", tmp_path / "none")
    assert listing(tmp_path / "models") == []


@pytest.mark.parametrize(
    ("card", "said"),
    [
        ("---\nlicense: 'mit'\n---\n", "mit"),
        ("---\nlicense: other # see below\n---\ntext", "other"),
        ("---\ntags: [a]\n---\nlicense: mit\n", None),
        ("license: mit", None),
        ("", None),
    ],
)
def test_licences(card: str, said: str | None, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(card)
    assert license_of(tmp_path) == said


def test_one_broken_file_does_not_hide_the_others(tmp_path: Path, hub_cache: Path) -> None:
    for name, text in (("bad", "{"), ("good", "{}")):
        run = tmp_path / name / "0198a000"
        run.mkdir(parents=True)
        (run / "fmagic.json").write_text(text)
    assert [each.name for each in listing(tmp_path)[-2:]] == ["bad", "good"]
