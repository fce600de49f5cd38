"""Spam or ham: comments under videos, text messages and short e-mails."""

import random
from typing import Final

from fmagic.models.tiny.tasks.base import Corpus, Example, Split, chance
from fmagic.models.tiny.tasks.classification import Form, capital, conversation, roughen

_FORMS: Final = (
    Form("system", {"spam": "spam", "ham": "ham"}, 8.0, "system"),
    Form("single", {"spam": "spam", "ham": "ham"}, 7.0),
    Form("not_spam", {"spam": "spam", "ham": "not spam"}, 1.5),
    Form("title", {"spam": "Spam", "ham": "Ham"}, 0.7),
    Form("yes_spam", {"spam": "yes", "ham": "no"}, 1.5),
    Form("yes_ham", {"spam": "no", "ham": "yes"}, 0.7),
)
_SPAM: Final = {
    "spam_promo": 5,
    "spam_money": 2,
    "spam_scam": 2,
    "spam_beg": 1.5,
    "spam_phrases": 4,
}
_HAM: Final = {"ham_music": 6, "ham_msg": 4, "ham_phrases": 4}
_JOINS: Final = (". ", ". ", " ", " ", "! ", ", ", "... ", "<br />", " &amp; ", "\n", " - ")
_LEFTOVERS: Final = ("\ufeff", "\ufeff", "<br />", "&quot;", " &lt;3", "&#39;")
SHORT: Final = 40
"""Characters up to which a remark counts as short."""


class Spam:
    """Unwanted advertising, begging and fraud against ordinary talk."""

    name = "spam"

    def example(self, rng: random.Random, split: Split) -> Example:
        """Make a conversation about one comment or several."""
        corpus = Corpus.load(self.name)
        return conversation(
            rng,
            split,
            corpus,
            self.name,
            forms=_FORMS,
            draw=lambda kind: _comment(rng, split, corpus, kind),
        )


def _comment(rng: random.Random, split: Split, corpus: Corpus, kind: str) -> str:
    groups = _SPAM if kind == "spam" else _HAM
    group = rng.choices(tuple(groups), tuple(groups.values()))[0]

    def clause(source: str) -> str:
        return corpus.fill(rng, corpus.pattern(rng, source, split), split)

    parts = [clause(group)]
    # A short remark alone would soon repeat itself, so it more often comes with a second one.
    if chance(rng, 0.3 if len(parts[0]) > SHORT else 0.85):
        parts.append(clause(group))
    if kind == "spam" and group in ("spam_promo", "spam_beg") and chance(rng, 0.2):
        parts.insert(0, clause("ham_music"))
    if kind == "spam" and chance(rng, 0.15):
        parts.append(corpus.fill(rng, rng.choice(("{link}", "{pls}", "{niceplea}")), split))
    if chance(rng, 0.25):
        parts.append(corpus.fill(rng, rng.choice(("{emo}", "{emo}", "{hash}")), split))
    text = parts[0]
    for part in dict.fromkeys(parts[1:]):
        text += rng.choice(_JOINS) + part
    if chance(rng, 0.6):
        text = capital(text)
    if text[-1:].isalpha():
        text += rng.choice((".", "!", "", "", "", "!!", "!!!"))
    text = roughen(rng, text)
    if chance(rng, 0.06):
        text += rng.choice(_LEFTOVERS)
    return text


TASK: Final = Spam()
