"""Pairs of texts that say the same in different words, for the embedding objective.

The module defines no `TASK`: it has no generative form. Each group of patterns in
`corpus/paraphrase.toml` is one meaning (a frame) with several wordings. Every eighth frame is
used in split "heldout" only, with all its wordings, and never in "train"; fillers are held out
as in every corpus. Synonyms are cue words, so both splits use all of them.
"""

import random
import re
import tomllib
from functools import lru_cache

from fmagic.models.tiny.tasks.base import CORPUS, HOLD_EVERY, Corpus, Split

SYNONYM_SHARE = 0.6
"""How often a word that has synonyms is replaced by a random one of them."""
PLAIN_SHARE = 0.15
"""How often a text is written without capitals or a final full stop, as people type."""
OPENING_SHARE = 0.15
"""How often a text gets an opening without meaning of its own."""

_ARTICLE = re.compile(
    r"\b([Aa]) (?=(?!(?:uni|use|eu|one|US\b))(?:[aeiouAEIOU]|8\b|11\b|18\b|hour))"
)
_OPENINGS = ("Hello, ", "Hi! ", "Note: ", "By the way: ", "In short: ", "So: ", "Well, ", "News: ")


@lru_cache(maxsize=1)
def _frames() -> dict[Split, tuple[tuple[str, ...], ...]]:
    """Read the frames of each split from the corpus file."""
    with (CORPUS / "paraphrase.toml").open("rb") as file:
        frames = tuple(tuple(wordings) for wordings in tomllib.load(file)["patterns"].values())
    held = frames[HOLD_EVERY - 1 :: HOLD_EVERY]
    kept = tuple(f for i, f in enumerate(frames) if i % HOLD_EVERY != HOLD_EVERY - 1)
    return {"train": kept, "heldout": held}


@lru_cache(maxsize=1)
def _synonyms() -> tuple[re.Pattern[str], dict[str, tuple[str, ...]]]:
    """Read the synonym sets, and build a pattern that finds their keys, longest first."""
    with (CORPUS / "paraphrase.toml").open("rb") as file:
        sets = {key: tuple(words) for key, words in tomllib.load(file)["synonyms"].items()}
    keys = "|".join(re.escape(key) for key in sorted(sets, key=len, reverse=True))
    return re.compile(rf"(?<![\w$,.:-])(?:{keys})(?![\w%:'-])", re.IGNORECASE), sets


def _reword(rng: random.Random, text: str) -> str:
    """Replace some words by synonyms and make the surface of the sentence regular."""
    pattern, sets = _synonyms()

    def replace(match: re.Match[str]) -> str:
        word = match[0]
        # A capital inside a sentence means a name ("Park"), which must stay as it is.
        if (word[0].isupper() and match.start() > 0) or rng.random() >= SYNONYM_SHARE:
            return word
        return rng.choice(sets.get(word, sets.get(word.lower(), (word,))))

    text = _ARTICLE.sub(r"\1n ", pattern.sub(replace, text))
    text = text[:1].upper() + text[1:]
    if rng.random() < PLAIN_SHARE:
        return text.rstrip(".").lower()
    return rng.choice(_OPENINGS) + text if rng.random() < OPENING_SHARE else text


def pair(rng: random.Random, split: Split) -> tuple[str, str]:
    """Return two texts of the same meaning: other sentence pattern, other words.

    Two pairs of the same frame differ in their fillers, so fillers carry meaning: in a batch
    such pairs are each other's hard negatives.
    """
    corpus = Corpus.load("paraphrase")
    first, second = rng.sample(rng.choice(_frames()[split]), 2)
    text, bound = corpus.bind(rng, first, split)
    return _reword(rng, text), _reword(rng, corpus.fill(rng, second, split, bound))
