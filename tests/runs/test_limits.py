from __future__ import annotations

import hashlib
import json
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fmagic.runs.limits import MAX_BYTES, cut_text, size, thin
from fmagic.runs.record import (
    CellInfo,
    DataInfo,
    EnvironmentInfo,
    ErrorInfo,
    OutputInfo,
    RunRecord,
)
from fmagic.runs.schema import validate


def test_a_long_text_ends_in_how_much_is_missing_and_which_it_was() -> None:
    text = "α" * 20_000
    cut = cut_text(text, 1_000)
    assert len(cut) == 1_000
    match = re.fullmatch(r"(α+)… \[([\d,]+) more characters, sha256 (\w{64})\]", cut)
    assert match is not None
    assert len(match[1]) + int(match[2].replace(",", "")) == 20_000
    assert match[3] == hashlib.sha256(text.encode()).hexdigest()


def test_a_text_cut_again_still_speaks_of_the_whole() -> None:
    text = "".join(map(str, range(9_000)))
    assert cut_text(cut_text(text, 5_000), 500) == cut_text(text, 500)


def test_short_texts_are_whole() -> None:
    record = RunRecord(kind="prompt", template="x" * 16_384, note="y" * 3_000)
    assert record.dump()["template"] == "x" * 16_384
    assert record.dump()["note"] == "y" * 3_000


def test_the_output_keeps_its_own_digest() -> None:
    text = "z" * 100_000
    dumped = RunRecord(kind="prompt", output=OutputInfo.of(text)).dump()["output"]
    assert dumped["sha256"] == hashlib.sha256(text.encode()).hexdigest()
    assert len(dumped["text"]) <= 16_384


def test_points_are_thinned_evenly_with_both_ends() -> None:
    points = [(i, 0) for i in range(1_001)]
    assert thin(points, 11) == [(i, 0) for i in range(0, 1_001, 100)]
    assert thin(points[:5], 11) == points[:5]
    assert thin(points, 0) == []


def test_curves_give_way_before_parameters() -> None:
    curves = {f"loss {i}": [(k + 0.123456, k + 0.654321) for k in range(500)] for i in range(6)}
    dumped = RunRecord(kind="finetune", series=curves, params={"p": "v" * 1_000}).dump()
    assert size(dumped) <= MAX_BYTES
    assert {len(points) for points in dumped["series"].values()} == {100}
    assert dumped["params"] == {"p": "v" * 1_000}


@pytest.mark.parametrize("character", ["a", "\x00", "\U0001f600", '"'])
def test_a_record_full_of_everything_fits(character: str) -> None:
    long = character * 70_000
    nested: object = long
    for _ in range(20):
        nested = [nested, {f"{i}": i for i in range(20)}]
    record = RunRecord.model_validate(
        {
            "kind": "prompt",
            "notebook": long,
            "cell": {"source": long, "id": long, "more": {long: [long] * 5}},
            "model": {"name": long, "revision": long, "quant": long, "adapter": long},
            "template": long,
            "params": {f"{i}{long[:3000]}": nested for i in range(100)},
            "data": {"name": long, "columns": [long[:5_000]] * 100, "sha256": long},
            "output": {"text": long, "table": {f"{i}": long[:500] for i in range(2_000)}},
            "metrics": {f"{i}{long[:500]}": 1 / (i + 3) for i in range(3_000)},
            "series": {f"{i}{long[:500]}": [(k / 7, k / 3) for k in range(600)] for i in range(50)},
            "parents": [long[:5_000]] * 100,
            "tags": [long[:100]] * 3_000,
            "note": long,
            "error": {"type": long, "message": long},
            "unknown": [[long] * 5] * 5,
        }
    )
    dumped = record.dump()
    assert size(dumped) <= MAX_BYTES
    assert validate(dumped) == []
    assert dumped["template"].startswith(character)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.text(), json_values), st.text(), st.lists(st.text()))
def test_any_parameters_make_a_valid_record_that_json_can_write(
    params: dict[str, object], text: str, tags: list[str]
) -> None:
    record = RunRecord(
        kind="prompt",
        params=params,
        template=text,
        tags=tags,
        cell=CellInfo(source=text),
        data=DataInfo(name=text),
        environment=EnvironmentInfo(device_name=text),
        error=ErrorInfo(type=text, message=text),
    )
    dumped = record.dump()
    written = json.dumps(dumped, ensure_ascii=False, allow_nan=False).encode("utf-8")
    assert json.loads(written) == dumped
    assert validate(dumped) == []
