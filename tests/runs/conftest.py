from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fmagic.runs.environment import Surroundings
from fmagic.runs.journal import Journal
from fmagic.runs.log import RunLog

FIXTURES = Path(__file__).parents[1] / "fixtures" / "runs"


@pytest.fixture(params=sorted(FIXTURES.glob("*.json")), ids=lambda path: path.stem)
def fixture_record(request: pytest.FixtureRequest) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(request.param.read_text(encoding="utf-8"))
    return data


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunLog:
    """A log whose working folder, without git, is the test's own."""
    monkeypatch.chdir(tmp_path)
    return RunLog(Journal(tmp_path / "journal"), surroundings=Surroundings(tmp_path))
