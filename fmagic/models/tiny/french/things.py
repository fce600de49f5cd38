"""Sentences about things and places: where, which, how many, when. Each function is a pattern."""

from fmagic.models.tiny.french.grammar import Grammar
from fmagic.models.tiny.french.lexicon import ETRE, Pair
from fmagic.models.tiny.french.spelling import elided, of_the

_DENIED_SHARE = 0.3
"""How often "this is" becomes "it is not"."""
_CLOCK_SHARE = 0.3
"""How often a time is that of now; the rest are opening times."""
_HOURS = 9
"""How many of the listed numbers, which start at two, are used as hours."""


def where(g: Grammar) -> Pair:
    """Where is the station?"""
    kind = g.rng.choice(["place", "place", "thing", "clothes", "family"])
    what = g.phrase(kind, "poss" if kind == "family" else g.rng.choice(("def", "defs", "poss")))
    return f"where {what.be} {what.en}?", f"où {ETRE[what.person]} {what.fr} ?"


def there(g: Grammar) -> Pair:
    """There is a dog in front of the station."""
    what = g.phrase("thing food animal", g.rng.choice(("indef", "indefs", "number")))
    place = g.phrase("place", "def", 0)
    english = f"there {what.be} {what.en} in front of {place.en}."
    return english, f"il y a {what.fr} devant {place.fr}."


def on(g: Grammar) -> Pair:
    """The book is on, under or behind the table."""
    what, base = g.phrase("thing clothes food", "def"), g.phrase("thing", "def", 0)
    en, fr = g.rng.choice((("on", "sur"), ("under", "sous"), ("behind", "derrière")))
    g.key.append(en)
    return f"{what.en} is {en} {base.en}.", f"{what.fr} est {fr} {base.fr}."


def this_is(g: Grammar) -> Pair:
    """This is, or it is not, a dog; these are dogs."""
    what = g.phrase("thing animal clothes food place", g.rng.choice(("indef", "indefs", "poss")))
    if what.plural:
        return f"these are {what.en}.", f"ce sont {what.fr}."
    if g.chance(_DENIED_SHARE):
        return f"it is not {what.en}.", f"ce n'est pas {what.fr}."
    return f"this is {what.en}.", f"c'est {what.fr}."


def colour(g: Grammar) -> Pair:
    """What colour is the door?"""
    what = g.phrase("thing clothes", g.rng.choice(("def", "poss", "defs")), 0)
    return f"what colour {what.be} {what.en}?", f"de quelle couleur {ETRE[what.person]} {what.fr} ?"


def how_many(g: Grammar) -> Pair:
    """How many dogs do you have?"""
    noun, _ = g.noun("thing animal clothes food")
    of = elided("de", noun["frs"], vowel=noun["elides"])
    return f"how many {noun['ens']} do you have?", f"combien {of} as-tu ?"


def time(g: Grammar) -> Pair:
    """It is, or a place opens at, three o'clock or half past three."""
    en, fr = g.number(_HOURS)
    half, demie = g.rng.choice((("", ""), ("half past ", " et demie")))
    g.key += [en, half]
    clock = f"{half}{en}" if half else f"{en} o'clock"
    heure = f"{fr} heures{demie}"
    if g.chance(_CLOCK_SHARE):
        return f"it is {clock}.", f"il est {heure}."
    place = g.phrase("place", "def", 0)
    return f"{place.en} opens at {clock}.", f"{place.fr} ouvre à {heure}."


def today(g: Grammar) -> Pair:
    """It is raining in Rome; today is Monday and it is raining."""
    day, weather = g.word("days"), g.word("weather")
    en, fr = weather["en"], weather["fr"]
    city = g.name("city")
    match g.rng.randrange(3):
        case 0:
            return f"{en} in {city}.", f"{fr} à {city}."
        case 1:
            french = f"aujourd'hui, c'est {day['fr']} et {fr}."
            return f"today is {day['en']} and {en}.", french
        case _:
            return f"{en} in {city} today.", f"aujourd'hui, {fr} à {city}."


def compare(g: Grammar) -> Pair:
    """The cat is as big as the dog."""
    kind = g.rng.choice(("thing", "animal", "person"))
    one, other = g.phrase(kind, "def", 0), g.phrase(kind, "def", 0)
    adj = g.adjective("both" if kind == "animal" else f"{kind} both")
    english = f"{one.en} is as {adj['en']} as {other.en}."
    return english, f"{one.fr} est aussi {one.agreed(adj)} que {other.fr}."


def owner(g: Grammar) -> Pair:
    """The teacher's dog is big."""
    who, what = g.phrase("person", "def", 0), g.phrase("thing animal clothes", "def", 0)
    adj = g.adjective("both")
    english = f"{who.en}'s {what.en.removeprefix('the ')} is {adj['en']}."
    return english, f"{what.fr} {of_the(who.fr)} est {what.agreed(adj)}."


def price(g: Grammar) -> Pair:
    """How much is the chair?"""
    what = g.phrase("food thing clothes", g.rng.choice(("def", "defs", "this")))
    cost = "coûtent" if what.plural else "coûte"
    return f"how much {what.be} {what.en}?", f"combien {cost} {what.fr} ?"


def what_a(g: Grammar) -> Pair:
    """What a beautiful dog!"""
    what = g.phrase("thing animal clothes food", "indef", 1)
    return f"what {what.en}!", f"{'quelle' if what.female else 'quel'} {what.bare} !"


def which(g: Grammar) -> Pair:
    """Which chair do you prefer?"""
    what = g.nominal("thing clothes food", 0)
    quel = "quelle" if what.female else "quel"
    return f"which {what.en} do you prefer?", f"{quel} {what.fr} préfères-tu ?"


def count(g: Grammar) -> Pair:
    """Two apples and three chairs."""
    one, other = g.phrase("food thing", "number"), g.phrase("food thing", "number")
    return f"{one.en} and {other.en}.", f"{one.fr} et {other.fr}."


def fixed(g: Grammar) -> Pair:
    """Say a fixed phrase, which has no parts."""
    entry = g.word("phrases")
    return entry["en"], entry["fr"]
