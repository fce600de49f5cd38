"""Short English to French sentences from a small parallel grammar.

Nobody can know the translation of a word never seen, so both splits use the whole lexicon.
Held out are *combinations*: a checksum of the sentence pattern and its content words decides
the split, so (negation, eat, meat) is trained on in all persons or in none. Instructions, names
and cities are held out as in every corpus; fixed phrases have no parts and are trained on only.

"you" is *tu*, "you all" is *vous*, and adjectives of "I", "you" and "we" are masculine.
"""

import random
import tomllib
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from fmagic.models.tiny.tasks.base import CORPUS, HOLD_EVERY, Corpus, Example, Split, Task, Turn

MULTI_SHARE = 0.4
"""How often a conversation has several sentences."""
SYSTEM_SHARE = 0.5
"""How often a one-sentence conversation gives its instruction as the system text."""

_ETRE = ("suis", "es", "est", "sommes", "êtes", "sont")
_AVOIR = ("ai", "as", "a", "avons", "avez", "ont")
_ALLER = ("vais", "vas", "va", "allons", "allez", "vont")
_POUVOIR = ("peux", "peux", "peut", "pouvons", "pouvez", "peuvent")
_DEVOIR = ("dois", "dois", "doit", "devons", "devez", "doivent")
_VOULOIR = ("veux", "veux", "veut", "voulons", "voulez", "veulent")
_VENIR = ("viens", "viens", "vient", "venons", "venez", "viennent")
_HABITER = ("habite", "habites", "habite", "habitons", "habitez", "habitent")
_BESOIN = tuple(f"{have} besoin" for have in _AVOIR)
_PEUR = tuple(f"{have} peur" for have in _AVOIR)
_PRONOUNS = ("I je", "you tu", "he il", "she elle", "we nous", "you_all vous", "they ils")
_PERSON = {"je": 0, "tu": 1, "il": 2, "elle": 2, "nous": 3, "vous": 4, "ils": 5}
_POSSESSIVE = ("my mon ma mes", "your ton ta tes", "our notre notre nos", "their leur leur leurs")
_WHOLE = frozenset(["love", "hate", "prefer"])  # verbs with le/la/les for things in general
_WILLED = frozenset(
    ["imperative", "dont", "can", "must", "want"]
)  # odd with the verbs of group alone
Entry = dict[str, Any]


@lru_cache(maxsize=1)
def _groups() -> dict[str, frozenset[str]]:
    with (CORPUS / "french.toml").open("rb") as file:
        groups: dict[str, list[str]] = tomllib.load(file)["groups"]
    return {name: frozenset(words) for name, words in groups.items()}


@lru_cache(maxsize=1)
def _lexicon() -> dict[str, list[Any]]:
    with (CORPUS / "french.toml").open("rb") as file:
        words: dict[str, list[Any]] = tomllib.load(file)["lexicon"]
    every = [noun for kind in ("thing", "mass") for noun in words[kind]]
    return words | {kind: [n for n in every if n["en"] in en] for kind, en in _groups().items()}


def _elides(text: str) -> bool:
    return text[0].lower() in "aeiouâàéèêëîïôöûùœæh"


def _an(text: str) -> str:
    plain_u = text.startswith(("uni", "use"))
    return ("an " if text[0] in "aeiou" and not plain_u else "a ") + text


@dataclass(frozen=True, slots=True)
class Np:
    """A noun phrase in both languages; `person` indexes je, tu, il, nous, vous, ils."""

    en: str
    fr: str
    female: bool
    person: int

    @property
    def plural(self) -> bool:
        """Whether the verb is plural."""
        return self.person > 2

    @property
    def be(self) -> str:
        """The English form of to be."""
        return {"I": "am"}.get(self.en, "are" if self.plural or self.en == "you" else "is")

    def clause(self, forms: tuple[str, ...] | list[str], negative: bool = False) -> str:
        """Conjugate: `forms` in the right person after the subject, with all elisions."""
        verb, *rest = forms[self.person].split(" ", 1)
        if negative:
            verb = f"n'{verb} pas" if _elides(verb) else f"ne {verb} pas"
        joined = f"j'{verb}" if self.fr == "je" and _elides(verb) else f"{self.fr} {verb}"
        return " ".join([joined, *rest])


