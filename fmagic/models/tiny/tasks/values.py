"""Made-up values for slots that no list can hold: numbers, dates, amounts, codes, addresses.

A checksum of a value decides its split, as for `base.pseudo_word`.
"""

import random
import re
import zlib
from collections.abc import Callable, Mapping
from datetime import date, timedelta

from fmagic.models.tiny.tasks.base import HOLD_EVERY, Corpus, Split, chance, pseudo_word

_NAMED = re.compile(r"\{([A-Za-z][a-z0-9_]*(?:#\d+)?)\}")
_CODE_LETTERS = "ABCDEFGHJKLMNPRSTUVWXYZ"
_DOMAINS = ("com", "org", "net", "co.uk", "io")


def _number(rng: random.Random) -> str:
    return str(rng.randint(2, 99) if chance(rng, 0.7) else rng.randint(100, 480))


def _thousands(rng: random.Random) -> str:
    value = rng.choice((rng.randint(100, 999), rng.randint(1000, 9999), 10 * rng.randint(10, 990)))
    return f"{value:,}" if chance(rng, 0.4) else str(value)


def amount(rng: random.Random) -> str:
    """Write a sum of money in one of many usual forms, such as "$1,250.00" or "45 euros"."""
    whole = rng.choice((rng.randint(2, 99), rng.randint(100, 999), rng.randint(1000, 9999)))
    if chance(rng, 0.3):
        whole = whole // 10 * 10 or 10
    number = f"{whole:,}" if chance(rng, 0.6) else str(whole)
    if chance(rng, 0.5):
        number += rng.choice((".00", ".50", ".99", f".{rng.randint(1, 99):02d}"))
    sign = rng.choice("$$€££") + number
    before = f"{rng.choice(('EUR', 'USD', 'GBP', 'CHF', 'CAD', 'AUD'))} {number}"
    after = f"{number} {rng.choice(('EUR', 'USD', 'GBP', 'CHF', 'SEK', 'PLN'))}"
    word = f"{number} {rng.choice(('euros', 'dollars', 'pounds', 'francs', 'euros', 'crowns'))}"
    return rng.choices((sign, before, after, word), (11, 3, 2, 4))[0]


def day(rng: random.Random) -> str:
    """Write a date of 2015 to 2032 in one of many usual forms, such as "May 3rd, 2024"."""
    when = date(2015, 1, 1) + timedelta(days=rng.randrange(18 * 365))
    number, year = when.day, when.year
    name = when.strftime(rng.choice(("%B", "%B", "%B", "%b")))
    ending = {1: "st", 2: "nd", 3: "rd", 21: "st", 22: "nd", 23: "rd", 31: "st"}.get(number, "th")
    return rng.choice(
        (
            f"{number} {name} {year}",
            f"{number} {name} {year}",
            f"{name} {number}, {year}",
            f"{name} {number}{ending}, {year}",
            f"{number}{ending} {name} {year}",
            f"{number} {name}",
            f"{name} {number}",
            when.isoformat(),
            f"{when:%d/%m/%Y}",
            f"{when:%d.%m.%Y}",
        )
    )


def _time(rng: random.Random) -> str:
    hour, minute = rng.randint(6, 22), rng.choice((0, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55))
    half = ("am", "pm")[hour // 12]
    twelve = (hour - 1) % 12 + 1
    return rng.choice((f"{hour}:{minute:02d}", f"{twelve}:{minute:02d} {half}", f"{twelve} {half}"))


def _duration(rng: random.Random) -> str:
    units = (("minutes", 90), ("hours", 40), ("days", 30), ("weeks", 12))
    unit, most = rng.choice(units)
    return f"{rng.randint(2, most)} {unit}"


def _code(rng: random.Random) -> str:
    letters = "".join(rng.choices(_CODE_LETTERS, k=rng.randint(1, 3)))
    digits = str(rng.randint(10, 99999))
    return rng.choice((str(rng.randint(1000, 99999)), f"{letters}-{digits}", letters + digits))


def _phone(rng: random.Random) -> str:
    first, last = rng.randint(100, 999), rng.randint(1000, 9999)
    forms = (f"{first} {last}", f"{first}-{last}", f"0{rng.randint(10, 99)} {first} {last}")
    return rng.choice((*forms, f"+{rng.randint(1, 99)} {first} {last}"))


def _email(rng: random.Random, split: Split) -> str:
    user, host = (pseudo_word(rng, split).lower() for _ in range(2))
    if chance(rng, 0.4):
        user += f".{pseudo_word(rng, split).lower()}"
    return f"{user}@{host}.{rng.choice(_DOMAINS)}"


_MAKERS: Mapping[str, Callable[[random.Random], str]] = {
    "n": _number,
    "small": lambda rng: str(rng.randint(2, 99)),
    "big": _thousands,
    "price": amount,
    "amount": amount,
    "date": day,
    "time": _time,
    "duration": _duration,
    "year": lambda rng: str(rng.randint(1700, 2029)),
    "code": _code,
    "invoice": _code,
    "phone": _phone,
    "flightno": lambda rng: "".join(rng.choices(_CODE_LETTERS, k=2)) + str(rng.randint(10, 9999)),
    "score": lambda rng: f"{rng.randint(1, 49)}-{rng.randint(0, 30)}",
}
_SHORT = frozenset({"n", "small", "time", "duration", "score"})
"""Kinds with so few values that the split must not take any of them away from training."""


def made(rng: random.Random, kind: str, split: Split) -> str:
    """Make one value of a kind, for example "phone".

    Raises:
        KeyError: there is no such kind.
    """
    if kind == "email":
        return _email(rng, split)
    while True:
        value = _MAKERS[kind](rng)
        held = zlib.crc32(value.encode()) % HOLD_EVERY == HOLD_EVERY - 1
        if kind in _SHORT or held == (split == "heldout"):
            return value


def bind(
    corpus: Corpus,
    rng: random.Random,
    pattern: str,
    split: Split,
    given: Mapping[str, str] | None = None,
) -> tuple[str, dict[str, str]]:
    """Fill a pattern as `Corpus.bind` does, with made values for the slots of this module."""
    bound = dict(given or {})
    for key in dict.fromkeys(_NAMED.findall(pattern)):
        kind = key.partition("#")[0]
        if key not in bound and (kind in _MAKERS or kind == "email"):
            bound[key] = made(rng, kind, split)
    return corpus.bind(rng, pattern, split, bound)
