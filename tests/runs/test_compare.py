from __future__ import annotations

from fmagic.runs.compare import compare
from tests.runs.samples import made

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
