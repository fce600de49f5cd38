"""Sentences about a person: being, going, age, home, job, needs. Each function is a pattern."""

from fmagic.models.tiny.french.grammar import RARE, Grammar
from fmagic.models.tiny.french.lexicon import (
    ALLER,
    AVOIR,
    BESOIN,
    ETRE,
    HABITER,
    PEUR,
    VENIR,
    VOULOIR,
    Adjective,
    Pair,
    Person,
    groups,
    lexicon,
)
from fmagic.models.tiny.french.phrases import Det, NounPhrase
from fmagic.models.tiny.french.spelling import asked, elided, elides, of_the, to_the

_PERSON_SHARE = 0.5
"""How often an adjective describes a person; the rest describe things."""
_NO_SHARE = 0.4
"""How often a state is denied."""
_FROM_SHARE = 0.4
"""How often a city is where somebody comes from; the rest live there."""
_DREAM_SHARE = 0.5
"""How often a job is only wished for."""


def is_so(g: Grammar, mode: str) -> Pair:
    """Say, deny or ask whether somebody, or as often something, is as an adjective says."""
    who, adj = _described_person(g) if g.chance(_PERSON_SHARE) else _described_thing(g)
    form = who.agreed(adj)
    if mode == "not":
        clause = who.clause(ETRE, negative=True)
        return f"{who.en} {who.be} not {adj['en']}.", f"{clause} {form}."
    if mode == "question":
        return f"{who.be} {who.en} {adj['en']}?", f"{asked(who.clause(ETRE))} {form} ?"
    en, fr = {"very": ("very ", "très "), "too": ("too ", "trop ")}.get(mode, ("", ""))
    return f"{who.en} {who.be} {en}{adj['en']}.", f"{who.clause(ETRE)} {fr}{form}."


def _described_person(g: Grammar) -> tuple[NounPhrase, Adjective]:
    who, adj = g.actor(), g.adjective("person")
    if who.named:  # a name does not tell masculine from feminine, and "calme" is both
        adj = next(a for a in lexicon()["adjectives"] if a["en"] == "calm")
        g.key.append("calm")
    return who, adj


def _described_thing(g: Grammar) -> tuple[NounPhrase, Adjective]:
    kind = g.rng.choice(("thing", "clothes", "food", "thing"))
    det: Det = g.rng.choice(("def", "def", "poss", "this", "defs"))
    thing = g.phrase(kind, det, RARE)
    return thing, g.adjective("food both" if kind == "food" else "thing both")


def go(g: Grammar, mode: str) -> Pair:
    """Say who goes, does not go, or is where, with whom or on which day."""
    who, place = g.actor(), g.phrase("place", "def", 0)
    to = to_the(place.fr)
    going = f"{who.clause(ALLER)} {to}"
    if mode == "with":
        kin = g.phrase("family", "poss", 0)
        english = f"{who.en} {who.be} going to {place.en} with {kin.en}."
        return english, f"{going} avec {kin.fr}."
    if mode == "not":
        do = "does" if who.third else "do"
        clause = who.clause(ALLER, negative=True)
        return f"{who.en} {do} not go to {place.en}.", f"{clause} {to}."
    if mode == "at":
        return f"{who.en} {who.be} at {place.en}.", f"{who.clause(ETRE)} {to}."
    if mode == "day":
        day = g.word("days")
        goes = "goes" if who.third else "go"
        return f"{who.en} {goes} to {place.en} on {day['en']}s.", f"{going} le {day['fr']}."
    return f"{who.en} {who.be} going to {place.en}.", f"{going}."


def have_no(g: Grammar) -> Pair:
    """She has no dog."""
    who, thing = g.actor(), g.nominal("thing animal clothes food", 0)
    have = "has" if who.third else "have"
    without = elided("de", thing.fr, vowel=thing.vowel)
    return f"{who.en} {have} no {thing.en}.", f"{who.clause(AVOIR, negative=True)} {without}."


def age(g: Grammar) -> Pair:
    """She is seven years old."""
    who, (en, fr) = g.actor(), g.number()
    g.key.append(en)
    return f"{who.en} {who.be} {en} years old.", f"{who.clause(AVOIR)} {fr} ans."


def state(g: Grammar) -> Pair:
    """She is hungry, or is not."""
    who, what = g.actor(), g.word("states")
    if g.chance(_NO_SHARE) and what["en"] != "lucky":
        clause = who.clause(AVOIR, negative=True)
        return f"{who.en} {who.be} not {what['en']}.", f"{clause} {what['fr']}."
    return f"{who.en} {who.be} {what['en']}.", f"{who.clause(AVOIR)} {what['fr']}."


def name(g: Grammar) -> Pair:
    """My name is Anna."""
    called = g.name()
    en, fr = g.rng.choice((("my name is", "je m'appelle"), ("his name is", "il s'appelle")))
    g.key.append(called)
    return f"{en} {called}.", f"{fr} {called}."


def live(g: Grammar) -> Pair:
    """She lives in, or comes from, a city."""
    who, city = g.actor(), g.name("city")
    g.key.append(city)
    if g.chance(_FROM_SHARE):
        come = "comes" if who.third else "come"
        home = elided("de", city, vowel=elides(city) and city[0] != "H")
        return f"{who.en} {come} from {city}.", f"{who.clause(VENIR)} {home}."
    lives = "lives" if who.third else "live"
    return f"{who.en} {lives} in {city}.", f"{who.clause(HABITER)} à {city}."


def job(g: Grammar) -> Pair | None:
    """She is, or wants to be, a doctor; None for a noun that is no job."""
    what = g.phrase("person", "indef", 0)
    if not groups()["roles"].isdisjoint(g.key):
        return None
    en, fr = ("she", "elle") if what.female else g.rng.choice((("he", "il"), ("I", "je")))
    who = NounPhrase(en, fr, what.female, Person.JE if en == "I" else Person.IL)
    if g.chance(_DREAM_SHARE):
        want = "wants" if who.third else "want"
        return f"{en} {want} to be {what.en}.", f"{who.clause(VOULOIR)} être {what.bare}."
    return f"{en} {who.be} {what.en}.", f"{who.clause(ETRE)} {what.bare}."


def need(g: Grammar) -> Pair:
    """She needs a chair."""
    who, what = g.actor(), g.phrase("thing clothes food", "indef")
    needs = "needs" if who.third else "need"
    return f"{who.en} {needs} {what.en}.", f"{who.clause(BESOIN)} d'{what.fr}."


def afraid(g: Grammar) -> Pair:
    """She is afraid of dogs."""
    who, what = g.actor(), g.phrase("animal", "defs", 0)
    animals = what.en.removeprefix("the ")
    return f"{who.en} {who.be} afraid of {animals}.", f"{who.clause(PEUR)} {of_the(what.fr)}."


def would_like(g: Grammar) -> Pair:
    """I would like an apple, please."""
    what = g.phrase("food thing clothes", "indef")
    return f"I would like {what.en}, please.", f"je voudrais {what.fr}, s'il vous plaît."
