"""`fmagic runs`: the log of a notebook from the file alone. `fmagic cache`: quantized copies."""

from __future__ import annotations

import csv
import io
import json
import os
import time
from pathlib import Path

import pytest

from fmagic.cli import main

QUICKSTART = Path(__file__).parents[1] / "notebooks" / "01-quickstart.ipynb"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_runs_of_a_notebook_as_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", str(QUICKSTART)]) == 0
    shown = capsys.readouterr().out
    for word in ("prompt", "evaluate", "finetune", "embed", "tiny"):
        assert word in shown


def test_as_json_lines_and_as_csv(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", str(QUICKSTART), "--json"]) == 0
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {record["schema"] for record in records} == {"fmagic.run/1"}
    assert main(["runs", str(QUICKSTART), "--csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["id"] for row in rows] == [record["id"] for record in records]


def test_a_notebook_that_is_not_there_or_holds_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "quick.ipynb").write_text('{"cells": []}')
    assert main(["runs", "quik.ipynb"]) == 1
    assert "Did you mean 'quick.ipynb'" in capsys.readouterr().err
    assert main(["runs", "quick.ipynb"]) == 0
    assert "No runs yet" in capsys.readouterr().out
    assert main(["runs", "quick.ipynb", "--csv"]) == 1
    assert "no runs" in capsys.readouterr().err


def kept(name: str, megabytes: int, days: float, **versions: str) -> Path:
    """Put down what looks like a quantized copy."""
    from fmagic.models import copies
    from fmagic.settings import Fmagic

    folder = copies.root_of(Fmagic().cache_dir) / f"{abs(hash(name)):032x}"
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(bytes(megabytes * 1_000_000))
    about = {"name": name, "method": "nf4", "dtype": "bfloat16", "device": "cpu"}
    copies.write_note(folder, {**about, "versions": versions})
    moment = time.time() - days * 86_400
    os.utime(folder / copies.NOTE, (moment, moment))
    return folder


def test_the_cache_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cache"]) == 0
    assert "No quantized copies are kept." in capsys.readouterr().out
    kept("org/one", 3, 1)
    kept("org/two", 1, 40, torch="0.1")
    assert main(["cache"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].split()[:5] == ["org/one", "nf4", "bfloat16", "cpu", "3.0"]
    assert "of other versions" in lines[3]
    assert lines[4].startswith("2 with 4.0 MB")


def test_pruning_the_cache(capsys: pytest.CaptureFixture[str]) -> None:
    one, two, three = kept("org/one", 3, 1), kept("org/two", 1, 40), kept("old", 2, 2, torch="0.1")
    # Nobody is there to be asked.
    assert main(["cache", "prune", "--all"]) == 1
    assert "--yes" in capsys.readouterr().out
    assert main(["cache", "prune", "--all", "--dry-run"]) == 0
    assert "6.0 MB would come back." in capsys.readouterr().out
    assert all(each.is_dir() for each in (one, two, three))
    assert main(["cache", "prune", "--yes"]) == 0
    assert "2.0 MB came back." in capsys.readouterr().out
    assert [each.is_dir() for each in (one, two, three)] == [True, True, False]
    assert main(["cache", "prune", "--older-than", "30d", "-y"]) == 0
    assert [each.is_dir() for each in (one, two)] == [True, False]
    assert main(["cache", "prune", "--keep-bytes", "10MB", "-y"]) == 0
    assert "nothing to remove" in capsys.readouterr().out
    assert main(["cache", "prune", "one", "-y"]) == 0
    assert not one.exists()


@pytest.mark.parametrize(("answer", "gone"), [("y", True), ("", False), ("no", False)])
def test_pruning_asks_first(
    answer: str, gone: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = kept("org/one", 1, 1)
    keyboard = io.StringIO(f"{answer}\n")
    monkeypatch.setattr(keyboard, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdin", keyboard)
    assert main(["cache", "prune", "--all"]) == (0 if gone else 1)
    assert folder.is_dir() is not gone


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["onne"], "Did you mean 'org/one'"),
        (["--older-than", "soon"], "no span of time"),
        (["--keep-bytes", "many"], "no size"),
        (["--all", "org/one"], "does not go with anything else"),
    ],
)
def test_what_cannot_be_pruned(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = kept("org/one", 1, 1)
    assert main(["cache", "prune", "--yes", *arguments]) == 1
    assert said in capsys.readouterr().err
    assert folder.is_dir()
