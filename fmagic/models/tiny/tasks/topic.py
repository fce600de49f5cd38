"""The topic of a headline, out of the labels that the instruction names."""

import random
from typing import Final

from fmagic.models.tiny.tasks.base import Corpus, Example, Split, chance
from fmagic.models.tiny.tasks.classification import (
    Form,
    capital,
    conversation,
    listed,
    roughen,
)

TOPICS: Final = (
    "sports",
    "business",
    "technology",
    "politics",
    "science",
    "health",
    "entertainment",
    "travel",
)
_CUES: Final = {
    "sports": ("sport_", "athlete", "cup", "sports_words", "sports_words"),
    "business": ("bizthing", "bizco", "business_words", "business_words"),
    "technology": ("techthing", "techissue", "technology_words", "technology_words"),
    "politics": ("polactor", "polthing", "politics_words", "politics_words"),
    "science": ("scithing", "scientist", "science_words", "science_words"),
    "health": ("ill", "medic", "treat", "health_words", "health_words"),
    "entertainment": ("star", "award", "entertainment_words", "entertainment_words"),
    "travel": ("trip", "tourist", "travel_words", "travel_words"),
}
"""Slots whose fillers show the topic in any sentence."""
_ANY_SHARE: Final = 0.4


class Topic:
    """Headlines of eight sections of a newspaper."""

    name = "topic"

    def example(self, rng: random.Random, split: Split) -> Example:
        """Make a conversation about one headline or several."""
        corpus = Corpus.load(self.name)
        return conversation(
            rng,
            split,
            corpus,
            self.name,
            forms=_forms(rng),
            draw=lambda kind: _headline(rng, split, corpus, kind),
        )


def _forms(rng: random.Random) -> tuple[Form, ...]:
    count = len(TOPICS) if chance(rng, 0.35) else rng.randint(2, len(TOPICS))
    named = rng.sample(TOPICS, count)
    write = rng.choices((str.lower, str.capitalize, str.upper), (8, 2, 0.5))[0]
    words = [write(topic) for topic in named]
    answers = dict(zip(named, words, strict=True))
    given = {"labels": listed(rng, words), "labels_or": listed(rng, words, "or")}
    every = {topic: topic for topic in TOPICS}
    asked = rng.choice(TOPICS)
    yes_no = {topic: "yes" if topic == asked else "no" for topic in TOPICS}
    return (
        Form("system", answers, 8.0, "system", given),
        Form("single", answers, 8.0, given=given),
        Form("bare", every, 1.5, "system"),
        Form("bare_single", every, 1.5),
        Form("yes", yes_no, 1.0, given={"label": asked}),
    )


def _headline(rng: random.Random, split: Split, corpus: Corpus, kind: str) -> str:
    group, given = kind, {}
    if chance(rng, _ANY_SHARE):
        group = "any"
        given = {key: corpus.filler(rng, rng.choice(_CUES[kind]), split) for key in "ab"}
    text = capital(corpus.fill(rng, corpus.pattern(rng, group, split), split, given))
    if chance(rng, 0.45):
        text += corpus.fill(rng, corpus.pattern(rng, "tail", split), split)
    if chance(rng, 0.25):
        text = corpus.fill(rng, corpus.pattern(rng, "lead", split), split) + " " + text
    if chance(rng, 0.15):
        text = " ".join(capital(word) for word in text.split(" "))
    elif chance(rng, 0.18):
        text += rng.choice((".", "!", " -", " ..."))
    return roughen(rng, text, 0.2)


TASK: Final = Topic()