@dataclass(slots=True)
class Grammar:
    """Draws words and builds phrases; `key` collects the content words of a sentence."""

    rng: random.Random
    split: Split
    key: list[str] = field(default_factory=list)

    def word(self, kind: str) -> Any:
        """Draw an entry of the lexicon."""
        entry = self.rng.choice(_lexicon()[kind])
        self.key.append(entry if isinstance(entry, str) else entry["en"])
        return entry

    def name(self, slot: str = "first_name") -> str:
        """Draw a name that is the same in both languages."""
        return Corpus.load("french").filler(self.rng, slot, self.split)

    def number(self, limit: int = 20) -> list[str]:
        """Draw a number from two on: English, French."""
        return str(self.rng.choice(_lexicon()["numbers"][:limit])).split(" ")

    def noun(self, kinds: str) -> tuple[Entry, str]:
        """Draw a noun, and say of which kind it is."""
        kind = self.rng.choice(kinds.split())
        return self.word(kind), kind

    def adjective(self, kinds: str) -> Entry:
        """Draw an adjective that suits one of the kinds."""
        while True:
            adj: Entry = self.rng.choice(_lexicon()["adjectives"])
            if adj["of"] in kinds.split():
                self.key.append(adj["en"])
                return adj

    def phrase(self, kinds: str, det: str, adj_share: float = 0.3) -> Np:
        """Build a noun phrase. `det`: def, indef, poss, this, number, defs, indefs, of (no det)."""
        noun, kind = self.noun(kinds)
        many = det in ("defs", "indefs", "number")
        female = noun["gender"] == "f"
        en, fr, vowel = noun["ens" if many else "en"], noun["frs" if many else "fr"], noun["elides"]
        before = False
        if self.rng.random() < adj_share and kind != "family":
            of = "thing both" if kind in ("thing", "clothes", "place") else "both"
            adj = self.adjective(of + (" person" if kind in ("person", "family") else ""))
            if adj["predicate_only"]:
                self.key.pop()
            else:
                form = adj[("f" if female else "m") + ("p" if many else "")]
                before = adj["before"]
                if before and vowel and not many and not female:
                    form = adj["vowel"]
                en, fr = f"{adj['en']} {en}", f"{form} {fr}" if before else f"{fr} {form}"
                vowel = _elides(form) if before else vowel
        person = 5 if many else 2
        if det == "of":
            return Np(en, fr, female, person)
        if det == "poss":
            owner, m, f, _ = self.rng.choice(_POSSESSIVE).split()
            mine = f if female and not vowel else m
            return Np(f"{owner} {en}", f"{mine} {fr}", female, person)
        if det == "number":
            number, nombre = self.number(12)
            return Np(f"{number} {en}", f"{nombre} {fr}", female, person)
        if det == "defs":
            return Np(f"the {en}", f"les {fr}", female, person)
        if det == "indefs":
            return Np(en, f"{'de' if before else 'des'} {fr}", female, person)
        if det == "indef":
            return Np(_an(en), f"{'une' if female else 'un'} {fr}", female, person)
        if det == "this":
            cet = "cette" if female else "cet" if vowel else "ce"
            return Np(f"this {en}", f"{cet} {fr}", female, person)
        return Np(f"the {en}", self.definite(fr, female, vowel), female, person)

    @staticmethod
    def definite(fr: str, female: bool, vowel: bool) -> str:
        """Put le, la or l' before a noun."""
        return f"l'{fr}" if vowel else f"{'la' if female else 'le'} {fr}"

    def subject(self, kinds: str = "person family animal", pronouns: float = 0.6) -> Np:
        """Draw a subject; a name comes back with empty `fr`."""
        if self.rng.random() < pronouns:
            en, fr = self.rng.choice(_PRONOUNS).split()
            return Np(en.replace("_", " "), fr, fr == "elle", _PERSON[fr])
        if "person" in kinds and self.rng.random() < 0.2:
            return Np(self.name(), "", False, 2)
        kind = self.rng.choice(kinds.split())
        det = "poss" if kind == "family" else self.rng.choice(("def", "def", "this", "defs"))
        return self.phrase(kind, det, 0.1)

    def actor(self, pronouns: float = 0.6) -> Np:
        """A person as the subject; a name is the same in both languages."""
        np = self.subject("person family", pronouns)
        return np if np.fr else Np(np.en, np.en, False, 2)

    def object(self, verb: Entry, negative: bool) -> Np:
        """An object that suits the verb, with the article that French asks for."""
        kind = self.rng.choice(verb["objects"])
        general = verb["en"] in _WHOLE
        if kind in ("mass", "drink"):
            noun = self.word(kind)
            whole = self.definite(noun["fr"], noun["gender"] == "f", noun["elides"])
            if general:
                return Np(noun["en"], whole, False, 2)
            if negative:
                return Np(noun["en"], ("d'" if noun["elides"] else "de ") + noun["fr"], False, 2)
            return Np(
                noun["en"], "du " + whole[3:] if whole[:3] == "le " else "de " + whole, False, 2
            )
        if kind in ("family", "place"):
            return self.phrase(kind, "poss" if kind == "family" else "def")
        choices = ["def", "poss", "this", "defs"]
        if not negative and not general:
            choices += ["indef", "indef", "number"]
        return self.phrase(kind, self.rng.choice(choices))


