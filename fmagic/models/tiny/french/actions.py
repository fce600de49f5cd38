"""Sentences with a full verb, in fourteen modes: tenses, negation, questions, commands."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from fmagic.models.tiny.french.grammar import Grammar
from fmagic.models.tiny.french.lexicon import (
    ALLER,
    AVOIR,
    DEVOIR,
    POUVOIR,
    VOULOIR,
    Forms,
    Pair,
    Person,
    Verb,
    groups,
)
from fmagic.models.tiny.french.phrases import NounPhrase
from fmagic.models.tiny.french.spelling import asked, elided

COMMANDS: Final = ("imperative", "dont")
_NEGATIVE = frozenset(["negative", "past_negative", "dont"])
_WILLED = frozenset([*COMMANDS, "can", "must", "want"])
"""Modes that are odd with the verbs of the group "alone"."""


@dataclass(frozen=True, slots=True)
class Action:
    """Who does what; each method is one mode. The objects start with a space or are empty."""

    grammar: Grammar
    subject: NounPhrase
    verb: Verb
    en_object: str
    fr_object: str

    @property
    def _does(self) -> str:
        return "does" if self.subject.third else "do"

    @property
    def _simple(self) -> str:
        """The English verb in the simple present."""
        return self.verb["third"] if self.subject.third else self.verb["en"]

    @property
    def _perfect(self) -> Forms:
        return tuple(f"{have} {self.verb['participle']}" for have in AVOIR)

    @property
    def _order(self) -> str:
        """The French imperative of tu: its present, which loses the s of -es."""
        form = self.verb["present"][Person.TU]
        return form[:-1] if form.endswith("es") else form

    def _pair(self, english: str, french: str) -> Pair:
        """Add the objects and the full stops."""
        return f"{english}{self.en_object}.", f"{french}{self.fr_object}."

    def _modal(self, helper: str, forms: Forms) -> Pair:
        english = f"{self.subject.en} {helper} {self.verb['en']}"
        return self._pair(english, f"{self.subject.clause(forms)} {self.verb['fr']}")

    def present(self) -> Pair:
        """He eats an apple."""
        clause = self.subject.clause(self.verb["present"])
        return self._pair(f"{self.subject.en} {self._simple}", clause)

    def progressive(self) -> Pair:
        """He is eating an apple."""
        english = f"{self.subject.en} {self.subject.be} {self.verb['ing']}"
        return self._pair(english, self.subject.clause(self.verb["present"]))

    def past(self) -> Pair:
        """He ate an apple yesterday."""
        english = f"{self.subject.en} {self.verb['past']}{self.en_object} yesterday."
        return english, f"{self.subject.clause(self._perfect)}{self.fr_object} hier."

    def past_negative(self) -> Pair:
        """He did not eat the apple."""
        clause = self.subject.clause(self._perfect, negative=True)
        return self._pair(f"{self.subject.en} did not {self.verb['en']}", clause)

    def negative(self) -> Pair:
        """He does not eat the apple."""
        clause = self.subject.clause(self.verb["present"], negative=True)
        return self._pair(f"{self.subject.en} {self._does} not {self.verb['en']}", clause)

    def question(self) -> Pair:
        """Does he eat an apple?"""
        question = asked(self.subject.clause(self.verb["present"]))
        english = f"{self._does} {self.subject.en} {self.verb['en']}{self.en_object}?"
        return english, f"{question}{self.fr_object} ?"

    def often(self) -> Pair:
        """He often eats an apple."""
        clause = f"{self.subject.clause(self.verb['present'])} souvent"
        return self._pair(f"{self.subject.en} often {self._simple}", clause)

    def day(self) -> Pair:
        """On Mondays he eats an apple."""
        day = self.grammar.word("days")
        english = f"on {day['en']}s {self.subject.en} {self._simple}"
        return self._pair(english, f"le {day['fr']}, {self.subject.clause(self.verb['present'])}")

    def future(self) -> Pair:
        """He is going to eat an apple."""
        return self._modal(f"{self.subject.be} going to", ALLER)

    def can(self) -> Pair:
        """He can eat an apple."""
        return self._modal("can", POUVOIR)

    def must(self) -> Pair:
        """He must eat an apple."""
        return self._modal("must", DEVOIR)

    def want(self) -> Pair:
        """He wants to eat an apple."""
        return self._modal("wants to" if self.subject.third else "want to", VOULOIR)

    def imperative(self) -> Pair:
        """Eat an apple."""
        return self._pair(self.verb["en"], self._order)

    def dont(self) -> Pair:
        """Do not eat the apple."""
        return self._pair(f"do not {self.verb['en']}", f"{elided('ne', self._order)} pas")


MODES: Final[dict[str, Callable[[Action], Pair]]] = {
    "present": Action.present,
    "progressive": Action.progressive,
    "past": Action.past,
    "past_negative": Action.past_negative,
    "negative": Action.negative,
    "question": Action.question,
    "often": Action.often,
    "day": Action.day,
    "future": Action.future,
    "can": Action.can,
    "must": Action.must,
    "want": Action.want,
    "imperative": Action.imperative,
    "dont": Action.dont,
}


def act(g: Grammar, mode: str, *, transitive: bool) -> Pair | None:
    """Make a sentence in one of `MODES`; None if the verb drawn has no such form."""
    verb: Verb = g.word("transitive" if transitive else "intransitive")
    if verb["en"].split()[0] in _unsuited(mode):
        return None
    subject = NounPhrase("you", "tu", False, Person.TU) if mode in COMMANDS else g.actor()
    english = french = ""
    if transitive:
        thing = g.object(verb, negative=mode in _NEGATIVE)
        english, french = f" {thing.en}", f" {thing.fr}"
    return MODES[mode](Action(g, subject, verb, english, french))


def _unsuited(mode: str) -> frozenset[str]:
    """Return the verbs that have no such mode."""
    if mode == "progressive":
        return groups()["static"]
    return groups()["alone"] if mode in _WILLED else frozenset()
