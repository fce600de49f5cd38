"""What a task of the bundled model is made of: examples, and a corpus with a held-out part.

A module in this folder becomes a task of the bundled model by defining `TASK`, an object
with a `name` and an `example(rng, split)` method. All randomness comes from `rng`.
"""

import random
import re
import tomllib
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal, Protocol, TypeVar

Split = Literal["train", "heldout"]
Item = TypeVar("Item")

CORPUS = Path(__file__).parent.parent / "corpus"
TRAINING = CORPUS / "training"
"""Lists that training alone draws from, beside the train part of the lists in `CORPUS`. What is held
out stays what it is when these grow, so that the figures of different weights compare."""
HOLD_EVERY = 8
"""Items with `index % HOLD_EVERY == HOLD_EVERY - 1` are never used in split "train"."""
PSEUDO_SHARE = 0.25
"""How often an open slot is filled with a made-up word in place of a listed one."""
STRANGE_SHARE = 0.12
"""How often, in training, a slot gets a filler of another list: what stands there then has to be
found by the words around it, as a word that was never seen there has to be."""

_SLOT = re.compile(r"\{([A-Za-z][a-z0-9_]*(?:#\d+)?)\}")
_ARTICLE = re.compile(r"\b([Aa])\(n\) (?=(\w))")
_CLUSTERS = ("br", "ch", "cl", "dr", "fr", "gr", "kr", "pl", "sh", "st", "th", "tr")
_ONSETS = (*"bcdfghjklmnprstvwz", *_CLUSTERS)
_NUCLEI = (*"aeiouaeiou", "ai", "ea", "ee", "ia", "io", "ou")
_CODAS = ("", "", "", *"lmnrstkx", "nd", "rn", "st")


@dataclass(frozen=True, slots=True)
class Turn:
    """One exchange: what the user says and what the assistant should answer."""

    user: str
    assistant: str


@dataclass(frozen=True, slots=True)
class Example:
    """A conversation of one task. Several turns share the system text.

    Attributes:
        task: name of the task.
        system: system text, or None for a conversation without one.
        turns: usually one exchange.
        labels: the label set, for classification tasks.
        given: number of first turns that are only shown (examples to follow): their answers
            are neither learnt nor scored.
    """

    task: str
    system: str | None
    turns: tuple[Turn, ...]
    labels: tuple[str, ...] = ()
    given: int = 0


class Task(Protocol):
    """What a task module's `TASK` offers."""

    name: str

    def example(self, rng: random.Random, split: Split) -> Example:
        """Make one conversation from the given split's patterns and fillers."""
        ...


def pseudo_word(rng: random.Random, split: Split) -> str:
    """Make a capitalised word of two or three syllables, such as "Velmora".

    A checksum of the word decides its split, so no held-out word is ever trained on.
    """
    while True:
        syllables = (
            rng.choice(_ONSETS) + rng.choice(_NUCLEI) + rng.choice(_CODAS)
            for _ in range(rng.choice((2, 2, 3)))
        )
        word = "".join(syllables).capitalize()
        if (zlib.crc32(word.encode()) % HOLD_EVERY == HOLD_EVERY - 1) == (split == "heldout"):
            return word


def chance(rng: random.Random, share: float) -> bool:
    """Return True in the given share of calls."""
    return rng.random() < share


def part(items: Sequence[Item], split: Split) -> tuple[Item, ...]:
    """Return the items of one split; lists shorter than `HOLD_EVERY` hold nothing out."""
    if len(items) < HOLD_EVERY:
        return tuple(items)
    held = split == "heldout"
    return tuple(item for i, item in enumerate(items) if (i % HOLD_EVERY == HOLD_EVERY - 1) == held)


def _read(file: Path) -> dict[str, dict[str, list[str]]]:
    return tomllib.loads(file.read_text(encoding="utf-8"))


