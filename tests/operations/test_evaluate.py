from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fmagic.errors import TemplateError
from fmagic.models.language import LanguageModel
from fmagic.models.loader import load
from fmagic.models.sampling import Sampling
from fmagic.operations.evaluate import EvaluateResult, evaluate, score
from fmagic.operations.events import Advanced
from fmagic.operations.prompt import prompt
from fmagic.template import Turn

if TYPE_CHECKING:
    from collections.abc import Generator

    from fmagic.operations.events import Event
    from tests.support.checkpoints import Checkpoints

SAMPLING = Sampling(max_tokens=4)


@pytest.fixture
def model(checkpoints: Checkpoints) -> LanguageModel:
    loaded = load(str(checkpoints("llama")), quant="none", dtype="float32", device="cpu")
    assert isinstance(loaded, LanguageModel)
    return loaded


def run(
    operation: Generator[Event, None, EvaluateResult], *, stop_after: int | None = None
) -> EvaluateResult:
    try:
        event = next(operation)
        while True:
            if isinstance(event, Advanced) and event.done == stop_after:
                event = operation.throw(KeyboardInterrupt)
            else:
                event = next(operation)
    except StopIteration as end:
        result: EvaluateResult = end.value
        return result


def rows(expected: list[str]) -> list[tuple[Turn, ...]]:
    return [
        (Turn("user", f"fox {i} " + "dog " * (i % 9)), Turn("assistant", text))
        for i, text in enumerate(expected)
    ]


def test_answers_are_those_of_prompting_and_are_compared(model: LanguageModel) -> None:
    asked = [turns[:-1] for turns in rows([""] * 6)]
    operation = prompt(model, asked, SAMPLING)
    while True:
        try:
            next(operation)
        except StopIteration as end:
            answers = end.value.texts
            break
    expected = [answers[0], f" {answers[1]}\n", "certainly not", *answers[3:]]
    result = run(evaluate(model, rows(expected), SAMPLING))
    assert result.answers == answers
    assert result.correct == [True, True, False, True, True, True]
    assert result.scores["accuracy"] == pytest.approx(5 / 6)
    assert result.scores["n"] == 6
    assert result.total == result.done == 6
    assert result.metrics()["output_tokens"] > 0
    said = result.summary()
    assert said["marks"] == ["110111"]
    again = run(evaluate(model, rows([*expected[:-1], "another"]), SAMPLING)).summary()
    assert again["expected_sha256"] != said["expected_sha256"]


def test_choices_are_scored_and_rows_left_out_stay_empty(model: LanguageModel) -> None:
    examples = [None, *rows(["yes", "no", "perhaps"])]
    result = run(evaluate(model, examples, SAMPLING, choices=("yes", "no")))
    assert result.answers[0] is None
    assert result.correct[0] is None
    assert result.expected[0] is None
    assert str(result.summary()["marks"]).startswith("['-")
    assert set(result.answers[1:]) <= {"yes", "no"}
    assert result.scores["n"] == 3
    assert result.scores["expected_outside_choices"] == pytest.approx(1 / 3)
    assert result.scores["majority_baseline"] == pytest.approx(1 / 3)


def test_stop_scores_what_was_done(model: LanguageModel) -> None:
    result = run(evaluate(model, rows(["yes"] * 70), SAMPLING, choices=("yes", "no")), stop_after=1)
    assert result.interrupted
    assert 1 <= result.done < 70
    assert result.scores["n"] == result.done
    assert result.labels[0][1] == result.done


def test_stop_before_any_answer_has_no_accuracy(model: LanguageModel) -> None:
    operation = evaluate(model, rows(["yes"] * 3), SAMPLING)
    next(operation)
    with pytest.raises(StopIteration) as end:
        operation.throw(KeyboardInterrupt)
    assert end.value.value.scores == {"n": 0}
    assert end.value.value.interrupted


def test_a_row_without_an_expected_answer_is_refused(model: LanguageModel) -> None:
    examples = [*rows(["yes"]), (Turn("user", "and now?"),)]
    with pytest.raises(TemplateError, match="Row 2 holds no expected answer"):
        run(evaluate(model, examples, SAMPLING))


def test_scores_of_labels() -> None:
    pairs = [("a", "a"), ("a", "a"), ("b", "a"), ("b", "b"), (" A", "b"), ("c", "b"), ("B", "b")]
    scores, labels = score(pairs)
    assert labels == [("b", 4, 1), ("a", 3, 2)]
    assert scores["accuracy"] == pytest.approx(3 / 7)
    assert scores["normalised_accuracy"] == pytest.approx(4 / 7)
    assert scores["majority_baseline"] == pytest.approx(4 / 7)
    # a: precision 2/2, recall 2/3; b: precision 1/2, recall 1/4
    assert scores["macro_f1"] == pytest.approx((0.8 + 1 / 3) / 2)
    assert scores["outside_labels"] == pytest.approx(3 / 7)


def test_texts_are_not_labels() -> None:
    scores, labels = score([(str(i), str(i % 30)) for i in range(60)])
    assert labels == []
    assert "macro_f1" not in scores
    assert scores["accuracy"] == 0.5
