"""What results show of their tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import polars as pl
import pytest

from fmagic.results import Answers
from tests.runs.samples import made

if TYPE_CHECKING:
    from collections.abc import Callable

TEXTS = [None if i % 2 else f"answer {i}" for i in range(40)]


@pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame])
@pytest.mark.parametrize(
    ("status", "shown"), [("ok", range(0, 10, 2)), ("interrupted", range(0, 20, 2))]
)
def test_a_table_that_was_ended_early_shows_the_rows_that_were_answered(
    kind: Callable[[Any], Any], status: str, shown: range
) -> None:
    frame = kind({"text": [f"row {i}" for i in range(40)], "answer": TEXTS})
    lines = str(Answers(made(1, status=status), frame, TEXTS)).splitlines()
    assert [
        line.split("answer ")[1].strip()
        for line in lines
        if line.startswith("row ") and "answer " in line and line[4].isdigit()
    ] == [str(i) for i in shown]
    assert "10 of 40 rows" in lines
    assert ("rows that were answered" in lines) is (status != "ok")


def test_a_table_of_which_no_row_was_answered_shows_its_beginning() -> None:
    frame = pd.DataFrame({"text": ["row 0", "row 1"], "answer": [None, None]})
    assert "row 1" in str(Answers(made(1, status="error"), frame, [None, None]))
