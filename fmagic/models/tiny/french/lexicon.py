"""The words of the grammar: the lists of `corpus/french.toml`, pronouns and helping verbs."""

import tomllib
from enum import IntEnum
from functools import lru_cache
from typing import Any, Final, TypedDict

from fmagic.models.tiny.tasks.base import CORPUS

Pair = tuple[str, str]
"""English, French."""
Forms = tuple[str, ...] | list[str]
"""The six forms of a verb in one tense, indexed by `Person`."""


class Person(IntEnum):
    """The person of a verb, as an index into its forms; "elle" is IL."""

    JE = 0
    TU = 1
    IL = 2
    NOUS = 3
    VOUS = 4
    ILS = 5


class Words(TypedDict):
    """An entry that is the same in every sentence, such as a weekday."""

    en: str
    fr: str


class Noun(Words):
    """A noun; `elides` says whether its articles do, which a spelling with h does not show."""

    ens: str
    frs: str
    gender: str
    elides: bool


class Adjective(TypedDict):
    """An adjective; `vowel` is its masculine form before a vowel, `of` what it suits."""

    en: str
    m: str
    f: str
    mp: str
    fp: str
    vowel: str
    before: bool
    predicate_only: bool
    of: str


class Verb(Words):
    """A verb; `fr` is the infinitive, `objects` the kinds of nouns that suit it."""

    third: str
    ing: str
    past: str
    present: list[str]
    participle: str
    objects: list[str]


ETRE: Final = ("suis", "es", "est", "sommes", "êtes", "sont")
AVOIR: Final = ("ai", "as", "a", "avons", "avez", "ont")
ALLER: Final = ("vais", "vas", "va", "allons", "allez", "vont")
POUVOIR: Final = ("peux", "peux", "peut", "pouvons", "pouvez", "peuvent")
DEVOIR: Final = ("dois", "dois", "doit", "devons", "devez", "doivent")
VOULOIR: Final = ("veux", "veux", "veut", "voulons", "voulez", "veulent")
VENIR: Final = ("viens", "viens", "vient", "venons", "venez", "viennent")
HABITER: Final = ("habite", "habites", "habite", "habitons", "habitez", "habitent")
BESOIN: Final = tuple(f"{have} besoin" for have in AVOIR)
PEUR: Final = tuple(f"{have} peur" for have in AVOIR)

PRONOUNS: Final = (
    ("I", "je", Person.JE),
    ("you", "tu", Person.TU),
    ("he", "il", Person.IL),
    ("she", "elle", Person.IL),
    ("we", "nous", Person.NOUS),
    ("you all", "vous", Person.VOUS),
    ("they", "ils", Person.ILS),
)
POSSESSIVES: Final = (
    ("my", "mon", "ma"),
    ("your", "ton", "ta"),
    ("our", "notre", "notre"),
    ("their", "leur", "leur"),
)
"""English, and the French before a masculine and a feminine noun in the singular."""


@lru_cache(maxsize=1)
def groups() -> dict[str, frozenset[str]]:
    """Return the groups of English words that suit, or do not suit, some sentences."""
    with (CORPUS / "french.toml").open("rb") as file:
        listed: dict[str, list[str]] = tomllib.load(file)["groups"]
    return {name: frozenset(words) for name, words in listed.items()}


@lru_cache(maxsize=1)
def lexicon() -> dict[str, list[Any]]:
    """Return the entries by kind; every group is also a kind, of the nouns that it names."""
    with (CORPUS / "french.toml").open("rb") as file:
        words: dict[str, list[Any]] = tomllib.load(file)["lexicon"]
    nouns: list[Noun] = [*words["thing"], *words["mass"]]
    return words | {kind: [n for n in nouns if n["en"] in en] for kind, en in groups().items()}


def agreed(adj: Adjective, *, female: bool, plural: bool) -> str:
    """Return the form of an adjective that agrees with its noun."""
    if female:
        return adj["fp"] if plural else adj["f"]
    return adj["mp"] if plural else adj["m"]
