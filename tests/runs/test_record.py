from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fmagic.runs.record import CellInfo, DataInfo, ErrorInfo, ModelInfo, OutputInfo, RunRecord

if TYPE_CHECKING:
    import pytest


def test_keys_stand_in_the_order_of_the_schema_and_empty_ones_are_left_out() -> None:
    record = RunRecord(
        note="n", seed=0, kind="prompt", params={"top_p": None, "a": 1}, model=ModelInfo(name="m")
    )
    dumped = record.dump()
    assert list(dumped) == [
        *("schema", "id", "kind", "status", "started", "model", "params", "seed", "note")
    ]
    assert dumped["params"] == {"top_p": None, "a": 1}
    assert dumped["model"] == {"name": "m"}


def test_a_rerun_with_the_same_result_changes_nothing_but_id_and_time() -> None:
    def run() -> dict[str, Any]:
        options = {"stop": {"b", "a", "c"}, "callback": object(), "rank": 8}
        return RunRecord(
            kind="prompt", status="ok", seconds=1.0, params=options, output=OutputInfo.of("yes")
        ).dump()

    first, second = run(), run()
    assert {key for key in first if first[key] != second[key]} <= {"id", "started"}
    assert first["params"] == {"stop": ["a", "b", "c"], "callback": "<object>", "rank": 8}


def test_secrets_are_masked_in_every_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_SERVICE_KEY", "zebra-crossing")
    monkeypatch.setenv("DB_PASSWORD", "short")
    record = RunRecord(
        kind="prompt",
        cell=CellInfo(source="%%prompt --api-key abcdef123\nzebra-crossing"),
        model=ModelInfo(name="http://host/v1?zebra-crossing#m"),
        template="use zebra-crossing, in short",
        params={"headers": {"Authorization": "Basic x"}, "key_env": "MY_SERVICE_KEY"},
        data=DataInfo(name="zebra-crossing.csv", columns=["zebra-crossing"]),
        output=OutputInfo.of("it was zebra-crossing"),
        metrics={"zebra-crossing": 1.0},
        series={"zebra-crossing": [(0, 1)]},
        tags=["zebra-crossing"],
        note="zebra-crossing",
        error=ErrorInfo(type="E", message="401 for zebra-crossing"),
    )
    text = json.dumps(record.dump(), ensure_ascii=False)
    assert "zebra" not in text
    assert "abcdef123" not in text
    assert "Basic" not in text
    assert "MY_SERVICE_KEY" in text
    assert "in short" in text
    assert "zebra" not in record.sealed().model_dump_json()


def test_what_the_log_needs_to_read_is_never_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ODD_TOKEN", "prompt")
    monkeypatch.setenv("ODD_KEY", "running")
    dumped = RunRecord(kind="prompt", note="a prompt").dump()
    assert (dumped["kind"], dumped["status"]) == ("prompt", "running")
    assert dumped["note"] == "a •••"


def test_no_absolute_path_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    home = Path.home()
    record = RunRecord(
        kind="prompt",
        cell=CellInfo(source=f"%%prompt --data {tmp_path}/deep/reviews.csv\nhi"),
        model=ModelInfo(name=str(home / "models" / "mine"), adapter=str(tmp_path / "a")),
        params={"folder": tmp_path / "out", "data": "/mnt/corpora/big.parquet"},
        data=DataInfo(name=str(tmp_path / "reviews.csv")),
        error=ErrorInfo(type="E", message=f"No such file: '{home}/secret plans/x.csv'"),
    )
    dumped = record.dump()
    assert dumped["cell"]["source"] == "%%prompt --data reviews.csv\nhi"
    assert dumped["model"] == {"name": "mine", "adapter": "a"}
    assert dumped["params"] == {"folder": "out", "data": "big.parquet"}
    assert dumped["data"]["name"] == "reviews.csv"
    assert str(home) not in dumped["error"]["message"]


def test_sealing_twice_changes_nothing() -> None:
    record = RunRecord(
        kind="prompt",
        template="x" * 200_000,
        params={"token": "abc", "list": list(range(5_000)), "text": "y" * 9_000},
        tags=["t"] * 2_000,
        series={"loss": [(i, i) for i in range(2_000)]},
    )
    assert record.sealed().dump() == record.dump()


def test_the_id_is_short_where_people_read_it() -> None:
    record = RunRecord(kind="embed")
    assert record.id.endswith(record.short_id)
    assert len(record.short_id) == 8
    assert record.started_at.tzinfo is not None