def to_place(place: str) -> str:
    """Put à before a definite place, contracted."""
    return "au " + place[3:] if place.startswith("le ") else "à " + place


def of_the(fr: str) -> str:
    """Put de before a definite noun phrase, contracted."""
    if fr.startswith("le "):
        return "du " + fr[3:]
    return "des " + fr[4:] if fr.startswith("les ") else "de " + fr


Pair = tuple[str, str]


def _act(g: Grammar, mode: str, transitive: bool) -> Pair | None:
    """A sentence with a full verb in a mode of `_MODES`; None if the verb has no such form."""
    verb: Entry = g.word("transitive" if transitive else "intransitive")
    present, inf = verb["present"], verb["fr"]
    excluded = {"progressive": _groups()["static"]}.get(
        mode, _groups()["alone"] if mode in _WILLED else frozenset()
    )
    if verb["en"].split()[0] in excluded:
        return None
    negative = mode in ("negative", "past_negative", "dont")
    subj = Np("you", "tu", False, 1) if mode in ("imperative", "dont") else g.actor()
    en_obj = fr_obj = ""
    if transitive:
        obj = g.object(verb, negative)
        en_obj, fr_obj = " " + obj.en, " " + obj.fr
    single = subj.person == 2
    do = "does" if single else "do"
    simple = verb["third"] if single else verb["en"]
    if mode == "imperative":
        order = present[1][:-1] if present[1].endswith("es") else present[1]
        return f"{verb['en']}{en_obj}.", f"{order}{fr_obj}."
    if mode == "dont":
        order = present[1][:-1] if present[1].endswith("es") else present[1]
        ne = "n'" if _elides(order) else "ne "
        return f"do not {verb['en']}{en_obj}.", f"{ne}{order} pas{fr_obj}."
    past = tuple(f"{have} {verb['participle']}" for have in _AVOIR)
    match mode:
        case "progressive":
            return (
                f"{subj.en} {subj.be} {verb['ing']}{en_obj}.",
                f"{subj.clause(present)}{fr_obj}.",
            )
        case "past":
            return f"{subj.en} {verb['past']}{en_obj} yesterday.", (
                f"{subj.clause(past)}{fr_obj} hier."
            )
        case "past_negative":
            have_not = subj.clause(past, negative=True)
            return f"{subj.en} did not {verb['en']}{en_obj}.", f"{have_not}{fr_obj}."
        case "negative":
            never = subj.clause(present, negative=True)
            return f"{subj.en} {do} not {verb['en']}{en_obj}.", f"{never}{fr_obj}."
        case "question":
            return f"{do} {subj.en} {verb['en']}{en_obj}?", (
                f"{_est_ce_que(subj.clause(present))}{fr_obj} ?"
            )
        case "often":
            adverb = f"{subj.clause(present)} souvent{fr_obj}."
            return f"{subj.en} often {simple}{en_obj}.", adverb
        case "day":
            day = g.word("days")
            return f"on {day['en']}s {subj.en} {simple}{en_obj}.", (
                f"le {day['fr']}, {subj.clause(present)}{fr_obj}."
            )
    if mode in _MODALS:
        english, forms = _MODALS[mode]
        helper = f"{subj.be} going to" if mode == "future" else english
        if single and mode == "want":
            helper = "wants to"
        return f"{subj.en} {helper} {verb['en']}{en_obj}.", (f"{subj.clause(forms)} {inf}{fr_obj}.")
    return f"{subj.en} {simple}{en_obj}.", f"{subj.clause(present)}{fr_obj}."


