"""Draw words and noun phrases for one sentence, and note its content words."""

import random
from dataclasses import dataclass, field
from typing import Any

from fmagic.models.tiny.french.lexicon import (
    POSSESSIVES,
    PRONOUNS,
    Adjective,
    Noun,
    Pair,
    Verb,
    lexicon,
)
from fmagic.models.tiny.french.phrases import Det, Nominal, NounPhrase
from fmagic.models.tiny.french.spelling import definite, elided, of_the
from fmagic.models.tiny.tasks.base import Corpus, Split, chance

PRONOUN_SHARE = 0.6
NAME_SHARE = 0.2
"""How often a subject that is no pronoun is a name."""
RARE, USUAL = 0.1, 0.3
"""How often a noun has an adjective: one that is a subject, any other."""
PHRASE_NUMBERS = 12
"""How many of the listed numbers are used to count things."""

_GENERAL = frozenset(["love", "hate", "prefer"])
"""Verbs with le, la or les for things in general."""


@dataclass(slots=True)
class Grammar:
    """Draws words and builds phrases; `key` collects the content words of a sentence."""

    rng: random.Random
    split: Split
    key: list[str] = field(default_factory=list)

    def chance(self, share: float) -> bool:
        """Return True in the given share of calls."""
        return chance(self.rng, share)

    def word(self, kind: str) -> Any:
        """Draw an entry of the lexicon."""
        entry = self.rng.choice(lexicon()[kind])
        self.key.append(entry["en"])
        return entry

    def name(self, slot: str = "first_name") -> str:
        """Draw a name that is the same in both languages."""
        return Corpus.load("french").filler(self.rng, slot, self.split)

    def number(self, limit: int = 20) -> Pair:
        """Draw one of the first `limit` numbers, which start at two; it is no content word."""
        en, fr = self.rng.choice(lexicon()["numbers"][:limit]).split(" ")
        return en, fr

    def noun(self, kinds: str) -> tuple[Noun, str]:
        """Draw a noun of one of the kinds, and say of which."""
        kind = self.rng.choice(kinds.split())
        return self.word(kind), kind

    def adjective(self, kinds: str) -> Adjective:
        """Draw an adjective that suits one of the kinds."""
        while True:
            adj: Adjective = self.rng.choice(lexicon()["adjectives"])
            if adj["of"] in kinds.split():
                self.key.append(adj["en"])
                return adj

    def nominal(self, kinds: str, adj_share: float, *, plural: bool = False) -> Nominal:
        """Draw a noun, with an adjective in a share of the calls; family has none."""
        noun, kind = self.noun(kinds)
        nominal = Nominal.of(noun, plural=plural)
        if not self.chance(adj_share) or kind == "family":
            return nominal
        of = "thing both" if kind in ("thing", "clothes", "place") else "both"
        adj = self.adjective(f"{of} person" if kind == "person" else of)
        if adj["predicate_only"]:
            self.key.pop()
            return nominal
        return nominal.described(adj)

    def phrase(self, kinds: str, det: Det, adj_share: float = USUAL) -> NounPhrase:
        """Draw a noun phrase with a determiner."""
        plural = det in ("defs", "indefs", "number")
        nominal = self.nominal(kinds, adj_share, plural=plural)
        if det == "poss":
            return nominal.owned(*self.rng.choice(POSSESSIVES))
        if det == "number":
            return nominal.with_words(*self.number(PHRASE_NUMBERS))
        return nominal.article(det)

    def actor(self) -> NounPhrase:
        """Draw a person as the subject: a pronoun, a name or a noun."""
        if self.chance(PRONOUN_SHARE):
            en, fr, person = self.rng.choice(PRONOUNS)
            return NounPhrase(en, fr, fr == "elle", person)
        if self.chance(NAME_SHARE):
            name = self.name()
            return NounPhrase(name, name)
        kind = self.rng.choice(("person", "family"))
        if kind == "family":
            return self.phrase(kind, "poss", RARE)
        return self.phrase(kind, self.rng.choice(("def", "def", "this", "defs")), RARE)

    def object(self, verb: Verb, *, negative: bool) -> NounPhrase:
        """Draw an object that suits the verb, with the article that French asks for."""
        kind = self.rng.choice(verb["objects"])
        general = verb["en"] in _GENERAL
        if kind in ("mass", "drink"):
            return self._some(self.word(kind), general=general, negative=negative)
        if kind == "family":
            return self.phrase(kind, "poss")
        if kind == "place":
            return self.phrase(kind, "def")
        choices: list[Det] = ["def", "poss", "this", "defs"]
        if not negative and not general:
            choices += ["indef", "indef", "number"]
        return self.phrase(kind, self.rng.choice(choices))

    @staticmethod
    def _some(noun: Noun, *, general: bool, negative: bool) -> NounPhrase:
        """An uncounted object: definite in general, de after a negation, else a partitive."""
        fr, vowel = noun["fr"], noun["elides"]
        whole = definite(fr, female=noun["gender"] == "f", vowel=vowel)
        if general:
            return NounPhrase(noun["en"], whole)
        if negative:
            return NounPhrase(noun["en"], elided("de", fr, vowel=vowel))
        return NounPhrase(noun["en"], of_the(whole))
