"""The sentiment of a review: positive or negative."""

import random
from typing import Final

from fmagic.models.tiny.tasks.base import Corpus, Example, Split, chance
from fmagic.models.tiny.tasks.classification import Form, capital, conversation, roughen

_CLASSES: Final = ("positive", "negative")


def _answers(positive: str, negative: str) -> dict[str, str]:
    return dict(zip(_CLASSES, (positive, negative), strict=True))


_FORMS: Final = (
    Form("system", _answers("positive", "negative"), 8.0, "system"),
    Form("single", _answers("positive", "negative"), 7.0),
    Form("good_bad", _answers("good", "bad")),
    Form("title", _answers("Positive", "Negative"), 1.5),
    Form("upper", _answers("POSITIVE", "NEGATIVE"), 0.5),
    Form("happy", _answers("happy", "unhappy"), 0.5),
    Form("yes_positive", _answers("yes", "no"), 1.5),
    Form("yes_negative", _answers("no", "yes")),
)
_DOMAINS: Final = {
    "product": ("prod_feature", "neutral"),
    "place": ("place_feature", "neutral_place"),
    "media": ("media_feature", "neutral_media"),
    "service": ("serv_feature", "neutral_service"),
}
"""What is reviewed: its slot of features and its slot of opening remarks."""
_JOINS: Final = (". ", ". ", ". ", ". ", "! ", ", ", ", and ", "... ", "\n", " - ", "; ")
SHORT: Final = 35
"""Characters up to which a remark counts as short."""


class Sentiment:
    """Reviews of products, places, films, books and services."""

    name = "sentiment"

    def example(self, rng: random.Random, split: Split) -> Example:
        """Make a conversation about one review or several."""
        corpus = Corpus.load(self.name)
        return conversation(
            rng,
            split,
            corpus,
            self.name,
            forms=_FORMS,
            draw=lambda kind: _review(rng, split, corpus, kind),
        )


def _review(rng: random.Random, split: Split, corpus: Corpus, kind: str) -> str:
    sign = "pos" if kind == "positive" else "neg"
    domain = rng.choices(tuple(_DOMAINS), (4, 2, 2, 2))[0]
    feature, neutral = _DOMAINS[domain]
    given = {
        "thing": corpus.filler(rng, domain, split),
        "feature": corpus.filler(rng, feature, split),
    }

    def clause(group: str, **more: str) -> str:
        pattern = corpus.pattern(rng, f"{sign}_{group}", split)
        return corpus.fill(rng, pattern, split, {**given, **more})

    def opinion() -> str:
        return clause(rng.choice(("any", domain)))

    shape = rng.choices(("short", "mixed", "long", "phrase"), (12, 18, 45, 25))[0]
    if shape in ("short", "phrase"):
        parts = [clause(shape)]
    elif shape == "mixed":
        parts = [clause("mixed", **{sign: opinion() if chance(rng, 0.8) else clause("verdict")})]
    else:
        parts = [opinion() for _ in range(rng.choice((1, 1, 2, 2, 3)))]
        if chance(rng, 0.3):
            parts.insert(0, corpus.filler(rng, neutral, split))
    # A short remark alone would soon repeat itself, so it more often comes with a second one.
    if chance(rng, 0.4 if len(parts[0]) > SHORT else 0.75):
        parts.append(clause("verdict"))
    return roughen(rng, _join(rng, parts) + rng.choice((".", ".", ".", "!", "")))


def _join(rng: random.Random, parts: list[str]) -> str:
    text = capital(parts[0])
    for part in dict.fromkeys(parts[1:]):
        join = rng.choice(_JOINS)
        text += join + (part if join[0] in ",;" or join == " - " else capital(part))
    return text


TASK: Final = Sentiment()
