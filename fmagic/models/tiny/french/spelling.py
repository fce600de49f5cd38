"""How short words meet the next word: elision, contraction, a or an."""

_VOWELS = "aeiouâàéèêëîïôöûùœæh"


def elides(text: str) -> bool:
    """Return whether a short word before `text` loses its vowel; every h counts as silent."""
    return text[0].lower() in _VOWELS


def elided(short: str, text: str, *, vowel: bool | None = None) -> str:
    """Put je, ne, que, de, le or la before `text`, as j', n', qu', d' or l' where it elides.

    Args:
        short: the short word.
        text: what follows it.
        vowel: whether it elides; without it the spelling of `text` decides.
    """
    vowel = elides(text) if vowel is None else vowel
    return f"{short[:-1]}'{text}" if vowel else f"{short} {text}"


def definite(fr: str, *, female: bool, vowel: bool) -> str:
    """Put le, la or l' before a noun."""
    return elided("la" if female else "le", fr, vowel=vowel)


def to_the(place: str) -> str:
    """Put à before a definite noun phrase in the singular, contracted."""
    return "au " + place[3:] if place.startswith("le ") else "à " + place


def of_the(fr: str) -> str:
    """Put de before a definite noun phrase, contracted; the same forms are partitives."""
    if fr.startswith("le "):
        return "du " + fr[3:]
    return "des " + fr[4:] if fr.startswith("les ") else "de " + fr


def asked(clause: str) -> str:
    """Turn a clause into a question, up to its question mark."""
    return "est-ce " + elided("que", clause)


def with_a(en: str) -> str:
    """Put a or an before an English noun, with or without its adjective."""
    sounds_you = en.startswith(("uni", "use"))
    return ("an " if en[0] in "aeiou" and not sounds_you else "a ") + en
