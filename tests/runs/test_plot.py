from __future__ import annotations

import pytest

from fmagic.errors import LogError
from fmagic.runs.plot import MOST_CURVES, against, curves
from tests.runs.samples import made

RUNS = [
    made(i, "finetune", params={"rank": 2**i, "method": method}, metrics={"accuracy": 0.7 + i / 50},
         series={"loss": [[1, 1.0], [2, 0.5 / i]], "held_out_loss": [[2, 0.6]]})
    for i, method in enumerate(("lora", "lora", "full"), 1)
]  # fmt: skip


def test_curves_of_several_runs_in_one_picture() -> None:
    assert list(curves(RUNS, "loss").series) == [f"0000000{i} loss" for i in (1, 2, 3)]
    assert len(curves(RUNS[:1]).series) == 2


def test_a_figure_against_an_option() -> None:
    picture = against([*RUNS, made(9)], "rank", "accuracy")
    assert picture.series == {"accuracy": [(2, 0.72), (4, 0.74), (8, 0.76)]}
    assert picture.dots


def test_what_a_run_lacks_is_that_of_the_run_it_builds_on() -> None:
    tuned = [made(i, "finetune", params={"rank": 2**i}) for i in (1, 2)]
    again = made(3, "finetune", parents=[tuned[1].id])
    scored = [
        made(i + 3, "evaluate", parents=[parent.id], metrics={"accuracy": i / 10})
        for i, parent in enumerate((*tuned, again), 1)
    ]
    picture = against(scored, "rank", "accuracy", [*tuned, again])
    assert picture.series == {"accuracy": [(2, 0.1), (4, 0.2), (4, 0.3)]}


def test_options_that_are_no_numbers_stand_side_by_side() -> None:
    picture = against(RUNS, "method", "accuracy")
    assert picture.x_names == ["lora", "full"]
    assert picture.series == {"accuracy": [(0, 0.72), (0, 0.74), (1, 0.76)]}
    assert "0.76 at full" in picture.plain()
    assert "image/svg+xml" in picture.html()


def test_what_cannot_be_drawn() -> None:
    with pytest.raises(LogError, match="finetune"):
        curves([made(1)])
    with pytest.raises(LogError, match="'loss'"):
        curves(RUNS, "los")
    with pytest.raises(LogError, match="'accuracy'"):
        against(RUNS, "rank", "acuracy")
    many = [made(i, series={"loss": [[1, 1.0]]}) for i in range(MOST_CURVES + 1)]
    with pytest.raises(LogError, match="too many"):
        curves(many)
