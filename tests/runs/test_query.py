from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from fmagic.errors import LogError, OptionError
from fmagic.runs.query import Query, select, since, value_of
from tests.runs.samples import made

RUNS = [
    made(1, model={"name": "tiny"}, template="Is this spam?", tags=["baseline"]),
    made(2, "finetune", model={"name": "tiny"}, params={"rank": 8}, metrics={"loss": 0.5}),
    made(3, "evaluate", model={"name": "Qwen/Qwen3-0.6B"}, metrics={"accuracy": 0.8}),
    made(4, "evaluate", model={"name": "tiny", "adapter": "spam-lora"}, status="interrupted"),
    made(5, "evaluate", metrics={"accuracy": 0.9}, note="Best one", tags=["baseline", "long"]),
]


def numbers(query: Query) -> list[int]:
    return [int(record.id[-12:], 16) for record in select(RUNS, query)]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (Query(), [1, 2, 3, 4, 5]),
        (Query(kind="evaluate"), [3, 4, 5]),
        (Query(model="TINY"), [1, 2, 4]),
        (Query(model="spam-lora"), [4]),
        (Query(status="interrupted"), [4]),
        (Query(tags=("baseline",)), [1, 5]),
        (Query(tags=("baseline", "long")), [5]),
        (Query(text="SPAM"), [1, 4]),
        (Query(text="best baseline"), [5]),
        (Query(since="2026-11-21T08:04"), [4, 5]),
        (Query(since="2026-11-22"), []),
        (Query(sort="accuracy"), [5, 3, 1, 2, 4]),
        (Query(sort="accuracy", reverse=True), [3, 5, 1, 2, 4]),
        (Query(sort="started"), [5, 4, 3, 2, 1]),
        (Query(sort="rank", kind="finetune"), [2]),
    ],
)
def test_runs_are_found_and_sorted(query: Query, expected: list[int]) -> None:
    assert numbers(query) == expected


@pytest.mark.parametrize(
    ("query", "hint"),
    [
        (Query(kind="evalute"), "'evaluate'"),
        (Query(status="interupted"), "'interrupted'"),
        (Query(tags=("baselin",)), "'baseline'"),
        (Query(sort="acuracy"), "'accuracy'"),
    ],
)
def test_what_no_run_has_is_an_error_with_near_names(query: Query, hint: str) -> None:
    with pytest.raises(LogError, match=hint):
        select(RUNS, query)


@pytest.mark.parametrize("text", ["yesterday", "", "2h30", "-3d", "9" * 400 + "w"])
def test_a_time_that_cannot_be_read(text: str) -> None:
    with pytest.raises(OptionError, match="--since"):
        since(text)


def test_times_are_utc_dates_or_as_long_ago() -> None:
    assert since("2026-11-21") == datetime(2026, 11, 21, tzinfo=UTC)
    assert since("2026-11-21T09:00+01:00") == datetime(2026, 11, 21, 8, tzinfo=UTC)
    for text, ago in (("90m", timedelta(minutes=90)), ("1.5d", timedelta(days=1.5))):
        assert abs(datetime.now(UTC) - ago - since(text)) < timedelta(seconds=5)


def test_values_are_metrics_options_or_fields() -> None:
    record = made(1, metrics={"loss": 0.5}, params={"rank": 8}, seed=3, model={"name": "tiny"})
    assert [value_of(record, name) for name in ("loss", "rank", "seed", "name", "x")] == [
        0.5, 8, 3, "tiny", None,
    ]  # fmt: skip