_MODALS: Final = {
    "future": ("", _ALLER),
    "can": ("can", _POUVOIR),
    "must": ("must", _DEVOIR),
    "want": ("want to", _VOULOIR),
}
_MODES = (
    *("present", "progressive", "past", "past_negative", "negative", "question", "often", "day"),
    *("future", "can", "must", "want", "imperative", "dont"),
)


def _est_ce_que(clause: str) -> str:
    return f"est-ce qu'{clause}" if _elides(clause) else f"est-ce que {clause}"


def _agree(adj: Entry, np: Np) -> str:
    form: str = adj[("f" if np.female else "m") + ("p" if np.plural else "")]
    return form


def _be_adjective(g: Grammar, mode: str) -> Pair:
    people = g.rng.random() < 0.5
    if people:
        np, adj = g.subject("person family"), g.adjective("person")
        np = np if np.fr else Np(np.en, np.en, False, 2)
        if np.en == np.fr:  # a name does not tell masculine from feminine
            adj = next(a for a in _lexicon()["adjectives"] if a["en"] == "calm")
            g.key.append("calm")
    else:
        kind = g.rng.choice(("thing", "clothes", "food", "thing"))
        np = g.phrase(kind, g.rng.choice(("def", "def", "poss", "this", "defs")), 0.1)
        adj = g.adjective("food both" if kind == "food" else "thing both")
    form = _agree(adj, np)
    if mode == "not":
        return f"{np.en} {np.be} not {adj['en']}.", f"{np.clause(_ETRE, True)} {form}."
    if mode == "question":
        return f"{np.be} {np.en} {adj['en']}?", f"{_est_ce_que(np.clause(_ETRE))} {form} ?"
    extra, plus = {"very": ("very ", "très "), "too": ("too ", "trop ")}.get(mode, ("", ""))
    return f"{np.en} {np.be} {extra}{adj['en']}.", f"{np.clause(_ETRE)} {plus}{form}."


def _go(g: Grammar, mode: str) -> Pair:
    subj, place = g.actor(), g.phrase("place", "def", 0)
    to, go = to_place(place.fr), "goes" if subj.person == 2 else "go"
    if mode == "with":
        kin = g.phrase("family", "poss", 0)
        return f"{subj.en} {subj.be} going to {place.en} with {kin.en}.", (
            f"{subj.clause(_ALLER)} {to} avec {kin.fr}."
        )
    if mode == "not":
        do = "does" if subj.person == 2 else "do"
        return f"{subj.en} {do} not go to {place.en}.", f"{subj.clause(_ALLER, True)} {to}."
    if mode == "at":
        return f"{subj.en} {subj.be} at {place.en}.", f"{subj.clause(_ETRE)} {to}."
    if mode == "day":
        day = g.word("days")
        return f"{subj.en} {go} to {place.en} on {day['en']}s.", (
            f"{subj.clause(_ALLER)} {to} le {day['fr']}."
        )
    return f"{subj.en} {subj.be} going to {place.en}.", f"{subj.clause(_ALLER)} {to}."


