"""Questions about a short paragraph of facts; the answer is a part of the paragraph."""

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from fmagic.models.tiny.tasks import values
from fmagic.models.tiny.tasks.base import Corpus, Example, Split, Turn, chance

_UNKNOWN = "unknown"
_COUNTS: Mapping[Split, tuple[int, ...]] = {
    "train": (1, 2, 2, 3, 3, 3, 4, 4, 4, 5, 5, 6),
    "heldout": (1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 5),
}
"""Numbers of facts in a paragraph, as often as they are drawn. Most that is left to learn is to find
the one fact among many."""
_ABOUT_ONE: Mapping[Split, float] = {"train": 0.3, "heldout": 0.35}
"""How often all facts of a paragraph are about one person."""
_ALIKE: Mapping[Split, float] = {"train": 0.45, "heldout": 0.3}
"""How often, else, several facts are of one kind. Only these teach to look who, or what, a question
is about; without many of them the kind of the fact is all that is looked for."""
_EACH_ALIKE: Mapping[Split, float] = {"train": 0.85, "heldout": 0.6}
"""How often each fact of such a paragraph is of that kind."""
_REMARK = 0.12
"""How often a fact begins, or ends, with words that say nothing about it."""
_BLURRED = 0.25
"""Share of the statements in training whose wording is changed at random. Who knows all the listed
wordings by heart, and no word but theirs, is lost in a new one."""
_EARLY = 1.5
"""How much more often an answer in the first half of a fact is asked for in training."""
_MISSED = 2.0
"""How much more often training draws the facts and answers that the corpus calls hard."""
_SEVERAL: Mapping[Split, float] = {"train": 0.9, "heldout": 0.8}
"""Share of the conversations with several questions: three to ten of them."""
_SUBJECT = "person"
_SLOT = re.compile(r"\{([a-z_]+(?:#\d+)?)\}")
_PLAIN = re.compile(r"[A-Za-z]+")


@dataclass(frozen=True, slots=True)
class Fact:
    """A sentence, its fillers, and the questions it answers."""

    kind: str
    text: str
    bound: dict[str, str]
    questions: tuple[tuple[str, str], ...]
    hard: frozenset[str] = frozenset()
    """The answers that are missed most often."""

    def answers(self) -> tuple[str, ...]:
        """Return the different answers, in the order of the questions."""
        return tuple(dict.fromkeys(answer for _, answer in self.questions))

    def asking(self, answer: str) -> tuple[tuple[str, str], ...]:
        """Return the questions with this answer."""
        return tuple(pair for pair in self.questions if pair[1] == answer)

    def weight(self, answer: str) -> float:
        """Say how often training asks for an answer, beside one that is easy to find."""
        # Harder to learn: the answer stands before its key.
        early = 2 * self.text.index(answer) < len(self.text)
        return (_EARLY if early else 1.0) * (_MISSED if answer in self.hard else 1.0)


def draw_questions(
    rng: random.Random, split: Split, facts: list[Fact], count: int
) -> list[tuple[str, str]]:
    """Draw up to `count` different questions with their answers.

    In training, how often an answer is asked for does not hang on the number of its wordings, and
    no answer is asked for twice: the second time it would only be repeated.
    """
    if split == "heldout":
        choices = [pair for fact in facts for pair in fact.questions]
        rng.shuffle(choices)
        return list(dict(choices[:count]).items())
    answers = [(fact, answer) for fact in facts for answer in fact.answers()]
    # Weighted draws without replacement (Efraimidis and Spirakis, 2006).
    answers.sort(key=lambda pair: rng.random() ** (1 / pair[0].weight(pair[1])), reverse=True)
    return list(dict(rng.choice(fact.asking(answer)) for fact, answer in answers[:count]).items())


