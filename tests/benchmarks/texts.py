"""Texts for benchmarks: the same on every machine, of a length that can be chosen."""

from __future__ import annotations

import random
from typing import Any

ONSETS = ("b", "br", "d", "dr", "f", "fl", "g", "k", "kl", "l", "m", "n", "p", "r", "s", "st", "t")
VOWELS = ("a", "e", "i", "o", "u", "ai", "ea", "oo")
CODAS = ("", "", "", "n", "r", "s", "t", "l", "nd", "rk")
COMMON = (  # noqa: SIM905 - as prose, a tenth of the lines
    "the of and to in is you that it he was for on are as with his they at be this have from or "
    "one had by word but not what all were we when your can said there use an each which she do "
    "how their if will up other about out many then them these so some her would make like him "
    "into time has look two more write go see number no way could people my than first water been "
    "call who oil its now find long down day did get come made may part over new sound take only "
    "little work know place year live me back give most very after thing our just name good "
    "sentence man think say great where help through much before line right too mean old any same "
    "tell boy follow came want show also around form three small set put end does another well "
    "large must big even such because turn here why ask went men read need land different home us "
    "move try kind hand picture again change off play spell air away animal house point page letter "
    "mother answer found study still learn should world high every near add food between own below "
    "country plant last school father keep tree never start city earth eye light thought head under"
).split()


def pseudo_words(count: int, seed: int = 0) -> list[str]:
    """Return `count` different words of one to four syllables."""
    rng = random.Random(seed)
    words: dict[str, None] = {}
    while len(words) < count:
        syllables = rng.choices((1, 2, 3, 4), weights=(2, 5, 4, 1))[0]
        word = "".join(
            rng.choice(ONSETS) + rng.choice(VOWELS) + rng.choice(CODAS) for _ in range(syllables)
        )
        words[word] = None
    return list(words)


def english(count: int, shortest: int, longest: int, seed: int = 0) -> list[str]:
    """Return texts of `shortest` to `longest` common English words in random order."""
    rng = random.Random(seed)
    return [
        " ".join(rng.choices(COMMON, k=rng.randint(shortest, longest))) + "." for _ in range(count)
    ]


def of_tokens(tokenizer: Any, lengths: list[int], seed: int = 0) -> list[str]:
    """Return a text of about each number of tokens: cut there, and read back as text."""
    rng = random.Random(seed)
    words = pseudo_words(5000, seed + 1)
    texts = []
    for length in lengths:
        # A word is at least one token.
        ids = tokenizer(" ".join(rng.choices(words, k=length)), add_special_tokens=False)
        texts.append(tokenizer.decode(ids["input_ids"][:length]).strip())
    return texts
