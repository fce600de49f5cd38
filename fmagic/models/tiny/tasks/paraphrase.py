"""Pairs of texts that say the same in different words, for the embedding objective.

The module defines no `TASK`: it has no generative form. Each group of patterns in
`corpus/paraphrase.toml` is one meaning (a frame) with several wordings. Every eighth frame is
used in split "heldout" only, with all its wordings, and never in "train"; fillers are held out
as in every corpus. Synonyms are cue words, so both splits use all of them: those of the table,
and those written `[begin|start]` inside a wording or a filler, one of which is drawn each time
the text is used.
"""

import random
import re
import tomllib
from functools import lru_cache

from fmagic.models.tiny.tasks.base import CORPUS, HOLD_EVERY, Corpus, Split, chance

SYNONYM_SHARE = 0.6
"""How often a word that has synonyms is replaced by a random one of them."""
PLAIN_SHARE = 0.15
"""How often a text is written without capitals or a final full stop, as people type."""
OPENING_SHARE = 0.15
"""How often a text gets an opening without meaning of its own."""

FAMILY = 6
"""How many pairs of one frame a batch gets at a time."""
KEPT_SHARE = 0.4
"""How often such pairs have a filler in common."""

_CHOICE = re.compile(r"\[([^\[\]]*)\]")
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
    # One branch for each first letter: an alternation of all keys is tried one by one.
    rests: dict[str, list[str]] = {}
    for key in sorted(sets, key=len, reverse=True):
        rests.setdefault(key[0].lower(), []).append(re.escape(key[1:]))
    keys = "|".join(f"{first}(?:{'|'.join(rest)})" for first, rest in rests.items())
    return re.compile(rf"(?<![\w$,.:-])(?:{keys})(?![\w%:'-])", re.IGNORECASE), sets


def _reword(rng: random.Random, text: str) -> str:
    """Settle choices, replace some words by synonyms, make the sentence's surface regular."""
    pattern, sets = _synonyms()

    def replace(match: re.Match[str]) -> str:
        word = match[0]
        # A capital inside a sentence means a name ("Park"), which must stay as it is.
        if (word[0].isupper() and match.start() > 0) or rng.random() >= SYNONYM_SHARE:
            return word
        return rng.choice(sets.get(word, sets.get(word.lower(), (word,))))

    while "[" in text:
        text = _CHOICE.sub(lambda match: rng.choice(match[1].split("|")), text)
    text = _ARTICLE.sub(r"\1n ", pattern.sub(replace, text))
    text = text[:1].upper() + text[1:]
    if rng.random() < PLAIN_SHARE:
        return text.rstrip(".").lower()
    return rng.choice(_OPENINGS) + text if rng.random() < OPENING_SHARE else text


def _bound(
    rng: random.Random, frame: tuple[str, ...], split: Split, kept: dict[str, str] | None = None
) -> dict[str, str]:
    """Draw the fillers of a frame, no two of them the same; `kept` ones are given."""
    while True:
        bound = Corpus.load("paraphrase").bind(rng, frame[0], split, kept)[1]
        if len(set(bound.values())) == len(bound):
            return bound


def _worded(
    rng: random.Random, frame: tuple[str, ...], split: Split, bound: dict[str, str]
) -> tuple[str, str]:
    """Say one meaning in two of the wordings of its frame."""
    corpus = Corpus.load("paraphrase")
    first, second = (corpus.fill(rng, w, split, bound) for w in rng.sample(frame, 2))
    return _reword(rng, first), _reword(rng, second)


def pair(rng: random.Random, split: Split) -> tuple[str, str]:
    """Return two texts of the same meaning: other sentence pattern, other words.

    Two pairs of the same frame differ in their fillers, so fillers carry meaning: in a batch
    such pairs are each other's hard negatives.
    """
    frame = rng.choice(_frames()[split])
    return _worded(rng, frame, split, _bound(rng, frame, split))


def batch(rng: random.Random, split: Split, count: int) -> list[tuple[str, str]]:
    """Return pairs that come in families of one frame, with some of the fillers in common.

    Independent pairs rarely share a frame, so they would teach little more than to tell topics
    apart. Here a text's wording is also that of wrong candidates, and only the fillers tell
    which one is right. No meaning occurs twice.
    """
    made: list[tuple[str, str]] = []
    seen: set[tuple[str, ...]] = set()
    while len(made) < count:
        frame = rng.choice(_frames()[split])
        base = _bound(rng, frame, split)
        for _ in range(min(FAMILY, count - len(made))):
            kept = {slot: text for slot, text in base.items() if chance(rng, KEPT_SHARE)}
            bound = _bound(rng, frame, split, kept)
            meaning = (frame[0], *(f"{slot} {bound[slot]}" for slot in sorted(bound)))
            if meaning not in seen:
                seen.add(meaning)
                made.append(_worded(rng, frame, split, bound))
    return made