def _where(g: Grammar) -> Pair:
    kind = g.rng.choice(["place", "place", "thing", "clothes", "family"])
    np = g.phrase(kind, "poss" if kind == "family" else g.rng.choice(("def", "defs", "poss")))
    return f"where {np.be} {np.en}?", f"où {_ETRE[np.person]} {np.fr} ?"


def _there(g: Grammar) -> Pair:
    np = g.phrase("thing food animal", g.rng.choice(("indef", "indefs", "number")))
    place = g.phrase("place", "def", 0)
    near = f"there {np.be} {np.en} in front of {place.en}."
    return near, f"il y a {np.fr} devant {place.fr}."


def _on(g: Grammar) -> Pair:
    np, base = g.phrase("thing clothes food", "def"), g.phrase("thing", "def", 0)
    en, fr = g.rng.choice((("on", "sur"), ("under", "sous"), ("behind", "derrière")))
    g.key.append(en)
    return f"{np.en} is {en} {base.en}.", f"{np.fr} est {fr} {base.fr}."


def _this_is(g: Grammar) -> Pair:
    np = g.phrase("thing animal clothes food place", g.rng.choice(("indef", "indefs", "poss")))
    if np.plural:
        return f"these are {np.en}.", f"ce sont {np.fr}."
    if g.rng.random() < 0.3:
        return f"it is not {np.en}.", f"ce n'est pas {np.fr}."
    return f"this is {np.en}.", f"c'est {np.fr}."


def _have_no(g: Grammar) -> Pair:
    subj, np = g.actor(), g.phrase("thing animal clothes food", "of", 0)
    have = "has" if subj.person == 2 else "have"
    of = "d'" if _elides(np.fr) and np.fr not in ("hamster", "haricot", "hibou") else "de "
    return f"{subj.en} {have} no {np.en}.", f"{subj.clause(_AVOIR, True)} {of}{np.fr}."


def _age(g: Grammar) -> Pair:
    subj, (en, fr) = g.actor(), g.number()
    g.key.append(en)
    return f"{subj.en} {subj.be} {en} years old.", f"{subj.clause(_AVOIR)} {fr} ans."


def _state(g: Grammar) -> Pair:
    subj, state = g.actor(), g.word("states")
    if g.rng.random() < 0.4 and state["en"] != "lucky":
        return f"{subj.en} {subj.be} not {state['en']}.", (
            f"{subj.clause(_AVOIR, True)} {state['fr']}."
        )
    return f"{subj.en} {subj.be} {state['en']}.", f"{subj.clause(_AVOIR)} {state['fr']}."


def _name(g: Grammar) -> Pair:
    name = g.name()
    en, fr = g.rng.choice((("my name is", "je m'appelle"), ("his name is", "il s'appelle")))
    g.key.append(name)
    return f"{en} {name}.", f"{fr} {name}."


def _live(g: Grammar) -> Pair:
    subj, city = g.actor(), g.name("city")
    g.key.append(city)
    if g.rng.random() < 0.4:
        come = "comes" if subj.person == 2 else "come"
        of = "d'" if _elides(city) and city[0] != "H" else "de "
        return f"{subj.en} {come} from {city}.", f"{subj.clause(_VENIR)} {of}{city}."
    live = "lives" if subj.person == 2 else "live"
    return f"{subj.en} {live} in {city}.", f"{subj.clause(_HABITER)} à {city}."


