"""`fmagic runs`: the log of a notebook from the file alone."""

from __future__ import annotations

import csv
import io
import json
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
