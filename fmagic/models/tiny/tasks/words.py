"""Words of all kinds, for the tasks that are about copying rather than meaning."""

import random
from functools import lru_cache

from fmagic.models.tiny.tasks.base import Corpus, Split, chance, pseudo_word

_SLOT_WORDS = 24
_WHOLE_BELOW, _AMOUNT_BELOW = 0.5, 0.8
"""Bounds of the shares of whole numbers and of amounts; the rest are codes."""
_MADE_UP_BELOW, _LISTED_BELOW = 0.5, 0.88
"""Bounds of the shares of made-up and of listed words; the rest are numbers."""


@lru_cache(maxsize=2)
def categories(split: Split) -> dict[str, tuple[str, ...]]:
    """Return the listed words of each slot of the common corpus that has enough of them."""
    common = Corpus.load("common")
    found = {}
    for slot in common.slots():
        if len(common.fillers(slot, "train")) >= _SLOT_WORDS:
            plain = [word for word in common.fillers(slot, split) if "{" not in word]
            found[slot.replace("_", " ")] = tuple(plain)
    return found


def number(rng: random.Random) -> str:
    """Draw a whole number, an amount or a code."""
    kind = rng.random()
    if kind < _WHOLE_BELOW:
        return str(rng.randint(0, 10 ** rng.randint(1, 4)))
    if kind < _AMOUNT_BELOW:
        return f"{rng.choice('$€£')}{rng.randint(1, 999)}.{rng.randint(0, 99):02d}"
    letters = "".join(rng.choice("ABCDEFGHJKLMNPQRSTUVWXYZ") for _ in range(rng.randint(1, 3)))
    return f"{letters}-{rng.randint(1, 9999)}"


def word(rng: random.Random, split: Split) -> str:
    """Draw a made-up word in upper or lower case, a listed word, or a number."""
    kind = rng.random()
    if kind < _MADE_UP_BELOW:
        made_up = pseudo_word(rng, split)
        return made_up if chance(rng, 0.6) else made_up.lower()
    if kind < _LISTED_BELOW:
        return rng.choice(categories(split)[rng.choice(tuple(categories(split)))])
    return number(rng)


def distinct(rng: random.Random, split: Split, count: int) -> list[str]:
    """Draw different words."""
    drawn: dict[str, None] = {}
    while len(drawn) < count:
        drawn[word(rng, split)] = None
    return list(drawn)
