"""Answer one prompt, or one for each row of a table."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fmagic.errors import ContextLengthError, FmagicError
from fmagic.models.writer import WAITING
from fmagic.operations.events import Advanced, Event, Piece, Started

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from fmagic.models.sampling import Finish, Sampling
    from fmagic.models.writer import Writer
    from fmagic.template import Turn


@dataclass(slots=True)
class PromptResult:
    """Answers and what they took.

    Attributes:
        texts: one answer for each prompt; `None` where there was no prompt or no time.
        finishes: how each answer ended.
        probabilities: with choices, that of each answer among them; `None` where the model does
            not tell it.
        input_tokens: tokens read, all prompts together; `None` if nobody counted them.
        output_tokens: tokens written, 0 where choices are compared and not written; `None` if
            nobody counted them. Of a server's model, both are those of the answers that are there.
        seconds: duration.
        first_seconds: time until the first text, in seconds.
        interrupted: whether Stop ended it.
        failure: what ended it before all was done.
        cost: in US dollars, `None` if that is not known.
        outside: with choices, answers that are none of them.
    """

    texts: list[str | None]
    finishes: list[Finish | None]
    probabilities: list[float | None]
    input_tokens: int | None = 0
    output_tokens: int | None = 0
    seconds: float = 0.0
    first_seconds: float | None = None
    interrupted: bool = False
    failure: Exception | None = None
    cost: float | None = None
    outside: int = 0
    _start: float = field(default_factory=time.perf_counter, repr=False)

    @property
    def done(self) -> int:
        """Number of answers that are there."""
        return sum(finish is not None for finish in self.finishes)

    @property
    def total(self) -> int:
        """Number of rows."""
        return len(self.texts)

    def summary(self) -> dict[str, object]:
        """Return what the record of the run says about the output."""
        if len(self.texts) == 1:
            return {"text": self.texts[0] or ""}
        counts = Counter(text for text in self.texts if text is not None)
        return {
            "text": "\n".join("" if text is None else text for text in self.texts),
            "table": {
                "rows": len(self.texts),
                "answered": self.done,
                "most_common": counts.most_common(10),
            },
        }

    def metrics(self) -> dict[str, float]:
        """Return the figures for the record of the run."""
        figures: dict[str, float] = {}
        if self.input_tokens is not None:
            figures["input_tokens"] = self.input_tokens
        if self.output_tokens is not None:
            figures["output_tokens"] = self.output_tokens
        if self.cost is not None:
            figures["cost"] = self.cost
        if self.outside:
            figures["outside_choices"] = self.outside
        if self.first_seconds is not None:
            figures["ttft_seconds"] = self.first_seconds
        if self.output_tokens and self.seconds > 0:
            figures["tokens_per_second"] = self.output_tokens / self.seconds
        if len(self.texts) > 1 and self.seconds > 0:
            figures["rows"] = self.done
            figures["rows_per_second"] = self.done / self.seconds
        return figures


def prompt(
    model: Writer,
    prompts: Sequence[Sequence[Turn] | None],
    sampling: Sampling,
    *,
    choices: Sequence[str] = (),
    truncate: bool = False,
) -> Generator[Event, None, PromptResult]:
    """Answer prompts.

    An error in the middle of it becomes the `failure` of the result, which keeps what was done.

    Args:
        model: a model that writes.
        prompts: the turns of each prompt; `None` leaves its answer empty.
        sampling: how to choose tokens and when to stop.
        choices: if given, the answer is the likeliest of these.
        truncate: cut prompts that are too long at the end of their last user turn.

    Raises:
        ContextLengthError: a prompt is longer than the model reads, and `truncate` is false.
        ServerError: a server failed before it answered anything.
    """
    result = PromptResult(
        texts=[None] * len(prompts),
        finishes=[None] * len(prompts),
        probabilities=[None] * len(prompts),
    )
    asked = [row for row, turns in enumerate(prompts) if turns is not None]
    table = len(prompts) > 1
    ready: list[Any] = []
    counted: int | None = None
    try:
        first = next((turns for turns in prompts if turns is not None), ())
        ready = _encode(
            model,
            [(row, prompts[row]) for row in asked],
            table,
            reserve=model.room(choices, first) if choices else 1,
            spare=min(sampling.max_tokens, model.context_length // 2),
            truncate=truncate,
        )
        counted = model.count(ready)
        result.input_tokens = counted or 0
        yield Started("Prompt", len(asked), "rows")
        # Reading the clock starts with the model's work: splitting text is not its speed.
        result._start = time.perf_counter()  # noqa: SLF001 - made here
        if choices:
            counts = counted is None
            turns = [prompt for prompt in prompts if prompt is not None]
            yield from _decide(model, ready, choices, turns, asked, result=result, counts=counts)
        else:
            yield from _write(model, ready, asked, sampling, result, counts=counted is None)
    except KeyboardInterrupt:
        result.interrupted = True
    except FmagicError as error:
        said = _placed(error, asked) if table else error
        if not result.done:
            raise said from None
        result.failure = said
    except Exception as error:
        if not result.done:
            raise
        result.failure = error.with_traceback(None)  # its frames hold what was too much
    if counted is not None and (result.interrupted or result.failure is not None):
        read = (each for each, row in zip(ready, asked, strict=True) if result.finishes[row])
        result.input_tokens = model.count([*read]) or 0
    result.seconds = time.perf_counter() - result._start  # noqa: SLF001 - made here
    result.cost = model.cost(result.input_tokens, result.output_tokens)
    return result


def _placed(error: FmagicError, asked: Sequence[int]) -> FmagicError:
    """Return an error about one prompt with the row that it is about."""
    if error.place is None:
        return error
    return type(error)(f"Row {asked[error.place] + 1:,}: {error}")


def _encode(
    model: Writer,
    prompts: Sequence[tuple[int, Sequence[Turn] | None]],
    table: bool,
    *,
    reserve: int,
    spare: int,
    truncate: bool,
) -> list[Any]:
    ready = []
    for row, turns in prompts:
        assert turns is not None
        try:
            ready.append(model.encode(turns, reserve=reserve, spare=spare, truncate=truncate))
        except ContextLengthError as error:
            if not table:
                raise
            raise ContextLengthError(f"Row {row + 1:,}: {error}") from None
    return ready


def _write(
    model: Writer,
    ready: Sequence[Any],
    asked: Sequence[int],
    sampling: Sampling,
    result: PromptResult,
    *,
    counts: bool,
) -> Generator[Event, None, None]:
    single = len(result.texts) == 1
    pieces: list[str] = []
    done = 0
    try:
        for index, text, completion in model.run(ready, sampling, places=asked):
            if index == WAITING:
                yield Advanced(done)
                continue
            _began(result)
            if single and text:
                pieces.append(text)
                yield Piece(text)
            if completion is not None:
                row = asked[index]
                result.texts[row] = completion.text
                result.finishes[row] = completion.finish
                _count(result, completion.input_tokens if counts else 0, completion.output_tokens)
                done += 1
                if not single:
                    yield Advanced(done)
    except (KeyboardInterrupt, FmagicError) as error:
        if single and not done and (pieces or isinstance(error, KeyboardInterrupt)):
            result.texts[0] = "".join(pieces).strip()
            result.finishes[0] = "interrupted"
            if counts:
                result.input_tokens = result.output_tokens = None
        raise


def _decide(
    model: Writer,
    ready: Sequence[Any],
    choices: Sequence[str],
    turns: Sequence[Sequence[Turn]],
    asked: Sequence[int],
    *,
    result: PromptResult,
    counts: bool,
) -> Generator[Event, None, None]:
    done = 0
    for index, decision in model.decide(ready, choices, turns):
        if decision is None:
            yield Advanced(done)
            continue
        _began(result)
        row = asked[index]
        result.texts[row] = decision.text
        result.probabilities[row] = decision.probability
        result.finishes[row] = "stop"
        result.outside += decision.text not in choices
        _count(result, decision.input_tokens if counts else 0, decision.output_tokens)
        done += 1
        yield Advanced(done)


def _began(result: PromptResult) -> None:
    if result.first_seconds is None:
        result.first_seconds = time.perf_counter() - result._start  # noqa: SLF001 - a field of this module


def _count(result: PromptResult, read: int | None, written: int | None) -> None:
    """Add tokens; a sum with an unknown part is unknown."""
    if result.input_tokens is not None:
        result.input_tokens = None if read is None else result.input_tokens + read
    if result.output_tokens is not None:
        result.output_tokens = None if written is None else result.output_tokens + written
