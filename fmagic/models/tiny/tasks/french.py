"""Translate short English sentences, drawn from a small parallel grammar, into French."""

import random
from dataclasses import dataclass

from fmagic.models.tiny.french.patterns import sentence
from fmagic.models.tiny.tasks.base import Corpus, Example, Split, Task, Turn, chance

__all__ = ["TASK", "FrenchTask", "sentence"]

MULTI_SHARE = 0.4
"""How often a conversation has several sentences."""
SYSTEM_SHARE = 0.5
"""How often a one-sentence conversation gives its instruction as the system text."""


@dataclass(slots=True)
class FrenchTask:
    """Translate short English sentences into French."""

    name: str = "french"

    def example(self, rng: random.Random, split: Split) -> Example:
        """Make a conversation of one sentence, or of several under one instruction."""
        corpus = Corpus.load("french")
        many = chance(rng, MULTI_SHARE)
        turns = []
        system = None
        if many or chance(rng, SYSTEM_SHARE):
            system = corpus.pattern(rng, "system", split)
        group = "bare" if system is not None else "single"
        form = corpus.pattern(rng, group, split)
        for _ in range(rng.randint(2, 4) if many else 1):
            english, french = sentence(rng, split)
            user = corpus.fill(rng, form, split, {"text": english})
            turns.append(Turn(user, french))
        return Example(self.name, system, tuple(turns))


TASK: Task = FrenchTask()
