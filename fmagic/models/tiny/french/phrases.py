"""Noun phrases in both languages, and the determiners that they start with."""

from dataclasses import dataclass
from typing import Literal

from fmagic.models.tiny.french.lexicon import (
    Adjective,
    Forms,
    Noun,
    Person,
    agreed,
)
from fmagic.models.tiny.french.spelling import definite, elided, elides, with_a

Det = Literal["def", "defs", "indef", "indefs", "this", "poss", "number"]
"""Determiners; defs, indefs and number are plural."""


@dataclass(frozen=True, slots=True)
class NounPhrase:
    """A noun phrase with its determiner, a pronoun or a name, in both languages."""

    en: str
    fr: str
    female: bool = False
    person: Person = Person.IL

    @property
    def third(self) -> bool:
        """Whether the English verb ends in s."""
        return self.person == Person.IL

    @property
    def plural(self) -> bool:
        """Whether the French verb is plural."""
        return self.person >= Person.NOUS

    @property
    def named(self) -> bool:
        """Whether this is a name: the same in both languages, and of no known gender."""
        return self.en == self.fr

    @property
    def bare(self) -> str:
        """The French without its first word, the determiner."""
        return self.fr.split(" ", 1)[1]

    @property
    def be(self) -> str:
        """The English form of to be."""
        return {"I": "am"}.get(self.en, "are" if self.plural or self.en == "you" else "is")

    def agreed(self, adj: Adjective) -> str:
        """Return the French form of an adjective that says something about this."""
        return agreed(adj, female=self.female, plural=self.plural)

    def clause(self, forms: Forms, *, negative: bool = False) -> str:
        """Conjugate: `forms` in the right person after the subject, with all elisions."""
        verb, *rest = forms[self.person].split(" ", 1)
        if negative:
            verb = elided("ne", verb) + " pas"
        joined = elided("je", verb) if self.fr == "je" else f"{self.fr} {verb}"
        return " ".join([joined, *rest])


@dataclass(frozen=True, slots=True)
class Nominal:
    """A noun, with an adjective or without, that has no determiner yet.

    Attributes:
        en: English, in its number.
        fr: French, in its number.
        female: whether the noun is feminine.
        plural: whether the noun is plural.
        vowel: whether a determiner elides before it.
        before: whether an adjective stands before the French noun.
    """

    en: str
    fr: str
    female: bool
    plural: bool
    vowel: bool
    before: bool = False

    @classmethod
    def of(cls, noun: Noun, *, plural: bool = False) -> "Nominal":
        """Take a noun of the lexicon in one number."""
        en, fr = (noun["ens"], noun["frs"]) if plural else (noun["en"], noun["fr"])
        return cls(en, fr, noun["gender"] == "f", plural, noun["elides"])

    def described(self, adj: Adjective) -> "Nominal":
        """Add an adjective, in its form and at its side of the noun."""
        en = f"{adj['en']} {self.en}"
        form = agreed(adj, female=self.female, plural=self.plural)
        if not adj["before"]:
            return Nominal(en, f"{self.fr} {form}", self.female, self.plural, self.vowel)
        if self.vowel and not self.plural and not self.female:
            form = adj["vowel"]
        return Nominal(en, f"{form} {self.fr}", self.female, self.plural, elides(form), True)

    def with_words(self, en: str, fr: str) -> NounPhrase:
        """Put ready words before both sides."""
        person = Person.ILS if self.plural else Person.IL
        return NounPhrase(f"{en} {self.en}", f"{fr} {self.fr}", self.female, person)

    def owned(self, en: str, masculine: str, feminine: str) -> NounPhrase:
        """Put a possessive before a singular noun: "ma" gives way to "mon" before a vowel."""
        return self.with_words(en, feminine if self.female and not self.vowel else masculine)

    def article(self, det: Literal["def", "defs", "indef", "indefs", "this"]) -> NounPhrase:
        """Put an article or a demonstrative before the noun, of which it has the number."""
        match det:
            case "def":
                fr = definite(self.fr, female=self.female, vowel=self.vowel)
                return NounPhrase(f"the {self.en}", fr, self.female)
            case "defs":
                return self.with_words("the", "les")
            case "indef":
                fr = f"{'une' if self.female else 'un'} {self.fr}"
                return NounPhrase(with_a(self.en), fr, self.female)
            case "indefs":
                fr = f"{'de' if self.before else 'des'} {self.fr}"
                return NounPhrase(self.en, fr, self.female, Person.ILS)
            case "this":
                masculine = "cet" if self.vowel else "ce"
                return self.with_words("this", "cette" if self.female else masculine)
