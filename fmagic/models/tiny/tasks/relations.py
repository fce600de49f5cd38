"""Questions on made-up relations: only matching words lead from the question to the answer."""

import random

from fmagic.models.tiny.tasks.base import Corpus, Example, Split, Turn, chance, part, pseudo_word
from fmagic.models.tiny.tasks.words import word

Kind = tuple[tuple[str, ...], tuple[tuple[str, str], ...]]

_NOUN_FACTS = (
    "the {r} of {k} is {v}",
    "{k}'s {r} is {v}",
    "{v} is the {r} of {k}",
    "{k} has the {r} {v}",
    "as {r}, {k} has {v}",
    "for {k} the {r} is {v}",
    "{k} chose {v} as {r}",
    "the {r} that belongs to {k} is {v}",
    "{v} became the {r} of {k}",
    "the {r} of {k} is called {v}",
    "{k} got {v} for a {r}",
    "{v} serves {k} as {r}",
    "when it comes to the {r}, {k} prefers {v}",
    "{k} says that the {r} is {v}",
    "nobody but {k} has {v} as {r}",
    "{k} needs a {r}, and that is {v}",
)
_NOUN_ASKED = (
    ("What is the {r} of {k}?", "v"),
    ("What is {k}'s {r}?", "v"),
    ("Which {r} does {k} have?", "v"),
    ("Name the {r} of {k}.", "v"),
    ("Whose {r} is {v}?", "k"),
    ("Who has {v} as {r}?", "k"),
    ("What {r} belongs to {k}?", "v"),
    ("The {r} of {k}?", "v"),
    ("What did {k} get as {r}?", "v"),
    ("For whom is {v} the {r}?", "k"),
    ("Tell me the {r} that {k} has.", "v"),
    ("{k}: which {r}?", "v"),
    ("What serves as {r} for {k}?", "v"),
    ("Who needs {v} for a {r}?", "k"),
    ("What is known about the {r} of {k}?", "v"),
    ("To whom does the {r} {v} belong?", "k"),
)
_VERB_FACTS = (
    "{k} {r}s {v}",
    "yesterday {k} {r}ed {v}",
    "{k} will {r} {v}",
    "{k} likes to {r} {v}",
    "{v} was {r}ed by {k}",
    "it was {k} who {r}ed {v}",
    "{k} wants to {r} {v}",
    "{k} has {r}ed {v} before",
    "{k} always {r}s {v}",
    "{k} began to {r} {v}",
    "they saw {k} {r} {v}",
    "{v} is {r}ed by {k}",
    "only {k} can {r} {v}",
    "{k} is here to {r} {v}",
    "in spring {k} {r}s {v}",
    "{k} often {r}s {v}",
)
_VERB_ASKED = (
    ("What does {k} {r}?", "v"),
    ("Who {r}s {v}?", "k"),
    ("What did {k} {r}?", "v"),
    ("Who {r}ed {v}?", "k"),
    ("What was {r}ed by {k}?", "v"),
    ("By whom was {v} {r}ed?", "k"),
    ("What can {k} {r}?", "v"),
    ("Who was it that {r}ed {v}?", "k"),
    ("Which thing does {k} {r}?", "v"),
    ("Name the one who {r}s {v}.", "k"),
    ("What will {k} {r}?", "v"),
    ("Who will {r} {v}?", "k"),
    ("Say what {k} {r}s.", "v"),
    ("Say who {r}s {v}.", "k"),
    ("{k} {r}s what?", "v"),
    ("Who likes to {r} {v}?", "k"),
)
_KINDS: tuple[Kind, ...] = ((_NOUN_FACTS, _NOUN_ASKED), (_VERB_FACTS, _VERB_ASKED))


class Relations:
    """Paragraphs about made-up nouns and verbs, asked in the wording of the question task."""

    name = "relations"

    def example(self, rng: random.Random, split: Split) -> Example:
        """Make a paragraph of two to six facts and one to six questions."""
        shared = self._short(rng, split)
        facts: list[tuple[Kind, dict[str, str]]] = []
        values: set[str] = set()
        for _ in range(rng.randint(2, 6)):
            drawn = {"k": self._fresh(rng, split, values), "v": self._fresh(rng, split, values)}
            drawn["r"] = shared if chance(rng, 0.4) else self._short(rng, split)
            kind = rng.choice(_KINDS)
            if facts and chance(rng, 0.3) and drawn["r"] != shared:
                # Another fact about somebody who was already named.
                drawn["k"] = rng.choice(facts)[1]["k"]
            facts.append((kind, drawn))
        text = " ".join(self._say(rng.choice(part(kind[0], split)), drawn) for kind, drawn in facts)
        turns = []
        for kind, drawn in rng.sample(facts, rng.randint(1, len(facts))):
            pattern, key = rng.choice(part(kind[1], split))
            turns.append(Turn(pattern.format(**drawn), drawn[key]))
        corpus = Corpus.load("qa")
        given = {"text": text, "question": turns[0].user, "question_lower": turns[0].user}
        asked = corpus.fill(rng, corpus.pattern(rng, "single", split), split, given)
        return Example(self.name, None, (Turn(asked, turns[0].assistant), *turns[1:]))

    @staticmethod
    def _say(pattern: str, drawn: dict[str, str]) -> str:
        """Write a sentence; a filler at its start keeps its case, for answers quote it."""
        capital = pattern if pattern.startswith("{") else pattern[0].upper() + pattern[1:]
        return capital.format(**drawn) + "."

    @staticmethod
    def _short(rng: random.Random, split: Split) -> str:
        return min((pseudo_word(rng, split).lower() for _ in range(3)), key=len)

    @staticmethod
    def _fresh(rng: random.Random, split: Split, taken: set[str]) -> str:
        while True:
            drawn = pseudo_word(rng, split) if chance(rng, 0.5) else word(rng, split)
            if drawn.lower() not in taken:
                taken.add(drawn.lower())
                return drawn


TASK = Relations()
