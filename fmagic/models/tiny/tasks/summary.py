"""Short reports and the one sentence that states their main fact."""

import random
from typing import ClassVar

from fmagic.models.tiny.tasks import values
from fmagic.models.tiny.tasks.base import Corpus, Example, Split, Turn, chance


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]


class Summary:
    """A main sentence among details; the summary follows one rule per kind of event."""

    name: ClassVar[str] = "summary"

    def __init__(self) -> None:
        self._corpus = Corpus.load("summary")
        groups = self._corpus.groups()
        self._kinds = tuple(group[:-5] for group in groups if group.endswith("_main"))

    def example(self, rng: random.Random, split: Split) -> Example:
        """Make one report, or several with a shared system text, and the summaries."""
        corpus = self._corpus
        count = rng.randint(2, 3) if chance(rng, 0.2) else 1
        in_system = count > 1 or chance(rng, 0.25)
        system = corpus.pattern(rng, "system", split) if in_system else None
        turns: list[Turn] = []
        for _ in range(count):
            text, summary = self._report(rng, split)
            form = corpus.pattern(rng, "bare" if in_system else "single", split)
            turns.append(Turn(corpus.fill(rng, form, split, {"text": text}), summary))
        return Example(self.name, system, tuple(turns))

    def _report(self, rng: random.Random, split: Split) -> tuple[str, str]:
        corpus = self._corpus
        kind = rng.choice(self._kinds)
        summary = corpus.pattern(rng, f"{kind}_sum", split)
        main = corpus.pattern(rng, f"{kind}_main", split)
        main, bound = values.bind(corpus, rng, main, split)
        summary, _ = corpus.bind(rng, summary, split, bound)
        details = list(corpus.patterns(f"{kind}_detail", split))
        chosen = rng.sample(details, k=rng.randint(1, min(4, len(details))))
        shared = {slot: text for slot, text in bound.items() if slot in ("city", "role")}
        sentences = [values.bind(corpus, rng, detail, split, shared)[0] for detail in chosen]
        place = 0 if chance(rng, 0.75) else rng.randint(0, len(sentences))
        sentences.insert(place, main)
        return " ".join(_sentence(text) for text in sentences), _sentence(summary)


TASK = Summary()
