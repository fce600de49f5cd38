"""Copying drills: repeat a list, name a neighbour, look up a value by its key."""

import random
from functools import lru_cache

from fmagic.models.tiny.tasks.base import Example, Split, Turn, chance, part
from fmagic.models.tiny.tasks.words import categories, distinct

_REPEAT_BELOW, _LIST_BELOW, _SMALL_BELOW = 0.15, 0.3, 0.65
"""Bounds of the shares of texts to repeat, of lists and of small tables; the rest are tables."""
_SHORT_WORD = 5
"""Letters of the words in small tables: most are one token long."""
_AFTER_BELOW, _BEFORE_BELOW = 0.6, 0.8
"""Bounds of the shares of questions on a list; the rest ask for its ends."""

_REPEAT = (
    "Repeat: {text}",
    "Say again: {text}",
    "Copy this exactly: {text}",
    "Echo: {text}",
    "Write the same once more: {text}",
    "{text}\n\nRepeat the text above.",
    "Repeat after me: {text}",
    "Copy: {text}",
    "Type this out again.\n\n{text}",
    "Give back this text: {text}",
    "Repeat this list: {text}",
    "Please copy the following.\n{text}",
    "Reproduce: {text}",
    "{text}\nCopy that.",
    "Say this: {text}",
    "Return this text unchanged: {text}",
)
_AFTER = (
    "What comes after {key}?",
    "Which word follows {key}?",
    "Name the item after {key}.",
    "After {key} comes what?",
    "What is next after {key}?",
    "Give the word right after {key}.",
    "Which one comes directly after {key}?",
    "Tell me what follows {key}.",
)
_BEFORE = tuple(q.replace("after", "before").replace("follows", "precedes") for q in _AFTER[:3])
FACT = (
    "{key}: {value}",
    "{key} is {value}",
    "{key} = {value}",
    "{key} has {value}",
    "{key} -> {value}",
    "{key} got {value}",
    "the {key} is {value}",
    "{key} goes with {value}",
    "{key} ({value})",
    "{key} likes {value}",
    "{value} belongs to {key}",
    "{value} for {key}",
    "{key} took {value}",
    "{key} costs {value}",
    "{key} needs {value}",
    "for {key} use {value}",
)
LOOKUP = (
    "What is the value of {key}?",
    "{key}?",
    "What goes with {key}?",
    "Look up {key}.",
    "What does {key} have?",
    "Give the entry for {key}.",
    "And {key}?",
    "Which value belongs to {key}?",
    "Find {key}.",
    "Tell me about {key}.",
    "What is {key}'s?",
    "What was said about {key}?",
    "What stands beside {key}?",
    "Which one is {key}'s?",
    "value for {key}",
    "What is listed for {key}?",
)
_WHOSE = (
    "Who has {value}?",
    "Which key has the value {value}?",
    "{value} belongs to whom?",
    "To what does {value} belong?",
    "Which one goes with {value}?",
    "Find the one with {value}.",
    "Whose is {value}?",
    "What is {value} listed for?",
)
_EDGE = {
    0: ("What is the first item?", "Name the first one.", "Which word comes first?"),
    -1: ("What is the last item?", "Name the last one.", "Which word comes last?"),
}
_JOINS = (", ", " ", "\n", "; ", " / ", " and ")
STOPS = (". ", "\n", "; ", ", ")


@lru_cache(maxsize=2)
def short_words(split: Split) -> tuple[str, ...]:
    """Return listed words of few letters, in a fixed order."""
    listed = {word for words in categories(split).values() for word in words}
    return tuple(sorted(word for word in listed if len(word) <= _SHORT_WORD))


class Drills:
    """Lists and tables of mostly made-up words, with questions that only copying answers."""

    name = "drills"

    def example(self, rng: random.Random, split: Split) -> Example:
        """Make one drill with up to five questions on the same words."""
        kind = rng.random()
        if kind < _REPEAT_BELOW:
            turns = self._repeat(rng, split)
        elif kind < _LIST_BELOW:
            turns = self._list(rng, split)
        elif kind < _SMALL_BELOW:
            turns = self._small_table(rng, split)
        else:
            turns = self._table(rng, split)
        return Example(self.name, None, tuple(turns))

    def _repeat(self, rng: random.Random, split: Split) -> list[Turn]:
        turns = []
        for _ in range(rng.choice((1, 2))):
            text = rng.choice(_JOINS).join(distinct(rng, split, rng.randint(1, 8)))
            turns.append(Turn(rng.choice(part(_REPEAT, split)).format(text=text), text))
        return turns

    def _list(self, rng: random.Random, split: Split) -> list[Turn]:
        words = distinct(rng, split, rng.randint(3, 9))
        turns = []
        for _ in range(rng.randint(1, 5)):
            kind = rng.random()
            if kind < _AFTER_BELOW:
                at = rng.randrange(len(words) - 1)
                asked, answer = rng.choice(part(_AFTER, split)).format(key=words[at]), words[at + 1]
            elif kind < _BEFORE_BELOW:
                at = rng.randrange(1, len(words))
                asked, answer = rng.choice(_BEFORE).format(key=words[at]), words[at - 1]
            else:
                at = rng.choice((0, -1))
                asked, answer = rng.choice(_EDGE[at]), words[at]
            turns.append(Turn(asked, answer))
        return self._with_text(rng, rng.choice(_JOINS[:5]).join(words), turns)

    def _table(self, rng: random.Random, split: Split) -> list[Turn]:
        count = rng.randint(2, 8)
        words = distinct(rng, split, 2 * count)
        pairs = list(zip(words[:count], words[count:], strict=True))
        fact = rng.choice(part(FACT, split))
        text = rng.choice(STOPS).join(fact.format(key=k, value=v) for k, v in pairs)
        turns = []
        for _ in range(rng.randint(1, 5)):
            key, value = rng.choice(pairs)
            if chance(rng, 0.75):
                turns.append(Turn(rng.choice(part(LOOKUP, split)).format(key=key), value))
            else:
                turns.append(Turn(rng.choice(part(_WHOSE, split)).format(value=value), key))
        return self._with_text(rng, text, turns)

    def _small_table(self, rng: random.Random, split: Split) -> list[Turn]:
        """Look up short words, many times over: the first step to answering from a text."""
        count = rng.choice((2, 2, 3, 3, 4, 5))
        words = rng.sample(short_words(split), 2 * count)
        pairs = list(zip(words[:count], words[count:], strict=True))
        fact = rng.choice(part(FACT, split))
        text = rng.choice(STOPS).join(fact.format(key=k, value=v) for k, v in pairs)
        asked = rng.choice(part(LOOKUP, split))
        turns = []
        for _ in range(rng.randint(3, 10)):
            key, value = rng.choice(pairs)
            turns.append(Turn(asked.format(key=key), value))
        return self._with_text(rng, text, turns)

    @staticmethod
    def _with_text(rng: random.Random, text: str, turns: list[Turn]) -> list[Turn]:
        first = turns[0].user
        asked = f"{text}\n\n{first}" if chance(rng, 0.8) else f"{first}\n\n{text}"
        return [Turn(asked, turns[0].assistant), *turns[1:]]


TASK = Drills()
