"""What a licence allows, by class.

The table is `licenses.toml`. A tag comes from a card that anyone can write, so what is not in the
table is cut short, cleaned, and classed as unknown or, where its name says so, as restricted.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

LicenseKind = Literal["open", "restricted", "commercial", "unknown"]
KINDS: tuple[LicenseKind, ...] = ("open", "restricted", "commercial", "unknown")
# The more they ask of a user, the later.
STRICTNESS: tuple[LicenseKind, ...] = ("open", "restricted", "unknown", "commercial")

LONGEST_NAME = 80
LONGEST_LINK = 300
# Tags of cards that name no licence.
EMPTY = frozenset({"", "other", "unknown", "none", "null", "n/a"})
_LINK = re.compile(r"https?://[^\s<>\"'`@\\]+", re.ASCII)
# What a licence that is not in the table forbids, if its name says so.
_BY_NAME = (
    (re.compile(r"non-?commercial|(?:^|-)nc(?:-|$)"), "no commercial use"),
    (re.compile(r"non-?production"), "no production use"),
    (re.compile(r"research"), "research only"),
    (re.compile(r"openrail|(?:^|-)rail(?:-|$)"), "forbidden uses are listed; pass them on"),
    (re.compile(r"llama-?\d"), "above 700 million monthly users ask Meta"),
    (re.compile(r"(?:^|-)nd(?:-|$)|no-?derivatives"), "no changed copies may be shared"),
)


@dataclass(frozen=True, slots=True)
class License:
    """A licence, as far as it matters to who uses a model.

    Attributes:
        id: as the hub tags it, or the name that a card gives; `unknown` without one.
        name: in full.
        kind: its class.
        conditions: what to know in one line; empty where it is enough to keep the notice.
        url: of the text, empty if that is not known.
    """

    id: str
    name: str
    kind: LicenseKind
    conditions: str
    url: str

    @property
    def said(self) -> str:
        """Identifier, class and, where it restricts, conditions, in one line."""
        first = self.id if self.kind == "unknown" else f"{self.id} ({self.kind})"
        return f"{first}: {self.conditions}" if self.conditions else first

    def info(self) -> dict[str, str]:
        """Return what a run's record says about the licence."""
        return {"id": self.id, "class": self.kind, "conditions": self.conditions, "url": self.url}


UNKNOWN = License(
    "unknown", "Unknown", "unknown", "no licence is stated; ask the author before you use it", ""
)


@lru_cache(maxsize=1)
def _tables() -> dict[str, Any]:
    text = files("fmagic.models").joinpath("licenses.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def hub_tags() -> frozenset[str]:
    """Return the identifiers that the hub knows as tags."""
    tables = _tables()
    tags = {tag for kind in KINDS for tag in tables.get(kind, {})}
    return frozenset(tags - set(tables["by_name"]) | {UNKNOWN.id})


@lru_cache(maxsize=1)
def known_licenses() -> Mapping[str, License]:
    """Return the licences of the table, by identifier; other spellings are keys as well."""
    tables = _tables()
    found = {
        tag: License(tag, name, kind, conditions, url)
        for kind in KINDS
        for tag, (name, conditions, url) in tables.get(kind, {}).items()
    }
    return found | {other: found[tag] for other, tag in tables["aliases"].items()}


def classify(tag: str | None, *, link: str | None = None, name: str | None = None) -> License:
    """Return the licence that a model's card states.

    Args:
        tag: `license` of the card, in any case.
        link: `license_link`, kept if it is an address of the web.
        name: `license_name`, which the hub wants where the tag is `other`.

    The licence is looked up by its tag, then by its name, then by its link. One that is in none of
    these places is of the class `unknown`, or `restricted` if its own name says what it forbids.
    """
    table = known_licenses()
    address = _address(link)
    written = [word for word in (_tag(tag), _tag(name)) if word not in EMPTY]
    for word in written:
        if word in table:
            return table[word]
    if address:
        same = _bare(address)
        for known in table.values():
            if known.url and _bare(known.url) == same:
                return known
    if not written:
        if not address:
            return UNKNOWN
        return License("other", "Other", "unknown", _advice(address), address)
    word = written[-1]
    shown = _clean(name if _tag(name) == word else tag)
    for pattern, conditions in _BY_NAME:
        if pattern.search(word):
            said = f"{conditions}, by its name; read it first"
            return License(word, shown, "restricted", said, address)
    return License(word, shown, "unknown", _advice(address), address)


def strictest(licenses: Iterable[License]) -> License:
    """Return the one that asks most of a user; `UNKNOWN` if there are none."""
    found = list(licenses)
    return max(found, key=lambda each: STRICTNESS.index(each.kind)) if found else UNKNOWN


def _advice(address: str) -> str:
    return f"not in fmagic's table; read it before you use it{'' if address else ', on its card'}"


def _clean(text: str | None) -> str:
    """Return printable text on one line, cut to a name's length."""
    kept = "".join(letter if letter.isprintable() else " " for letter in (text or "")[:1000])
    return " ".join(kept.split())[:LONGEST_NAME]


def _tag(text: str | None) -> str:
    return re.sub(r"[\s_]+", "-", _clean(text).lower())


def _address(link: str | None) -> str:
    found = _LINK.fullmatch((link or "").strip())
    return found[0] if found and len(found[0]) <= LONGEST_LINK else ""


def _bare(address: str) -> str:
    return re.sub(r"^https?://(?:www\.)?|/+$", "", address.lower())