def _job(g: Grammar) -> Pair | None:
    np = g.phrase("person", "indef", 0)
    if not _groups()["roles"].isdisjoint(g.key):
        return None
    en, fr = ("she", "elle") if np.female else g.rng.choice((("he", "il"), ("I", "je")))
    subj = Np(en, fr, np.female, 0 if en == "I" else 2)
    if g.rng.random() < 0.5:
        wants = "want" if en == "I" else "wants"
        return (
            f"{en} {wants} to be {np.en}.",
            f"{subj.clause(_VOULOIR)} être {np.fr.split(' ', 1)[1]}.",
        )
    return f"{en} {subj.be} {np.en}.", f"{subj.clause(_ETRE)} {np.fr.split(' ', 1)[1]}."


def _colour(g: Grammar) -> Pair:
    np = g.phrase("thing clothes", g.rng.choice(("def", "poss", "defs")), 0)
    return f"what colour {np.be} {np.en}?", f"de quelle couleur {_ETRE[np.person]} {np.fr} ?"


def _how_many(g: Grammar) -> Pair:
    noun, _ = g.noun("thing animal clothes food")
    of = "d'" if noun["elides"] else "de "
    return f"how many {noun['ens']} do you have?", f"combien {of}{noun['frs']} as-tu ?"


def _time(g: Grammar) -> Pair:
    en, fr = g.number(9)
    half, demie = g.rng.choice((("", ""), ("half past ", " et demie")))
    g.key += [en, half]
    hour = f"{fr} heures{demie}"
    if g.rng.random() < 0.3:
        clock = f"it is {half}{en}." if half else f"it is {en} o'clock."
        return clock, f"il est {hour}."
    place = g.phrase("place", "def", 0)
    at = f"{half}{en}" if half else f"{en} o'clock"
    return f"{place.en} opens at {at}.", f"{place.fr} ouvre à {hour}."


def _today(g: Grammar) -> Pair:
    day, weather = g.word("days"), g.word("weather")
    city = g.name("city")
    kind = g.rng.randrange(3)
    if kind == 0:
        return f"{weather['en']} in {city}.", f"{weather['fr']} à {city}."
    if kind == 1:
        return f"today is {day['en']} and {weather['en']}.", (
            f"aujourd'hui, c'est {day['fr']} et {weather['fr']}."
        )
    return f"{weather['en']} in {city} today.", f"aujourd'hui, {weather['fr']} à {city}."


def _compare(g: Grammar) -> Pair:
    kinds = g.rng.choice(("thing", "animal", "person"))
    a, b = g.phrase(kinds, "def", 0), g.phrase(kinds, "def", 0)
    adj = g.adjective("both" if kinds == "animal" else f"{kinds} both")
    form = _agree(adj, a)
    return f"{a.en} is as {adj['en']} as {b.en}.", f"{a.fr} est aussi {form} que {b.fr}."


def _owner(g: Grammar) -> Pair:
    owner, np = g.phrase("person", "def", 0), g.phrase("thing animal clothes", "def", 0)
    adj = g.adjective("both")
    head = f"{np.fr} {of_the(owner.fr)} est {_agree(adj, np)}."
    return f"{owner.en}'s {np.en[4:]} is {adj['en']}.", head


def _need(g: Grammar) -> Pair:
    subj, np = g.actor(), g.phrase("thing clothes food", "indef")
    need = "needs" if subj.person == 2 else "need"
    return f"{subj.en} {need} {np.en}.", f"{subj.clause(_BESOIN)} d'{np.fr}."


def _would_like(g: Grammar) -> Pair:
    np = g.phrase("food thing clothes", "indef")
    return f"I would like {np.en}, please.", f"je voudrais {np.fr}, s'il vous plaît."


def _price(g: Grammar) -> Pair:
    np = g.phrase("food thing clothes", g.rng.choice(("def", "defs", "this")))
    cost = "coûtent" if np.plural else "coûte"
    return f"how much {np.be} {np.en}?", f"combien {cost} {np.fr} ?"


def _afraid(g: Grammar) -> Pair:
    subj, np = g.actor(), g.phrase("animal", "defs", 0)
    return f"{subj.en} {subj.be} afraid of {np.en[4:]}.", f"{subj.clause(_PEUR)} {of_the(np.fr)}."


