"""What the classification tasks share: ways to ask, one or several turns, and rough typing."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from fmagic.models.tiny.tasks.base import Corpus, Example, Split, Turn, chance

SEVERAL_TURNS = 0.65
"""Share of conversations with several texts under the same instruction."""

THINNED = 0.2
"""Share of training texts that lose some of their words, so that none is known by heart."""
_KEPT = frozenset(
    (
        *("no", "not", "never", "nothing", "nobody", "none", "neither", "nor", "without", "but"),
        *("only", "less", "few", "little", "too", "far", "hardly", "barely", "scarcely"),
        *("anything", "lack", "lacks", "lacking", "zero", "free"),
        *("right", "wrong", "better", "worse", "good", "bad", "well"),
    )
)
"""Words that may turn the meaning round; so may those with an apostrophe."""

LONG_WORD = 5
"""Letters that a word needs before it is worth misspelling."""

Role = Literal["system", "user"]


@dataclass(frozen=True, slots=True)
class Form:
    """One way to ask for a label.

    Attributes:
        group: group of instructions in the corpus.
        answers: what the assistant says for each class.
        weight: how often this form is drawn, relative to the others.
        role: "system" for instructions in the system text, with the bare text as user turn;
            "user" for instructions that hold `{text}`.
        given: fillers of the instruction's slots, such as the list of labels.
    """

    group: str
    answers: Mapping[str, str]
    weight: float = 1.0
    role: Role = "user"
    given: Mapping[str, str] | None = None


def conversation(
    rng: random.Random,
    split: Split,
    corpus: Corpus,
    task: str,
    *,
    forms: tuple[Form, ...],
    draw: Callable[[str], str],
) -> Example:
    """Make a conversation whose every turn asks for the class of a fresh text.

    Args:
        rng: source of all randomness.
        split: which patterns and fillers to use.
        corpus: holds the instructions.
        task: name of the task.
        forms: ways to ask; one is drawn. Its answers are drawn equally often.
        draw: makes a text of a class.
    """
    form = rng.choices(forms, [each.weight for each in forms])[0]
    pattern = corpus.pattern(rng, form.group, split)
    given = dict(form.given or {})
    labels = tuple(dict.fromkeys(form.answers.values()))
    by_label = {label: [k for k, v in form.answers.items() if v == label] for label in labels}
    system: str | None = None
    if form.role == "system":
        system = corpus.fill(rng, pattern, split, given)
        pattern = "{text}"
    elif pattern.endswith("\n\n{text}") and chance(rng, 0.3):
        system = corpus.fill(rng, pattern.removesuffix("\n\n{text}"), split, given)
        pattern = "{text}"
    turns = []
    for _ in range(rng.randint(4, 12) if chance(rng, SEVERAL_TURNS) else 1):
        label = rng.choice(labels)
        text = draw(rng.choice(by_label[label]))
        if split == "train" and chance(rng, THINNED):
            text = thin(rng, text)
        user = corpus.fill(rng, pattern, split, {**given, "text": text})
        turns.append(Turn(user, label))
    return Example(task, system, tuple(turns), labels)


def listed(rng: random.Random, words: list[str], final: str = "") -> str:
    """Join words in one of the usual ways; `final` ("or") stands before the last one."""
    if final:
        return f"{', '.join(words[:-1])} {final} {words[-1]}"
    return rng.choice((", ", ", ", ", ", "/", " / ", " | ")).join(words)


def capital(text: str) -> str:
    """Return the text with its first letter in upper case."""
    return text[:1].upper() + text[1:]


def thin(rng: random.Random, text: str) -> str:
    """Leave out some words, but none that may turn the meaning round."""
    words = text.split(" ")
    if len(words) < LONG_WORD:
        return text
    share = rng.uniform(0.1, 0.4)
    kept = [
        word
        for word in words
        if "'" in word or word.lower().strip(",.!?") in _KEPT or not chance(rng, share)
    ]
    return " ".join(kept or words)


def typo(rng: random.Random, text: str) -> str:
    """Misspell one longer word: two letters swapped, one doubled or one left out."""
    words = text.split(" ")
    long = [i for i, word in enumerate(words) if len(word) >= LONG_WORD and word.isalpha()]
    if not long:
        return text
    at = rng.choice(long)
    word = words[at]
    i = rng.randrange(1, len(word) - 2)
    words[at] = rng.choice(
        (
            word[:i] + word[i + 1] + word[i] + word[i + 2 :],
            word[: i + 1] + word[i:],
            word[:i] + word[i + 1 :],
        )
    )
    return " ".join(words)


def roughen(rng: random.Random, text: str, share: float = 0.5) -> str:
    """Type a text as people do: lower case, shouting, typos, lost or repeated punctuation."""
    if not chance(rng, share):
        return text
    text = rng.choices((str, str.lower, str.upper), (57, 35, 8))[0](text)
    if chance(rng, 0.2):
        text = typo(rng, text)
    if chance(rng, 0.1):
        text = text.replace("'", "")
    if chance(rng, 0.3):
        text = text.rstrip(".!")
    elif chance(rng, 0.3) and text[-1:].isalpha():
        text += rng.choice(("!", "!!", "!!!", "...", "..", " !"))
    return text
