from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from fmagic.runs.limits import _KNOWN
from fmagic.runs.record import (
    SCHEMA,
    CellInfo,
    DataInfo,
    EnvironmentInfo,
    ErrorInfo,
    LicenseInfo,
    ModelInfo,
    OutputInfo,
    RerunInfo,
    RunRecord,
)
from fmagic.runs.schema import json_schema, validate

if TYPE_CHECKING:
    from pydantic import BaseModel

REFUSED = json.loads(
    (Path(__file__).parents[1] / "fixtures" / "refused.json").read_text(encoding="utf-8")
)
PARTS: dict[str, type[BaseModel]] = {
    "cell": CellInfo,
    "model": ModelInfo,
    "license": LicenseInfo,
    "data": DataInfo,
    "output": OutputInfo,
    "rerun": RerunInfo,
    "environment": EnvironmentInfo,
    "error": ErrorInfo,
}


def problems(data: Any) -> list[str]:
    validator = jsonschema.Draft202012Validator(json_schema())
    return [error.message for error in validator.iter_errors(data)]


def names(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def required(model: type[BaseModel]) -> set[str]:
    return {name for name, field in model.model_fields.items() if field.is_required()}


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())


def test_schema_and_model_have_the_same_fields_in_the_same_order() -> None:
    schema = json_schema()
    assert list(schema["properties"]) == names(RunRecord)
    assert set(names(RunRecord)) == _KNOWN
    assert set(schema["$defs"]) == set(PARTS)
    for name, part in PARTS.items():
        assert list(schema["$defs"][name]["properties"]) == names(part)
        assert set(schema["$defs"][name].get("required", ())) == required(part)
    # What the model makes by itself every record has.
    made = {"schema", "id", "status", "started"}
    assert set(schema["required"]) == required(RunRecord) | made
    assert schema["properties"]["schema"]["const"] == SCHEMA


def test_fixtures_meet_both_and_come_back_unchanged(fixture_record: dict[str, Any]) -> None:
    assert problems(fixture_record) == []
    assert validate(fixture_record) == []
    dumped = RunRecord.model_validate(fixture_record).dump()
    assert dumped == fixture_record
    assert list(dumped) == list(fixture_record)


@pytest.mark.parametrize(("place", "value"), REFUSED)
def test_schema_and_model_refuse_the_same(place: str, value: object) -> None:
    record = RunRecord(kind="prompt").dump()
    record[place] = value
    assert problems(record)
    (problem, *_) = validate(record)
    assert problem.startswith(place)


@pytest.mark.parametrize("name", ["schema", "id", "kind", "status", "started"])
def test_a_required_field_that_is_missing(name: str) -> None:
    record = RunRecord(kind="prompt").dump()
    del record[name]
    assert problems(record)
    # The model makes all of these but the kind by itself; readers look at the schema first.
    assert bool(validate(record)) == (name == "kind")


def test_fields_of_the_future_are_kept() -> None:
    data = RunRecord(kind="prompt", model=ModelInfo(name="tiny")).dump()
    newer = copy.deepcopy(data)
    newer["carbon_grams"] = 3.5
    newer["model"]["shards"] = 2
    assert problems(newer) == validate(newer) == []
    assert RunRecord.model_validate(newer).dump() == newer
