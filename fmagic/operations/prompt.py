"""Answer one prompt, or one for each row of a table."""

from __future__ import annotations

import math
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fmagic.errors import ContextLengthError
from fmagic.operations.events import Advanced, Event, Piece, Started

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from fmagic.models.language import LanguageModel
    from fmagic.models.sampling import Finish, Sampling
    from fmagic.template import Turn


@dataclass(slots=True)
class PromptResult:
    """Answers and what they took.

    Attributes:
        texts: one answer for each prompt; `None` where there was no prompt or no time.
        finishes: how each answer ended.
        probabilities: with choices, that of each answer among them.
        input_tokens: tokens read, all prompts together.
        output_tokens: tokens written; 0 with choices, which are compared and not written.
        seconds: duration.
        first_seconds: time until the first text, in seconds.
        interrupted: whether Stop ended it.
    """

    texts: list[str | None]
    finishes: list[Finish | None]
    probabilities: list[float | None]
    input_tokens: int = 0
    output_tokens: int = 0
    seconds: float = 0.0
    first_seconds: float | None = None
    interrupted: bool = False
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
        figures: dict[str, float] = {
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
        }
        if self.first_seconds is not None:
            figures["ttft_seconds"] = self.first_seconds
        if self.output_tokens and self.seconds > 0:
            figures["tokens_per_second"] = self.output_tokens / self.seconds
        if len(self.texts) > 1 and self.seconds > 0:
            figures["rows"] = self.done
            figures["rows_per_second"] = self.done / self.seconds
        return figures


def prompt(
    model: LanguageModel,
    prompts: Sequence[Sequence[Turn] | None],
    sampling: Sampling,
    *,
    choices: Sequence[str] = (),
    truncate: bool = False,
) -> Generator[Event, None, PromptResult]:
    """Answer prompts.

    Args:
        model: a model that writes.
        prompts: the turns of each prompt; `None` leaves its answer empty.
        sampling: how to choose tokens and when to stop.
        choices: if given, the answer is the likeliest of these.
        truncate: cut prompts that are too long at the end of their last user turn.

    Raises:
        ContextLengthError: a prompt is longer than the model reads, and `truncate` is false.
    """
    result = PromptResult(
        texts=[None] * len(prompts),
        finishes=[None] * len(prompts),
        probabilities=[None] * len(prompts),
    )
    asked = [row for row, turns in enumerate(prompts) if turns is not None]
    table = len(prompts) > 1
    try:
        ids = _encode(model, [(row, prompts[row]) for row in asked], table, truncate=truncate)
        result.input_tokens = sum(map(len, ids))
        yield Started("Prompt", len(asked), "rows")
        # Reading the clock starts with the model's work: splitting text is not its speed.
        result._start = time.perf_counter()  # noqa: SLF001 - made here
        if choices:
            first = next(turns for turns in prompts if turns is not None)
            rendered = model.render(first)
            tokens = [model.answer_tokens(rendered, choice) for choice in choices]
            for row, scores in _scored(model, ids, asked, tokens, result):
                best = max(range(len(choices)), key=scores.__getitem__)
                result.texts[row] = choices[best]
                result.probabilities[row] = 1 / sum(math.exp(s - scores[best]) for s in scores)
                result.finishes[row] = "stop"
                yield Advanced(result.done)
        else:
            yield from _write(model, ids, asked, sampling, result)
    except KeyboardInterrupt:
        result.interrupted = True
    result.seconds = time.perf_counter() - result._start  # noqa: SLF001 - made here
    return result


def _encode(
    model: LanguageModel,
    prompts: Sequence[tuple[int, Sequence[Turn] | None]],
    table: bool,
    *,
    truncate: bool,
) -> list[list[int]]:
    ids = []
    for row, turns in prompts:
        assert turns is not None
        try:
            ids.append(model.encode(turns, truncate=truncate))
        except ContextLengthError as error:
            if not table:
                raise
            raise ContextLengthError(f"Row {row + 1:,}: {error}") from None
    return ids


def _write(
    model: LanguageModel,
    ids: Sequence[Sequence[int]],
    asked: Sequence[int],
    sampling: Sampling,
    result: PromptResult,
) -> Generator[Event, None, None]:
    single = len(result.texts) == 1
    pieces: list[str] = []
    done = 0
    try:
        for index, text, completion in model.run(ids, sampling):
            if result.first_seconds is None:
                result.first_seconds = time.perf_counter() - result._start  # noqa: SLF001 - a field of this module
            if single and text:
                pieces.append(text)
                yield Piece(text)
            if completion is not None:
                row = asked[index]
                result.texts[row] = completion.text
                result.finishes[row] = completion.finish
                result.output_tokens += completion.output_tokens
                done += 1
                if not single:
                    yield Advanced(done)
    except KeyboardInterrupt:
        if single and not done:
            result.texts[0] = "".join(pieces).strip()
            result.finishes[0] = "interrupted"
        raise


def _scored(
    model: LanguageModel,
    ids: Sequence[Sequence[int]],
    asked: Sequence[int],
    choices: Sequence[Sequence[int]],
    result: PromptResult,
) -> Iterator[tuple[int, list[float]]]:
    for index, scores in model.choose(ids, choices):
        if result.first_seconds is None:
            result.first_seconds = time.perf_counter() - result._start  # noqa: SLF001 - a field of this module
        yield asked[index], scores