def _what_a(g: Grammar) -> Pair:
    np = g.phrase("thing animal clothes food", "indef", 1)
    return f"what {np.en}!", f"{'quelle' if np.female else 'quel'} {np.fr.split(' ', 1)[1]} !"


def _which(g: Grammar) -> Pair:
    np = g.phrase("thing clothes food", "of", 0)
    which = "quelle" if np.female else "quel"
    return f"which {np.en} do you prefer?", f"{which} {np.fr} préfères-tu ?"


def _sum(g: Grammar) -> Pair:
    a, b = g.phrase("food thing", "number"), g.phrase("food thing", "number")
    return f"{a.en} and {b.en}.", f"{a.fr} et {b.fr}."


def _phrase(g: Grammar) -> Pair:
    entry = g.word("phrases")
    return entry["en"], entry["fr"]


_Make = Callable[[Grammar], Pair | None]


def _bound(make: Callable[[Grammar, str], Pair], mode: str) -> _Make:
    return lambda g: make(g, mode)


def _verb(mode: str, transitive: bool) -> _Make:
    return lambda g: _act(g, mode, transitive)


PATTERNS: Final[dict[str, _Make]] = (
    {f"object_{mode}": _verb(mode, True) for mode in _MODES}
    | {f"verb_{mode}": _verb(mode, False) for mode in _MODES if mode not in ("imperative", "dont")}
    | {f"be_{m}": _bound(_be_adjective, m) for m in ("plain", "not", "question", "very", "too")}
    | {f"go_{m}": _bound(_go, m) for m in ("plain", "not", "with", "at", "day")}
    | {
        make.__name__: make
        for make in (
            *(_where, _there, _on, _this_is, _have_no, _age, _state, _name, _live, _job, _colour),
            *(_how_many, _time, _today, _compare, _owner, _need, _would_like, _price, _afraid),
            *(_what_a, _which, _sum, _phrase),
        )
    }
)
"""Sentence patterns by name."""


def _weight(pattern: str) -> float:
    """Patterns with few words give few sentences, so they are drawn less often."""
    if pattern.startswith("object_"):
        return 4.0
    few = ("verb_", "_phrase", "_name", "_time", "_state", "_colour", "_which", "_how_many")
    return 0.4 if pattern.startswith(few) else 1.5


def sentence(rng: random.Random, split: Split) -> Pair:
    """Draw an English sentence of a split with its French translation."""
    names, weights = tuple(PATTERNS), tuple(map(_weight, PATTERNS))
    while True:
        pattern = rng.choices(names, weights)[0]
        grammar = Grammar(rng, split)
        made = PATTERNS[pattern](grammar)
        if made is None:
            continue
        english, french = made
        if pattern == "_phrase":
            held = False
        elif pattern == "_name":
            held = split == "heldout"  # the name itself is held out by the corpus
        else:
            code = zlib.crc32("|".join((pattern, *sorted(grammar.key))).encode())
            held = code % HOLD_EVERY == HOLD_EVERY - 1
        if held == (split == "heldout"):
            return english[0].upper() + english[1:], french[0].upper() + french[1:]


@dataclass(slots=True)
class FrenchTask:
    """Translate short English sentences into French."""

    name: str = "french"

    def example(self, rng: random.Random, split: Split) -> Example:
        """Make a conversation of one sentence, or of several under one instruction."""
        corpus = Corpus.load("french")
        many = rng.random() < MULTI_SHARE
        turns = []
        system = None
        if many or rng.random() < SYSTEM_SHARE:
            system = corpus.pattern(rng, "system", split)
        group = "bare" if system is not None else "single"
        form = corpus.pattern(rng, group, split)
        for _ in range(rng.randint(2, 4) if many else 1):
            english, french = sentence(rng, split)
            user = corpus.fill(rng, form, split, {"text": english})
            turns.append(Turn(user, french))
        return Example(self.name, system, tuple(turns))


TASK: Task = FrenchTask()