class Corpus:
    """Slots, patterns and instructions of a task, with a fixed part of each held out.

    A pattern holds slots as `{slot}`. The same slot twice is the same filler, `{slot#2}` is
    another draw, and `{Slot}` is the filler with its first letter in upper case. A filler may
    hold slots itself. `a(n) ` becomes "a " or "an ", as the next letter asks. Text that is
    inserted through `given` is never expanded.
    """

    def __init__(
        self,
        data: Mapping[str, Mapping[str, Sequence[str]]],
        training: Mapping[str, Mapping[str, Sequence[str]]] | None = None,
    ) -> None:
        more = training or {}
        self._training = more
        held = data.get("held", {})
        self._open = frozenset(held.get("open", ()))
        self._strange = frozenset(held.get("strange", ()))
        whole = frozenset(held.get("none", ()))
        cues = frozenset(held.get("cues", ()))
        self._slots: dict[Split, dict[str, tuple[str, ...]]] = {"train": {}, "heldout": {}}
        self._patterns: dict[Split, dict[str, tuple[str, ...]]] = {"train": {}, "heldout": {}}
        for slot, fillers in data.get("slots", {}).items():
            unique = tuple(dict.fromkeys(fillers))
            kept = unique if slot in whole else part(unique, "train")
            self._slots["train"][slot] = (*kept, *more.get("slots", {}).get(slot, ()))
            shared = slot in whole or slot in cues
            self._slots["heldout"][slot] = kept if shared else part(unique, "heldout")
        self._strangers = tuple(
            filler
            for slot in sorted(self._strange & self._slots["train"].keys())
            for filler in self._slots["train"][slot]
            if "{" not in filler
        )
        for kind in ("patterns", "instructions"):
            for group, patterns in data.get(kind, {}).items():
                unique = tuple(dict.fromkeys(patterns))
                added = more.get(kind, {}).get(group, ())
                self._patterns["train"][group] = (*part(unique, "train"), *added)
                self._patterns["heldout"][group] = part(unique, "heldout")

    @classmethod
    @lru_cache(maxsize=32)
    def load(cls, name: str) -> "Corpus":
        """Read `corpus/<name>.toml`, merged over `corpus/common.toml`, and its training lists.

        Raises:
            FileNotFoundError: there is no such corpus.
            tomllib.TOMLDecodeError: a file is not TOML.
        """
        merged: dict[str, dict[str, list[str]]] = {}
        for stem in dict.fromkeys(("common", name)):
            for section, lists in _read(CORPUS / f"{stem}.toml").items():
                into = merged.setdefault(section, {})
                for key, items in lists.items():
                    into[key] = [*into.get(key, ()), *items] if section == "held" else items
        more = TRAINING / f"{name}.toml"
        return cls(merged, _read(more) if more.exists() else None)

    def groups(self) -> tuple[str, ...]:
        """Return the names of all groups of patterns and instructions."""
        return tuple(self._patterns["train"])

    def slots(self) -> tuple[str, ...]:
        """Return the names of all slots."""
        return tuple(self._slots["train"])

    def listed(self, section: str, name: str) -> frozenset[str]:
        """Return a list of the training's own file, empty where there is none."""
        return frozenset(self._training.get(section, {}).get(name, ()))

    def fillers(self, slot: str, split: Split) -> tuple[str, ...]:
        """Return the listed fillers of a slot in a split."""
        return self._slots[split][slot]

    def patterns(self, group: str, split: Split) -> tuple[str, ...]:
        """Return the patterns (or instructions) of a group in a split."""
        return self._patterns[split][group]

    def pattern(self, rng: random.Random, group: str, split: Split) -> str:
        """Draw one pattern, or one instruction, of a group."""
        return rng.choice(self._patterns[split][group])

    def filler(self, rng: random.Random, slot: str, split: Split) -> str:
        """Draw one filler; an open slot may give a made-up word, a strange one another slot's."""
        if split == "train" and slot in self._strange and rng.random() < STRANGE_SHARE:
            return rng.choice(self._strangers)
        if slot in self._open and rng.random() < PSEUDO_SHARE:
            return pseudo_word(rng, split)
        drawn = rng.choice(self._slots[split][slot])
        return self.fill(rng, drawn, split) if "{" in drawn else drawn

    def fill(
        self,
        rng: random.Random,
        pattern: str,
        split: Split,
        given: Mapping[str, str] | None = None,
    ) -> str:
        """Replace every slot of a pattern; slots named in `given` take its text."""
        return self.bind(rng, pattern, split, given)[0]

    def bind(
        self,
        rng: random.Random,
        pattern: str,
        split: Split,
        given: Mapping[str, str] | None = None,
    ) -> tuple[str, dict[str, str]]:
        """Replace every slot of a pattern; return the text and the filler of each slot.

        Raises:
            KeyError: the pattern names a slot that neither the corpus nor `given` has.
        """
        bound = dict(given or {})

        def replace(match: re.Match[str]) -> str:
            key = match[1]
            name = key[0].lower() + key[1:]
            if name not in bound and key not in bound:
                bound[name] = self.filler(rng, name.partition("#")[0], split)
            text = bound[key] if key in bound else bound[name]
            return text if key == name else text[:1].upper() + text[1:]

        text = _SLOT.sub(replace, pattern)
        if "a(n) " in pattern or "A(n) " in pattern:
            text = _ARTICLE.sub(lambda m: m[1] + ("n " if m[2] in "aeiouAEIOU" else " "), text)
        return text, bound
