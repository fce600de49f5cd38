"""Compare answers with expected ones."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fmagic.errors import OptionError, TemplateError
from fmagic.intervals import wilson
from fmagic.operations.prompt import prompt

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from fmagic.models.sampling import Sampling
    from fmagic.models.writer import Writer
    from fmagic.operations.events import Event
    from fmagic.operations.prompt import PromptResult
    from fmagic.template import Turn

MOST_LABELS = 20  # with more different expected answers they are texts rather than labels
SHOWN_LABELS = 6
SIGNS = {True: "1", False: "0", None: "-"}
SIGNS_TOGETHER = 1_000  # longer strings of a record may be cut


@dataclass(slots=True)
class EvaluateResult:
    """Answers beside the expected ones.

    Attributes:
        prompted: the answers and what they took.
        expected: what each row should have been; `None` where there was no row.
        correct: whether the answer is exactly that, without surrounding white space; `None` where
            there is no answer.
        scores: figures over the rows that were answered, see `score`.
        labels: for each expected label `(label, rows, correct)`, the commonest first; empty if
            there are too many different ones.
    """

    prompted: PromptResult
    expected: list[str | None]
    correct: list[bool | None]
    scores: dict[str, float] = field(default_factory=dict)
    labels: list[tuple[str, int, int]] = field(default_factory=list)

    @property
    def answers(self) -> list[str | None]:
        """One answer for each row; `None` where there was no row or no time."""
        return self.prompted.texts

    @property
    def interrupted(self) -> bool:
        """Whether Stop ended it."""
        return self.prompted.interrupted

    @property
    def failure(self) -> Exception | None:
        """What ended it before all was done."""
        return self.prompted.failure

    @property
    def done(self) -> int:
        """Number of rows that were answered."""
        return sum(each is not None for each in self.correct)

    @property
    def total(self) -> int:
        """Number of rows."""
        return len(self.expected)

    def summary(self) -> dict[str, object]:
        """Return what the record of the run says about the output."""
        signs = "".join(SIGNS[each] for each in self.correct)
        expected = json.dumps(self.expected).encode()
        return {
            "text": "\n".join(each or "" for each in self.answers),
            "marks": [
                signs[start : start + SIGNS_TOGETHER]
                for start in range(0, len(signs), SIGNS_TOGETHER)
            ],
            "expected_sha256": hashlib.sha256(expected).hexdigest(),
            "table": {
                "rows": self.total,
                "answered": self.done,
                "labels": [list(label) for label in self.labels],
            },
        }

    def metrics(self) -> dict[str, float]:
        """Return the figures for the record of the run."""
        return {**self.prompted.metrics(), **self.scores}


def evaluate(
    model: Writer,
    examples: Sequence[Sequence[Turn] | None],
    sampling: Sampling,
    *,
    choices: Sequence[str] = (),
    truncate: bool = False,
) -> Generator[Event, None, EvaluateResult]:
    """Answer examples and score the answers.

    Args:
        model: a model that writes.
        examples: the turns of each row, the expected answer last; `None` rows are left out.
        sampling: how to choose tokens and when to stop.
        choices: if given, the answer is the likeliest of these.
        truncate: cut prompts that are too long at the end of their last user turn.

    Raises:
        TemplateError: a row does not end with an assistant turn.
        OptionError: no expected answer is among the choices.
        ContextLengthError: a prompt is longer than the model reads, and `truncate` is false.
    """
    prompts: list[Sequence[Turn] | None] = []
    expected: list[str | None] = []
    for place, turns in enumerate(examples):
        if turns is not None and (len(turns) < 2 or turns[-1].role != "assistant"):  # noqa: PLR2004 - a question and its answer
            raise TemplateError(
                f"Row {place + 1:,} holds no expected answer: the template needs a last turn "
                "assistant: with it, after the turns that ask."
            )
        prompts.append(None if turns is None else turns[:-1])
        expected.append(None if turns is None else turns[-1].text.strip())
    wanted = {label for label in expected if label is not None}
    if choices and wanted and wanted.isdisjoint(choices):
        raise OptionError(
            f"No expected answer is among --choices ({', '.join(choices)}), so none could be right. "
            f"Expected are {', '.join(sorted(wanted)[:SHOWN_LABELS])}: they must be the same to the "
            "letter."
        )
    prompted = yield from prompt(model, prompts, sampling, choices=choices, truncate=truncate)
    pairs = [
        None
        if answer is None or wanted is None or finish in (None, "interrupted")
        else (answer.strip(), wanted)
        for answer, wanted, finish in zip(prompted.texts, expected, prompted.finishes, strict=True)
    ]
    answered = [pair for pair in pairs if pair is not None]
    scores, labels = score(answered)
    if choices:
        never = sum(wanted not in choices for _, wanted in answered)
        if never:
            scores["expected_outside_choices"] = never / len(answered)
    return EvaluateResult(
        prompted,
        expected,
        [None if pair is None else pair[0] == pair[1] for pair in pairs],
        scores,
        labels,
    )


def score(
    pairs: Sequence[tuple[str, str]],
) -> tuple[dict[str, float], list[tuple[str, int, int]]]:
    """Score answers.

    Args:
        pairs: `(answer, expected)` of each row.

    Returns:
        Figures by name, and `(label, rows, correct)` for each expected label if there are at most
        `MOST_LABELS`. The figures are `n` (rows), `accuracy` (answers that are exactly as
        expected) with the ends of its 95% interval `accuracy_low` and `accuracy_high`,
        `normalised_accuracy` (the same without regard to case and white space), and, for labels,
        `majority_baseline` (the accuracy of always giving the commonest label), `macro_f1` (the
        mean over the expected labels of the harmonic mean of precision and recall) and
        `outside_labels` (the share of answers that are none of the expected labels). Without rows only `n`.
    """
    count = len(pairs)
    if not count:
        return {"n": 0}, []
    right = sum(answer == wanted for answer, wanted in pairs)
    low, high = wilson(right, count)
    loosely = sum(_normal(answer) == _normal(wanted) for answer, wanted in pairs)
    scores: dict[str, float] = {
        "accuracy": right / count,
        "accuracy_low": low,
        "accuracy_high": high,
        "normalised_accuracy": loosely / count,
        "n": count,
    }
    wanted_counts = Counter(wanted for _, wanted in pairs)
    if len(wanted_counts) > MOST_LABELS:
        return scores, []
    given = Counter(answer for answer, _ in pairs)
    hits = Counter(wanted for answer, wanted in pairs if answer == wanted)
    # F1 = 2 tp / (2 tp + fp + fn), and the rows given or expected are tp + fp and tp + fn.
    f1 = [2 * hits[label] / (given[label] + n) for label, n in wanted_counts.items()]
    scores["majority_baseline"] = max(wanted_counts.values()) / count
    scores["macro_f1"] = sum(f1) / len(f1)
    outside = sum(n for label, n in given.items() if label not in wanted_counts)
    scores["outside_labels"] = outside / count
    return scores, [(label, n, hits[label]) for label, n in wanted_counts.most_common()]


def _normal(text: str) -> str:
    return " ".join(text.casefold().split())
