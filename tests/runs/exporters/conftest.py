from __future__ import annotations

from pathlib import Path

import pytest

from fmagic.runs.record import (
    DataInfo,
    ErrorInfo,
    ModelInfo,
    OutputInfo,
    RunRecord,
)

FIXTURES = Path(__file__).parents[2] / "fixtures" / "runs"
HOSTILE = (
    '=1+1|`x` ```` <img src=x onerror="alert(1)"> *a* [b](c) ../..\n\n# not a title\u2028"q",;'
)
SECRET = "open-sesame-1742"


@pytest.fixture
def records() -> list[RunRecord]:
    """One run of each sort, as the readers in other languages get them too."""
    found = [
        RunRecord.model_validate_json(path.read_text(encoding="utf-8"))
        for path in FIXTURES.glob("*.json")
    ]
    return sorted(found, key=lambda record: record.started)


@pytest.fixture
def hostile() -> RunRecord:
    """A run in which every text that a user or a model may choose is ill-meant."""
    return RunRecord(
        kind="finetune",
        status="error",
        seconds=1.5,
        notebook="a|b *c*.ipynb",
        model=ModelInfo(name=HOSTILE),
        template=HOSTILE,
        params={HOSTILE: HOSTILE, "..": "-2", "": "@SUM(A1)", "a b": ["+1"], "a?b": 1, "a!b": 2},
        data=DataInfo(name=HOSTILE, rows=3, columns=[HOSTILE]),
        output=OutputInfo.of({"text": HOSTILE, "table": {HOSTILE: HOSTILE}}),
        metrics={HOSTILE: 1.0, "step": 2.0, "loss": 0.5},
        series={HOSTILE: [(0.0, 1.0)], "loss": [(0.0, 2.0), (0.5, 1.0)]},
        parents=[HOSTILE],
        tags=[HOSTILE],
        note=HOSTILE,
        error=ErrorInfo(type=HOSTILE, message=HOSTILE),
    )


@pytest.fixture
def secretive(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> RunRecord:
    """A run with a secret and a path of this machine wherever a text can stand."""
    monkeypatch.setenv("SOME_TOKEN", SECRET)
    text = f"{SECRET} in {tmp_path}/there.txt"
    return RunRecord(
        kind="prompt",
        status="error",
        seconds=0.1,
        notebook="secretive.ipynb",
        model=ModelInfo(name=f"{tmp_path}/model"),
        template=text,
        params={"password": SECRET, SECRET: text},
        data=DataInfo(name=text),
        output=OutputInfo.of(text),
        metrics={SECRET: 1.0},
        series={SECRET: [(0.0, 1.0)]},
        tags=[text],
        note=text,
        error=ErrorInfo(type="E", message=text),
    )


@pytest.fixture
def told(tmp_path: Path) -> tuple[bytes, bytes]:
    """What must not be found in anything written."""
    return SECRET.encode(), str(tmp_path).encode()