class QuestionAnswering:
    """Paragraphs of one to five facts, asked about in one or several turns."""

    name: ClassVar[str] = "qa"

    def __init__(self) -> None:
        self._corpus = Corpus.load("qa")
        groups = self._corpus.groups()
        self._kinds = tuple(group[:-2] for group in groups if group.endswith("_s"))
        hard = self._corpus.listed("hard", "kinds")
        self._often = [_MISSED if kind in hard else 1.0 for kind in self._kinds]
        self._hard = self._corpus.listed("hard", "slots")
        said = (word for kind in self._kinds for word in self._words(kind))
        self._vocabulary = tuple(sorted({word.lower() for word in said}))

    def _words(self, kind: str) -> list[str]:
        """List the words of a kind's statements that are neither slots nor joined to one."""
        patterns = self._corpus.patterns(f"{kind}_s", "train")
        return [word for text in patterns for word in text.split() if _PLAIN.fullmatch(word)]

    def example(self, rng: random.Random, split: Split) -> Example:
        """Make a paragraph and questions about it."""
        facts = self._facts(rng, split, rng.choice(_COUNTS[split]))
        text = " ".join(fact.text for fact in facts)
        if chance(rng, 0.06):
            return self._maybe_unknown(rng, split, facts, text)
        several = chance(rng, _SEVERAL[split])
        count = rng.randint(3, 10) if several else 1
        asked = draw_questions(rng, split, facts, count)
        return self._converse(rng, split, text, asked)

    def _converse(
        self, rng: random.Random, split: Split, text: str, asked: list[tuple[str, str]]
    ) -> Example:
        corpus = self._corpus
        turns: list[Turn] = []
        system = None
        if chance(rng, 0.25):
            pattern = corpus.pattern(rng, "system_context", split)
            system = corpus.fill(rng, pattern, split, {"text": text})
        elif chance(rng, 0.25):
            system = corpus.pattern(rng, "system", split)
        in_system = system is not None and text in system
        for question, answer in asked:
            form = "{question}"
            if turns or not in_system:
                form = corpus.pattern(rng, "follow" if turns else "single", split)
            lower = question[0].lower() + question[1:]
            given = {"text": text, "question": question, "question_lower": lower}
            turns.append(Turn(corpus.fill(rng, form, split, given), answer))
        return Example(self.name, system, tuple(turns))

    def _maybe_unknown(
        self, rng: random.Random, split: Split, facts: list[Fact], text: str
    ) -> Example:
        question, answer = rng.choice(rng.choice(facts).questions)
        if chance(rng, 0.5):
            other = self._fact(rng, split, {fact.kind for fact in facts}, {}, facts)
            question, answer = rng.choice(other.questions)[0], _UNKNOWN
        form = self._corpus.pattern(rng, "unknown", split)
        user = self._corpus.fill(rng, form, split, {"text": text, "question": question})
        return Example(self.name, None, (Turn(user, answer),))

    def _facts(self, rng: random.Random, split: Split, count: int) -> list[Fact]:
        """Draw facts of which no two share a value, but for one person they may all be about.

        Several facts of one kind make distractors; facts about one person differ in kind.
        """
        subject: dict[str, str] = {}
        if chance(rng, _ABOUT_ONE[split]):
            subject = {_SUBJECT: self._corpus.filler(rng, _SUBJECT, split)}
        alike = self._kind(rng, split) if chance(rng, _ALIKE[split]) else None
        facts: list[Fact] = []
        while len(facts) < count:
            used = {fact.kind for fact in facts if subject}
            wanted = alike if alike and chance(rng, _EACH_ALIKE[split]) and not subject else None
            facts.append(self._fact(rng, split, used, subject, facts, wanted=wanted))
        return facts

    def _kind(self, rng: random.Random, split: Split) -> str:
        """Draw a kind of fact; in training the hard ones come more often."""
        if split == "heldout":
            return rng.choice(self._kinds)
        return rng.choices(self._kinds, self._often)[0]

    def _fact(
        self,
        rng: random.Random,
        split: Split,
        used: set[str],
        subject: dict[str, str],
        others: list[Fact],
        *,
        wanted: str | None = None,
    ) -> Fact:
        """Draw a fact whose values occur in no other fact, except those of the subject."""
        taken = " ".join(fact.text for fact in others).lower()
        values_taken = {v.lower() for fact in others for v in fact.bound.values()}
        values_taken -= {v.lower() for v in subject.values()}
        while True:
            kind, wanted = wanted or self._kind(rng, split), None
            pattern = self._statement(rng, split, kind)
            given = subject if f"{{{_SUBJECT}}}" in pattern else {}
            said, bound = values.bind(self._corpus, rng, pattern, split, given)
            fresh = [value.lower() for slot, value in bound.items() if slot not in given]
            if (
                kind in used
                or len({*fresh}) < len(fresh)
                or any(value in taken for value in fresh)
                or any(value in said.lower() for value in values_taken)
            ):
                continue
            said = said[0].upper() + said[1:]
            if questions := self._questions(rng, split, kind, said, bound):
                hard = frozenset(bound[slot] for slot in self._hard & bound.keys())
                return Fact(kind, said, bound, questions, hard)

    def _statement(self, rng: random.Random, split: Split, kind: str) -> str:
        """Draw a wording of a fact, at times with a remark before or after it."""
        pattern = self._corpus.pattern(rng, f"{kind}_s", split)
        if split == "train" and chance(rng, _BLURRED):
            pattern = self._blurred(rng, pattern)
        if chance(rng, _REMARK):
            before = self._corpus.pattern(rng, "opening", split)
            pattern = f"{before} {pattern[0].lower()}{pattern[1:]}"
        if chance(rng, _REMARK):
            pattern = f"{pattern[:-1]}{self._corpus.pattern(rng, 'closing', split)}."
        return pattern

    def _blurred(self, rng: random.Random, pattern: str) -> str:
        """Leave out, replace or add one to three words beside the slots."""
        words = pattern.split()
        for _ in range(rng.choice((1, 1, 2, 3))):
            plain = [i for i, word in enumerate(words) if _PLAIN.fullmatch(word)]
            if not plain:
                break
            at, other = rng.choice(plain), rng.choice(self._vocabulary)
            words[at : at + 1] = rng.choice(([], [other], [words[at], other]))
        return " ".join(words)

    def _questions(
        self, rng: random.Random, split: Split, kind: str, said: str, bound: dict[str, str]
    ) -> tuple[tuple[str, str], ...]:
        """Make the questions a fact can answer; answers stand in the text letter by letter."""
        found: list[tuple[str, str]] = []
        for pattern in self._corpus.patterns(f"{kind}_q", split):
            if {*_SLOT.findall(pattern)} <= bound.keys():
                text, _ = self._corpus.bind(rng, pattern, split, bound)
                question, _, answer = text.partition(" => ")
                if answer in said:
                    found.append((question, answer))
        return tuple(found)


TASK = QuestionAnswering()
