from __future__ import annotations

import hashlib
import json
import math
import random
import re
from typing import TYPE_CHECKING

import pytest

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

if TYPE_CHECKING:
    from collections.abc import Callable


def test_a_long_text_ends_in_how_much_is_missing_and_which_it_was() -> None:
    text = "é" * 20_000
    cut = cut_text(text, 1_000)
    assert len(cut) == 1_000
    match = re.fullmatch(r"(é+)… \[([\d,]+) more characters, sha256 (\w{64})\]", cut)
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
    long = character * 20_000
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
            "data": {"name": long, "columns": [long[:2_500]] * 100, "sha256": long},
            "output": {"text": long, "table": {f"{i}": long[:500] for i in range(2_000)}},
            "metrics": {f"{i}{long[:500]}": 1 / (i + 3) for i in range(3_000)},
            "series": {f"{i}{long[:500]}": [(k / 7, k / 3) for k in range(600)] for i in range(50)},
            "parents": [long[:2_500]] * 100,
            "tags": [long[:50]] * 1_500,
            "note": long,
            "error": {"type": long, "message": long},
            "unknown": [[long] * 5] * 5,
        }
    )
    dumped = record.dump()
    assert size(dumped) <= MAX_BYTES
    assert validate(dumped) == []
    assert dumped["template"].startswith(character)


def any_value(draw: random.Random, depth: int = 3) -> object:
    makers: list[Callable[[], object]] = [
        lambda: None,
        lambda: draw.choice([True, False, 0, -1, 10**30, 0.5, -0.0, math.nan, math.inf]),
        lambda: any_text(draw),
    ]
    if depth:
        some = range(draw.randrange(5))
        makers.append(lambda: [any_value(draw, depth - 1) for _ in some])
        makers.append(lambda: {any_text(draw): any_value(draw, depth - 1) for _ in some})
    return draw.choice(makers)()


def any_text(draw: random.Random) -> str:
    alphabet = [*"ab /\\\"'{}:=…•\n\r\t\x00\x1b\u2028\ud800\udfff\U0001f600", "token=", "C:\\"]
    return "".join(draw.choices(alphabet, k=draw.randrange(12)))


@pytest.mark.parametrize("seed", range(100))
def test_whatever_is_in_it_json_can_write_it(seed: int) -> None:
    draw = random.Random(seed)
    record = RunRecord(
        kind="prompt",
        params={any_text(draw): any_value(draw) for _ in range(5)},
        template=any_text(draw),
        tags=[any_text(draw)],
        cell=CellInfo(source=any_text(draw)),
        data=DataInfo(name=any_text(draw)),
        environment=EnvironmentInfo(device_name=any_text(draw)),
        error=ErrorInfo(type=any_text(draw), message=any_text(draw)),
    )
    dumped = record.dump()
    written = json.dumps(dumped, ensure_ascii=False, allow_nan=False).encode("utf-8")
    assert json.loads(written) == dumped
    assert validate(dumped) == []
