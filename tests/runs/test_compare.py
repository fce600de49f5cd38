from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fmagic.intervals import Paired
from fmagic.runs.compare import compare
from fmagic.runs.record import CellInfo
from tests.runs.samples import made

if TYPE_CHECKING:
    from fmagic.runs.record import RunRecord

ONE = made(
    1,
    "evaluate",
    template="user:\nIs it good?\n",
    params={"max_tokens": 8, "choices": ["a", "b"]},
    seed=1,
    model={"name": "tiny", "quant": "none"},
    data={"name": "test", "sha256": "1" * 64},
    environment={"torch": "2.13.0"},
    metrics={"accuracy": 0.8, "n": 250},
    output={"text": "a", "sha256": "a" * 64},
)


def test_what_changed_and_how_the_figures_moved() -> None:
    other = ONE.model_copy(deep=True)
    other.id, other.seed = made(2).id, 2
    other.template = "user:\nIs it bad?\n"
    assert other.model is not None
    other.model.quant = "nf4"
    other.metrics = {"accuracy": 0.9, "n": 250, "f1": 0.5}
    found = compare(ONE, other)
    assert found.changed == {"options: seed": (1, 2), "model: quant": ("none", "nf4")}
    assert found.metrics["accuracy"] == (0.8, 0.9)
    assert found.metrics["f1"] == (None, 0.5)
    assert found.same == ("data", "environment")
    assert found.same_output is True
    text = found.block().plain()
    assert "Is it [-good-]{+bad+}?" in text
    assert "+0.1" in text
    assert "+12.5%" in text
    html = found.block().html()
    assert "<del" in html
    assert "<ins" in html


def test_a_cell_is_shown_where_nothing_else_says_what_changed() -> None:
    one = ONE.model_copy(update={"cell": CellInfo(source="%evaluate --data a")})
    other = ONE.model_copy(update={"cell": CellInfo(source="%evaluate --data b"), "id": made(2).id})
    assert "--data [-a-]{+b+}" in compare(one, other).block().plain()
    other.seed = 2
    assert "--data" not in compare(one, other).block().plain()
    one.template = other.template = None  # as of vectors, whose texts are in the cell
    assert "--data [-a-]{+b+}" in compare(one, other).block().plain()


def test_two_runs_of_one_thing() -> None:
    other = ONE.model_copy(update={"id": made(2).id})
    found = compare(ONE, other)
    assert found.changed == {}
    assert "Nothing that is recorded changed" in found.block().plain()


def test_an_output_that_drifted_or_is_not_known() -> None:
    drifted = made(2, output={"text": "b", "sha256": "b" * 64})
    assert compare(ONE, drifted).same_output is False
    assert compare(ONE, made(2, status="error")).same_output is None


def test_hostile_values_stay_text() -> None:
    evil = made(2, template="<script>x</script>", params={"a": "<img src=x onerror=y>"})
    html = compare(ONE, evil).block().html()
    assert "<script" not in html
    assert "<img" not in html


def evaluated(number: int, *marks: str, data: str = "1", right: str = "e") -> RunRecord:
    output: dict[str, Any] = {"text": "a", "sha256": f"{number}" * 64, "marks": list(marks)}
    output["expected_sha256"] = right * 64
    return made(number, "evaluate", data={"name": "test", "sha256": data * 64}, output=output)


def test_two_evaluations_are_compared_row_by_row() -> None:
    before, after = evaluated(1, "1100000", "000-"), evaluated(2, "1011110", "1100")
    found = compare(before, after)
    assert found.rows == Paired(both=1, first=1, second=6, neither=2)
    text = found.block().plain()
    assert "the difference may be chance (p = 0.070" in text
    assert "+50.0 points (95% interval " in text
    assert "1 in both, 6 only after, 1 only before, 2 in neither" in text
    better = compare(evaluated(1, "0" * 20), evaluated(2, "1" * 20)).block().plain()
    assert "better, and hardly by chance (p < 0.001" in better
    worse = compare(evaluated(1, "1" * 20), evaluated(2, "0" * 20)).block().plain()
    assert "worse, and hardly by chance" in worse
    same = compare(evaluated(1, "10"), evaluated(2, "01")).block().plain()
    assert "no difference (p = 1.000" in same


def test_rows_or_tasks_that_are_not_the_same_are_not_paired() -> None:
    before = evaluated(1, "10")
    others = [evaluated(2, "10", data="2"), evaluated(2, "10", right="f"), evaluated(2, "101")]
    for other in (*others, evaluated(2), ONE, made(2), evaluated(2, "--")):
        assert compare(before, other).rows is None
    many = evaluated(3, *["1" * 1000] * 90)
    assert compare(many, many.model_copy(update={"id": made(4).id})).rows is None
