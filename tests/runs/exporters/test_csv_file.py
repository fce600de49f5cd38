from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from fmagic.runs.exporters import export
from fmagic.runs.identity import uuid7
from fmagic.runs.record import RunRecord
from fmagic.runs.schema import json_schema

if TYPE_CHECKING:
    from pathlib import Path


def written(records: list[RunRecord], folder: Path) -> list[dict[str, str]]:
    place = folder / "runs.csv"
    export("csv", records, str(place))
    with place.open(newline="", encoding="utf-8-sig") as file:
        header, *rows = csv.reader(file)
    assert len(set(header)) == len(header)
    return [dict(zip(header, row, strict=True)) for row in rows]


def test_each_run_is_a_row_with_dotted_names(records: list[RunRecord], tmp_path: Path) -> None:
    rows = written(records, tmp_path)
    assert [row["id"] for row in rows] == [record.id for record in records]
    (trained,) = [row for row in rows if row["series.loss.last"]]
    assert trained["model.name"] == "Qwen/Qwen3-0.6B"
    assert trained["params.learning_rate"] == "0.0002"
    assert trained["metrics.held_out_loss_after"] == "0.41"
    assert trained["data.columns"] == '["text", "label"]'
    assert trained["environment.git_dirty"] == "false"
    assert (trained["series.loss.points"], trained["series.loss.last"]) == ("22", "0.812")
    assert trained["error.type"] == ""


def test_pandas_reads_it(records: list[RunRecord], tmp_path: Path) -> None:
    written(records, tmp_path)
    frame = pd.read_csv(tmp_path / "runs.csv")
    assert list(frame["seconds"].dropna()) == [
        record.seconds for record in records if record.seconds is not None
    ]
    assert frame.columns[0] == "schema"


def test_columns_stand_in_the_order_of_the_schema_whatever_comes_first(
    records: list[RunRecord], tmp_path: Path
) -> None:
    names = list(written(records, tmp_path)[0])
    assert names == list(written(records[::-1], tmp_path)[0])
    assert names[:6] == ["schema", "id", "kind", "status", "started", "seconds"]
    assert names.index("model.name") < names.index("model.device") < names.index("template")
    options = [name for name in names if name.startswith("params.")]
    assert options == sorted(options)


def sample(name: str, kind: str | list[str]) -> Any:
    """A value of a JSON type, for a field of that name."""
    given: dict[str, Any] = {"id": uuid7(), "kind": "prompt", "status": "ok"}
    given |= {"schema": "fmagic.run/1", "series": {"x": [[1, 2]]}}
    given |= dict.fromkeys(("started", "edited"), "2026-11-21T08:05:00.000Z")
    values = {"integer": 1, "number": 1, "boolean": True, "array": ["x"], "object": {"x": 1}}
    return given.get(name) or values.get(kind if isinstance(kind, str) else kind[0], "x")


def test_every_field_of_the_schema_is_a_column_in_its_place(tmp_path: Path) -> None:
    schema = json_schema()
    record: dict[str, Any] = {}
    columns = []
    for name, field in schema["properties"].items():
        part = schema["$defs"].get(name)
        if part is None:
            record[name] = sample(name, field.get("type", ""))
            inner = {"series": ["x.last", "x.points"], "params": ["x"], "metrics": ["x"]}
            columns += [f"{name}.{each}" for each in inner[name]] if name in inner else [name]
        else:
            fields = part["properties"].items()
            record[name] = {each: sample(each, about.get("type", "")) for each, about in fields}
            columns += [f"{name}.{each}" for each in record[name]]
    inside = schema["$defs"]["license"]["properties"]
    record["model"]["license"] = {each: sample("", about["type"]) for each, about in inside.items()}
    place = columns.index("model.license")
    columns[place : place + 1] = [f"model.license.{each}" for each in sorted(inside)]
    (row,) = written([RunRecord.model_validate(record)], tmp_path)
    columns[columns.index("output.table")] = "output.table.x"
    assert list(row) == columns
    assert all(row.values())


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", " =", "\r=", "\uff1d"])
def test_no_text_is_a_formula(start: str, tmp_path: Path) -> None:
    formula = f'{start}HYPERLINK("http://x","y")'
    record = RunRecord(kind="prompt", note=formula, params={"a": formula}, metrics={"b": -1.5})
    (row,) = written([record], tmp_path)
    assert row["note"] == row["params.a"] == f"'{formula}"
    assert row["metrics.b"] == "-1.5"


def test_no_column_is_a_formula(tmp_path: Path) -> None:
    class Later(RunRecord):
        pass

    record = Later.model_validate({"kind": "prompt", "=cmd()": "a field of a later version"})
    (row,) = written([record], tmp_path)
    assert row["'=cmd()"] == "a field of a later version"


def test_hostile_texts_stay_in_their_cells(hostile: RunRecord, tmp_path: Path) -> None:
    rows = written([hostile, RunRecord(kind="prompt", template="plain")], tmp_path)
    assert rows[0]["note"] == f"'{hostile.note}"
    assert rows[1]["template"] == "plain"


def test_two_fields_of_one_dotted_name_are_two_columns(tmp_path: Path) -> None:
    record = RunRecord(kind="prompt", params={"a": {"b": 1}, "a.b": 2})
    (row,) = written([record], tmp_path)
    assert sorted(row[name] for name in row if name.startswith("params.")) == ["1", "2"]
