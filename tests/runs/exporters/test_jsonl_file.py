from __future__ import annotations

import json
from typing import TYPE_CHECKING

from fmagic.runs.exporters import export
from fmagic.runs.reading import Skips, from_json

if TYPE_CHECKING:
    from pathlib import Path

    from fmagic.runs.record import RunRecord


def test_reading_it_back_gives_the_same_records(
    records: list[RunRecord], hostile: RunRecord, tmp_path: Path
) -> None:
    place = tmp_path / "runs.jsonl"
    export("jsonl", [*records, hostile], str(place))
    skips = Skips()
    lines = place.read_bytes().removesuffix(b"\n").split(b"\n")
    assert [from_json(line, skips) for line in lines] == [
        record.sealed() for record in (*records, hostile)
    ]
    assert skips == Skips()


def test_a_line_is_the_record_as_it_leaves_memory(records: list[RunRecord], tmp_path: Path) -> None:
    place = tmp_path / "runs.jsonl"
    export("jsonl", records, str(place))
    with place.open(encoding="utf-8", newline="\n") as file:
        for line, record in zip(file, records, strict=True):
            assert list(json.loads(line).items()) == list(record.dump().items())
