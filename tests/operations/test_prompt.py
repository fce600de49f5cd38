from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from fmagic.errors import ContextLengthError
from fmagic.models.loader import load
from fmagic.models.sampling import Sampling
from fmagic.operations.events import Advanced, Event, Piece, Started
from fmagic.operations.prompt import PromptResult, prompt
from fmagic.template import Turn

if TYPE_CHECKING:
    from collections.abc import Generator

    from fmagic.models.language import LanguageModel
    from tests.support.checkpoints import Checkpoints

SHORT = Sampling(max_tokens=5)


@pytest.fixture(scope="module")
def model(checkpoints: Checkpoints) -> LanguageModel:
    return load(str(checkpoints("llama")), device="cpu", quant="none", dtype="float32")  # type: ignore[return-value]  # a llama writes


def drained(
    operation: Generator[Event, None, PromptResult], *, stop_after: int | None = None
) -> tuple[list[Event], PromptResult]:
    events: list[Event] = []
    try:
        while True:
            if stop_after is not None and len(events) == stop_after:
                events.append(operation.throw(KeyboardInterrupt()))
            events.append(next(operation))
    except StopIteration as end:
        return events, end.value


def asked(count: int) -> list[tuple[Turn, ...]]:
    return [(Turn("user", "The fox " * (1 + row % 3)),) for row in range(count)]


def test_one_prompt_streams(model: LanguageModel) -> None:
    events, result = drained(prompt(model, asked(1), SHORT))
    pieces = "".join(event.text for event in events if isinstance(event, Piece))
    assert pieces.strip() == result.texts[0]
    assert result.output_tokens
    assert result.metrics()["output_tokens"] == result.output_tokens
    assert result.metrics()["ttft_seconds"] > 0
    assert "rows" not in result.metrics()


def test_a_table_counts_its_rows(model: LanguageModel) -> None:
    events, result = drained(prompt(model, asked(7), SHORT))
    assert events[0] == Started("Prompt", 7, "rows")
    assert [e.done for e in events if isinstance(e, Advanced)] == [1, 2, 3, 4, 5, 6, 7]
    assert not any(isinstance(event, Piece) for event in events)
    assert result.texts[0] == result.texts[3] == result.texts[6]
    assert result.metrics()["rows"] == 7


def test_rows_without_a_prompt_stay_empty(model: LanguageModel) -> None:
    prompts: list[Any] = [None, *asked(2), None]
    _, result = drained(prompt(model, prompts, SHORT, choices=["yes", "no"]))
    assert result.texts[0] is result.texts[3] is None
    assert set(result.texts[1:3]) <= {"yes", "no"}
    assert result.done == 2
    assert all(p is not None and 0.5 <= p <= 1 for p in result.probabilities[1:3])


def test_stop_keeps_what_was_done(model: LanguageModel) -> None:
    _, whole = drained(prompt(model, asked(6), SHORT))
    _, result = drained(prompt(model, asked(6), SHORT), stop_after=3)
    assert result.interrupted
    assert result.done == 2
    # What was not read is not counted.
    assert result.input_tokens
    assert whole.input_tokens
    assert result.input_tokens < whole.input_tokens


def test_stop_keeps_the_text_of_a_stream(model: LanguageModel) -> None:
    events, result = drained(prompt(model, asked(1), Sampling(max_tokens=50)), stop_after=4)
    assert result.interrupted
    assert result.finishes == ["interrupted"]
    pieces = "".join(event.text for event in events if isinstance(event, Piece))
    assert result.texts[0] == pieces.strip()


def test_the_row_of_a_long_prompt_is_named(model: LanguageModel) -> None:
    prompts = [*asked(2), (Turn("user", "fox " * 400),)]
    with pytest.raises(ContextLengthError, match="Row 3"):
        drained(prompt(model, prompts, SHORT))
