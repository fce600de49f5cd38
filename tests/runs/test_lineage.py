from __future__ import annotations

from fmagic.runs.lineage import chain, children
from tests.runs.samples import made

TUNING = made(
    1,
    "finetune",
    params={"name": "spam-lora"},
    data={"name": "train", "rows": 1686, "sha256": "ab" * 32},
    model={"name": "org/base", "revision": "c" * 40},
)
SCORING = made(
    2,
    "evaluate",
    parents=[TUNING.id],
    data={"name": "test", "rows": 250, "sha256": "cd" * 32},
    model={"name": "spam-lora"},
)


def test_a_score_leads_to_the_tuning_its_data_and_the_base() -> None:
    assert chain(SCORING, [TUNING, SCORING]).lines() == [
        "evaluate 00000002",
        "├─ finetune 00000001 'spam-lora'",
        "│  ├─ data train, 1,686 rows, sha256 abababababab",
        "│  └─ model org/base at cccccccccccc",
        "└─ data test, 250 rows, sha256 cdcdcdcdcdcd",
    ]


def test_a_parent_from_elsewhere_is_named_as_missing() -> None:
    assert "run 00000001, which is not in this log" in chain(SCORING, []).lines()[1]


def test_runs_that_name_each_other_end() -> None:
    one = made(1, parents=[made(2).id])
    other = made(2, parents=[one.id, made(2).id])
    assert chain(one, [one, other]).lines() == ["prompt 00000001", "└─ prompt 00000002"]


def test_children() -> None:
    assert children(TUNING, [TUNING, SCORING]) == [SCORING]
    assert children(SCORING, [TUNING, SCORING]) == []
