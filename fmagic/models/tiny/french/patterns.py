"""All sentence patterns by name, how often each is drawn, and the sentences of a split.

Nobody can know the translation of a word never seen, so both splits use the whole lexicon.
Held out are *combinations*: a checksum of the sentence pattern and its content words decides
the split, so (negation, eat, meat) is trained on in all persons or in none. Instructions, names
and cities are held out as in every corpus; fixed phrases have no parts and are trained on only.

"you" is *tu*, "you all" is *vous*, and adjectives of "I", "you" and "we" are masculine.
"""

import random
import zlib
from collections.abc import Callable
from typing import Final

from fmagic.models.tiny.french import people, things
from fmagic.models.tiny.french.actions import COMMANDS, MODES, act
from fmagic.models.tiny.french.grammar import Grammar
from fmagic.models.tiny.french.lexicon import Pair
from fmagic.models.tiny.tasks.base import HOLD_EVERY, Split

Make = Callable[[Grammar], Pair | None]


def _in_mode(make: Callable[[Grammar, str], Pair], mode: str) -> Make:
    return lambda g: make(g, mode)


def _action(mode: str, *, transitive: bool) -> Make:
    return lambda g: act(g, mode, transitive=transitive)


PATTERNS: Final[dict[str, Make]] = {
    **{f"object_{mode}": _action(mode, transitive=True) for mode in MODES},
    **{f"verb_{mode}": _action(mode, transitive=False) for mode in MODES if mode not in COMMANDS},
    **{
        f"be_{mode}": _in_mode(people.is_so, mode)
        for mode in ("plain", "not", "question", "very", "too")
    },
    **{f"go_{mode}": _in_mode(people.go, mode) for mode in ("plain", "not", "with", "at", "day")},
    "_where": things.where,
    "_there": things.there,
    "_on": things.on,
    "_this_is": things.this_is,
    "_have_no": people.have_no,
    "_age": people.age,
    "_state": people.state,
    "_name": people.name,
    "_live": people.live,
    "_job": people.job,
    "_colour": things.colour,
    "_how_many": things.how_many,
    "_time": things.time,
    "_today": things.today,
    "_compare": things.compare,
    "_owner": things.owner,
    "_need": people.need,
    "_would_like": people.would_like,
    "_price": things.price,
    "_afraid": people.afraid,
    "_what_a": things.what_a,
    "_which": things.which,
    "_sum": things.count,
    "_phrase": things.fixed,
}
"""The names are part of the checksum: a new name moves the sentences between the splits."""


def _weight(pattern: str) -> float:
    """Patterns with few words give few sentences, so they are drawn less often."""
    if pattern.startswith("object_"):
        return 4.0
    few = ("verb_", "_phrase", "_name", "_time", "_state", "_colour", "_which", "_how_many")
    return 0.4 if pattern.startswith(few) else 1.5


_NAMES: Final = tuple(PATTERNS)
_WEIGHTS: Final = tuple(map(_weight, PATTERNS))


def _held_out(pattern: str, key: list[str], split: Split) -> bool:
    if pattern == "_phrase":
        return False
    if pattern == "_name":  # the corpus has drawn the name, the only content word, for the split
        return split == "heldout"
    code = zlib.crc32("|".join((pattern, *sorted(key))).encode())
    return code % HOLD_EVERY == HOLD_EVERY - 1


def sentence(rng: random.Random, split: Split) -> Pair:
    """Draw an English sentence of a split with its French translation."""
    while True:
        pattern = rng.choices(_NAMES, _WEIGHTS)[0]
        grammar = Grammar(rng, split)
        made = PATTERNS[pattern](grammar)
        if made and _held_out(pattern, grammar.key, split) == (split == "heldout"):
            english, french = made
            return english[0].upper() + english[1:], french[0].upper() + french[1:]
