"""Cards: what is read from anybody's, and the one that a tuned model gets."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from markdown_it import MarkdownIt

from fmagic.models.cards import Tuning, license_of, tuned_card
from fmagic.models.licenses import UNKNOWN, License, classify
from fmagic.models.spec import ModelSpec

HOSTILE = "<img src=x onerror=alert(1)> [x](javascript:alert(1)) | `a`\n# b"


def write(folder: Path, text: str) -> Path:
    (folder / "README.md").write_text(text, encoding="utf-8")
    return folder


def matter_of(card: str) -> dict[str, object]:
    found = yaml.safe_load(card.split("---\n")[1])
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize(
    ("card", "said"),
    [
        ("---\nlicense: 'mit'\n---\n", "mit"),
        ("---\r\nlicense: MIT\r\n---\r\ntext", "mit"),
        ("\ufeff---\nlicense: mit\n---\n", "mit"),
        ('---\n"license": "apache-2.0"  # free\ntags: [a]\n---\n', "apache-2.0"),
        ("---\nlicense: other # see below\n---\ntext", "unknown"),
        ("---\nlicense: other\nlicense_name: Qwen-Research\n---\n", "qwen-research"),
        ("---\ntags:\n- a\nlicense:\n- mit\n- cc-by-nc-4.0\n---\n", "cc-by-nc-4.0"),
        ("---\nlicense:\n  - mit\nmodel-index: [{]\n---\n", "mit"),
        ("---\ntags: [a]\n---\nlicense: mit\n", "unknown"),
        ("---\nextra:\n  license: mit\n---\n", "unknown"),
        ("---\nlicense: mit\n", "unknown"),
        ("license: mit", "unknown"),
        ("", "unknown"),
    ],
)
def test_the_licence_in_a_card(card: str, said: str, tmp_path: Path) -> None:
    assert license_of(write(tmp_path, card)).id == said


def test_a_link_beside_the_card_leads_to_the_hub(tmp_path: Path) -> None:
    folder = write(
        tmp_path, "---\nlicense: other\nlicense_name: acme\nlicense_link: LICENSE\n---\n"
    )
    assert license_of(folder).url == ""
    assert license_of(folder, "org/m").url == "https://huggingface.co/org/m/blob/main/LICENSE"


@pytest.mark.parametrize(
    "entry",
    [
        "license: !!python/object/apply:os.system ['exit 1']",
        "license: {a: mit}",
        "license: [[mit]]",
        "license: &a [*a]",
        "license: [" * 5000,
        "license: 2026-99-99\nlicense_name: 0x" + "f" * 10_000,
        "license: \x00mit",
        "license: 'mit",
        "license: |\n" + "  mit\n" * 100_000,
        "license: mit\n" * 100_000 + "license: [",
        "license: <script>alert(1)</script>",
    ],
)
def test_a_hostile_card_is_no_danger(entry: str, tmp_path: Path) -> None:
    found = license_of(write(tmp_path, f"---\n{entry}\n---\n"))
    assert found.kind in ("unknown", "open")
    assert len(found.id) <= 80
    assert found.id.isprintable()


def test_what_is_no_file_has_no_licence(tmp_path: Path) -> None:
    assert license_of(tmp_path / "none") == UNKNOWN
    (tmp_path / "README.md").mkdir()
    assert license_of(tmp_path) == UNKNOWN
    if hasattr(os, "mkfifo"):
        (tmp_path / "pipe").mkdir()
        os.mkfifo(tmp_path / "pipe" / "README.md")
        assert license_of(tmp_path / "pipe") == UNKNOWN


def test_a_card_with_thousands_of_scores_is_not_parsed_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The YAML reader would take a minute for all of it.
    parsed: list[str] = []
    load = yaml.load

    def watched(text: str, **options: Any) -> Any:
        parsed.append(text)
        return load(text, **options)

    monkeypatch.setattr(yaml, "load", watched)
    scores = "".join(f"  - name: task {i}\n    value: {i}\n" for i in range(60_000))
    folder = write(tmp_path, f"---\nmodel-index:\n{scores}license: mit\n---\n")
    assert license_of(folder).id == "mit"
    assert parsed == ["license: mit\n"]


def tuning(base: ModelSpec, held: License, **changes: object) -> Tuning:
    values: dict[str, object] = {
        "name": "reviews-lora",
        "run": "0198a000",
        "base": base,
        "base_revision": "c" * 40,
        "license": held,
        "method": "lora",
        "data": {"name": "train", "rows": 120, "sha256": "ab" * 32},
        "options": {"epochs": 3, "lr": 2e-4, "seed": 0},
        "figures": {"steps": 24, "held_out_loss_before": 1.25, "held_out_loss_after": 0.5},
        "version": "0.1.0",
    }
    return Tuning(**{**values, **changes})  # type: ignore[arg-type]  # fields by name


def test_the_card_of_a_tuned_model(tmp_path: Path) -> None:
    held = classify("llama3.2")
    card = tuned_card(tuning(ModelSpec("hub", "meta-llama/Llama-3.2-1B", "c" * 40), held))
    assert matter_of(card) == {
        "base_model": "meta-llama/Llama-3.2-1B",
        "base_model_relation": "adapter",
        "license": "llama3.2",
        "library_name": "peft",
        "tags": ["fmagic", "lora"],
    }
    for said in (
        "# reviews-lora",
        "`%model reviews-lora`",
        "| data: name | train |",
        "| data: rows | 120 |",
        "ab" * 32,
        "| held out loss before | 1.25 |",
        "| held out loss after | 0.5 |",
        "| option: lr | 0.0002 |",
        "| run | 0198a000 |",
        "Llama 3.2 Community License",
        "(restricted)",
        "700 million monthly users",
    ):
        assert said in card
    assert "stopped" not in card
    # fmagic reads its own cards as it reads others.
    assert license_of(write(tmp_path, card)) == held


@pytest.mark.parametrize(
    ("held", "matter"),
    [
        (classify("mit"), {"license": "mit"}),
        (UNKNOWN, {"license": "unknown"}),
        (
            classify("qwen-research"),
            {
                "license": "other",
                "license_name": "qwen-research",
                "license_link": classify("qwen-research").url,
            },
        ),
        (classify("other", name="acme-1"), {"license": "other", "license_name": "acme-1"}),
    ],
)
def test_the_licence_stays_that_of_the_base(
    held: License, matter: dict[str, str], tmp_path: Path
) -> None:
    base = ModelSpec("folder", "base", None, tmp_path)
    card = tuned_card(tuning(base, held, method="full", interrupted=True))
    found = matter_of(card)
    assert {key: value for key, value in found.items() if key.startswith("license")} == matter
    assert "base_model" not in found
    assert found["library_name"] == "transformers"
    assert "stopped before its end" in card
    assert license_of(write(tmp_path, card)) == held


def test_nothing_in_a_card_is_markup_or_tells_of_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUB_TOKEN", "s3cret-value")
    data = {"name": HOSTILE, "rows": 1, "path": str(Path.home() / "x" / "train.csv")}
    options = {"api_key": "abcdefgh", "note": "s3cret-value"}
    card = tuned_card(
        tuning(ModelSpec("tiny", "tiny"), classify("mit"), data=data, options=options)
    )
    assert "<img" not in card
    page = MarkdownIt("gfm-like", {"linkify": False}).render(card)
    assert "<a " not in page.replace('<a href="https://pypi.org/project/fmagic/">', "").replace(
        '<a href="https://opensource.org/license/mit">', ""
    )
    assert "\n# b" not in card
    assert str(Path.home()) not in card
    assert "abcdefgh" not in card
    assert "s3cret-value" not in card
    rows = [line for line in card.splitlines() if line.startswith("|")]
    assert all(line.replace("\\|", "").count("|") == 3 for line in rows)
