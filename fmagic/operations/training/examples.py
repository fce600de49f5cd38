"""Turns to token ids, with the part that is learned; rows to batches with little padding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fmagic.errors import ContextLengthError, TrainingError
from fmagic.operations.events import Advanced, Event, Started

if TYPE_CHECKING:
    import random
    from collections.abc import Generator, Iterator, Sequence

    from fmagic.models.language import LanguageModel
    from fmagic.template import Turn

WINDOW = 16  # batches that are sorted by length together; more means less padding and less chance
REPORT_EVERY = 256  # rows
FEW_ROWS = 20


@dataclass(frozen=True, slots=True)
class Example:
    """One row as a model reads it.

    Attributes:
        prompt: token ids of what is read, exactly those of prompting.
        answer: token ids of what is learned, with the token that ends a turn.
    """

    prompt: tuple[int, ...]
    answer: tuple[int, ...]

    @property
    def tokens(self) -> int:
        """Number of tokens read and learned."""
        return len(self.prompt) + len(self.answer)


def read_examples(
    model: LanguageModel, rows: Sequence[Sequence[Turn] | None], *, truncate: bool, label: str
) -> Generator[Event, None, list[Example]]:
    """Make examples of rows; `None` rows are left out.

    Args:
        model: whose tokenizer and chat template are used.
        rows: the turns of each, the answer last.
        truncate: cut a prompt that is too long at the end of its last user turn.
        label: what to call this while it lasts.

    Raises:
        TrainingError: a row does not end with an assistant turn, or has no text before it.
        ContextLengthError: a row is longer than the model reads; the row is named.
    """
    examples = []
    yield Started(label, len(rows), "rows")
    for place, turns in enumerate(rows):
        if turns is not None:
            try:
                examples.append(_read(model, turns, truncate=truncate))
            except ContextLengthError as error:
                raise ContextLengthError(f"Row {place + 1:,}: {error}") from None
            if not examples[-1].prompt:
                raise TrainingError(f"Row {place + 1:,}: there is no text before the answer.")
        if (place + 1) % REPORT_EVERY == 0:
            yield Advanced(place + 1)
    return examples


def _read(model: LanguageModel, turns: Sequence[Turn], *, truncate: bool) -> Example:
    if len(turns) < 2 or turns[-1].role != "assistant":  # noqa: PLR2004 - something to answer, and the answer
        raise TrainingError(
            "Fine-tuning needs an assistant: part at the end of the template, which holds what the "
            "model should learn to answer, and something before it."
        )
    context = turns[:-1]
    said = turns[-1]
    answer = model.answer_tokens(model.render(context), said.text, source=said.source)
    most = model.context_length
    if len(answer) >= most:
        raise ContextLengthError(
            f"the answer alone is {len(answer):,} tokens; {model.name} reads and writes at most "
            f"{most:,}. Shorten it."
        )
    try:
        prompt = model.encode(context, reserve=len(answer), truncate=truncate)
    except ContextLengthError as error:
        raise ContextLengthError(f"{error} (Its answer takes {len(answer):,} more.)") from None
    return Example(tuple(prompt), tuple(answer))


def check_answers(
    model: LanguageModel, rows: Sequence[Sequence[Turn] | None], examples: Sequence[Example]
) -> Iterator[str]:
    """Yield what the user should know about the rows to learn from.

    Raises:
        TrainingError: there is nothing to learn from them.
    """
    if len(examples) < 2:  # noqa: PLR2004 - the fewest rows that show what they have in common
        raise TrainingError(
            f"There {'is' if examples else 'are'} {len(examples)} row"
            f"{'' if len(examples) == 1 else 's'} to learn from, and at least 2 are needed "
            f"({FEW_ROWS} or more give a useful model)."
        )
    answers = [turns[-1].text for turns in rows if turns is not None]
    empty = sum(not answer.strip() for answer in answers)
    if empty == len(answers):
        raise TrainingError(
            "Every answer is empty, so there is nothing to learn. Check the column that the "
            "assistant: part of the template names."
        )
    end = model.end_of_turn
    if end is None:
        yield (
            f"{model.name} has no token that ends an answer. What it learns to write will run on "
            "until --max-tokens or --stop."
        )
    elif any(example.answer[-1] != end for example in examples):
        raise TrainingError("An answer does not end with the token that ends a turn.")
    if len(examples) < FEW_ROWS:
        yield f"Only {len(examples)} rows: the model may learn them by heart and little else."
    if empty:
        yield f"{empty:,} of {len(answers):,} answers are empty: the model learns to say nothing."
    elif len(set(answers)) == 1:
        yield f"All answers are {answers[0][:60]!r}: the model learns to say nothing else."


def show_example(model: LanguageModel, example: Example) -> str:
    """Return one row as text, with the part that is read and the part that is learned."""
    read = model.tokenizer.decode(list(example.prompt))
    learned = model.tokenizer.decode(list(example.answer))
    return f"── read ──\n{read}\n── learned ──\n{learned}"


def plan_epoch(lengths: Sequence[int], batch_size: int, stream: random.Random) -> list[list[int]]:
    """Return the batches of one pass over the rows, in random order.

    Rows are shuffled, sorted by length within windows of a few batches, and cut: batches hold rows
    of like length, and which rows meet differs from pass to pass (bucketing as in Khomenko et al.
    2016, arXiv:1708.05604).
    """
    order = list(range(len(lengths)))
    stream.shuffle(order)
    size = batch_size * WINDOW
    batches = []
    for start in range(0, len(order), size):
        window = sorted(order[start : start + size], key=lengths.__getitem__)
        batches += [window[i : i + batch_size] for i in range(0, len(window), batch_size)]
    stream.shuffle(batches)
    return batches


def split_by_tokens(rows: Sequence[Example], budget: int) -> Iterator[list[Example]]:
    """Yield the rows in parts of at most `budget` tokens, padding included, or of one row."""
    part: list[Example] = []
    for row in sorted(rows, key=lambda row: row.tokens):
        if part and (len(part) + 1) * row.tokens > budget:
            yield part
            part = []
        part.append(row)
    if part:
        yield part
