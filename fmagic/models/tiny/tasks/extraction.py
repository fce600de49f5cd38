"""Copying name, date, amount and other values of a message into a JSON object."""

import json
import random
from typing import ClassVar

from fmagic.models.tiny.tasks import values
from fmagic.models.tiny.tasks.base import Corpus, Example, Split, Turn, chance

USUAL = ("name", "date", "amount")
_SLOT_OF = {
    "name": "person",
    "date": "date",
    "amount": "amount",
    "city": "city",
    "company": "company",
    "product": "product",
    "number": "code",
    "phone": "phone",
    "email": "email",
}


class Extraction:
    """Messages with a person, a date and an amount, answered by a JSON object."""

    name: ClassVar[str] = "extraction"

    def __init__(self) -> None:
        self._corpus = Corpus.load("extraction")

    def example(self, rng: random.Random, split: Split) -> Example:
        """Make one to four messages and the JSON for each."""
        corpus = self._corpus
        usual = chance(rng, 0.7)
        group = "message" if usual or chance(rng, 0.4) else "rich"
        text, found = self._message(rng, split, group)
        keys = list(USUAL) if usual else self._keys(rng, found)
        phrase = self._phrase(rng, keys)
        count = rng.choice((2, 2, 3, 4)) if chance(rng, 0.3) else 1
        system = None
        if count > 1 or chance(rng, 0.25):
            pattern = corpus.pattern(rng, "system", split)
            system = corpus.fill(rng, pattern, split, {"keys": phrase})
        turns: list[Turn] = []
        while len(turns) < count:
            if system is not None:
                form = corpus.pattern(rng, "bare", split)
            else:
                fixed = usual and chance(rng, 0.6)
                form = corpus.pattern(rng, "fixed" if fixed else "keyed", split)
            user = corpus.fill(rng, form, split, {"text": text, "keys": phrase})
            answer = {key: found[_SLOT_OF[key]] for key in keys}
            turns.append(Turn(user, json.dumps(answer, ensure_ascii=False)))
            text, found = self._message(rng, split, group, keys)
        return Example(self.name, system, tuple(turns))

    def _message(
        self, rng: random.Random, split: Split, group: str, keys: list[str] | None = None
    ) -> tuple[str, dict[str, str]]:
        """Draw a message that holds all of `keys`, each value standing in it."""
        corpus = self._corpus
        while True:
            text, found = values.bind(corpus, rng, corpus.pattern(rng, group, split), split)
            if all(_SLOT_OF[key] in found for key in keys or ()):
                break
        text = text[0].upper() + text[1:]
        gap = " " if "\n" not in text and text[-1] in '.?!"' else "\n"
        if chance(rng, 0.25):
            text = f"{corpus.pattern(rng, 'before', split)}{gap}{text}"
        if chance(rng, 0.25):
            after, _ = values.bind(corpus, rng, corpus.pattern(rng, "after", split), split)
            text = f"{text}{gap}{after}"
        return text, found

    @staticmethod
    def _keys(rng: random.Random, found: dict[str, str]) -> list[str]:
        """Choose one to four keys of those the message answers, in any order."""
        there = [key for key, slot in _SLOT_OF.items() if slot in found]
        return rng.sample(there, k=min(len(there), rng.randint(1, 4)))

    @staticmethod
    def _phrase(rng: random.Random, keys: list[str]) -> str:
        if len(keys) == 1 or chance(rng, 0.35):
            return ", ".join(keys)
        return f"{', '.join(keys[:-1])} and {keys[-1]}"


TASK = Extraction()
