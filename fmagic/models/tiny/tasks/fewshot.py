"""Following examples in the prompt: arbitrary labels and arbitrary small mappings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fmagic.models.tiny.tasks import sentiment
from fmagic.models.tiny.tasks.base import Example, Split, Turn, chance, part, pseudo_word
from fmagic.models.tiny.tasks.words import categories, distinct, number, word

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

Pairs = list[tuple[str, str]]

_MADE_UP_BELOW, _ARBITRARY_BELOW = 0.35, 0.8
"""Bounds of the shares of made-up and of arbitrary labels; the rest are the true names."""
_BLOCKS_BELOW, _LINES_BELOW = 0.45, 0.65
"""Bounds of the shares of blocks and of lines in one turn; the rest are chats."""

_FIELDS = (
    ("Input", "Output"),
    ("Q", "A"),
    ("Text", "Label"),
    ("in", "out"),
    ("Word", "Answer"),
    ("From", "To"),
    ("Sentence", "Class"),
    ("Item", "Result"),
    ("input", "output"),
    ("x", "y"),
    ("Question", "Answer"),
    ("Text", "Answer"),
    ("Example", "Tag"),
    ("Source", "Target"),
    ("Given", "Wanted"),
    ("Text", "Output"),
)
_ARROWS = ("{x} -> {y}", "{x} => {y}", "{x} = {y}", "{x}: {y}", "{x} | {y}")
_HEADS = (
    "",
    "",
    "",
    "Follow the examples.\n\n",
    "Continue the pattern.\n\n",
    "Do the same for the last one.\n\n",
    "Here are some examples.\n\n",
    "Complete the last line.\n\n",
    "Examples:\n\n",
    "Look at the examples and answer for the last one.\n\n",
    "Same rule for each.\n\n",
    "Learn the rule from the examples.\n\n",
    "Fill in the missing one.\n\n",
    "Use the examples below.\n\n",
    "Answer as in the examples.\n\n",
    "Work out the rule.\n\n",
)
_SYSTEMS = (
    "Follow the examples.",
    "Answer like before.",
    "Apply the same rule to every message.",
    "Do as the examples show.",
    "Keep to the pattern.",
    "Reply in the same way each time.",
    "Learn from the examples.",
    "Same rule every time.",
)
_LABELS = (
    ("A", "B", "C"),
    ("1", "2", "3"),
    ("yes", "no", "maybe"),
    ("red", "green", "blue"),
    ("X", "Y", "Z"),
    ("left", "right", "middle"),
    ("one", "two", "three"),
    ("foo", "bar", "baz"),
    ("up", "down", "flat"),
    ("true", "false", "unknown"),
    ("keep", "drop", "check"),
    ("hot", "cold", "warm"),
    ("0", "1", "2"),
    ("in", "out", "both"),
    ("high", "low", "medium"),
    ("alpha", "beta", "gamma"),
)
_SENTENCES = (
    "I saw {x} yesterday.",
    "We talked about {x}.",
    "{x} was on the list.",
    "They asked for {x}.",
    "My favourite is {x}.",
    "Have you heard of {x}?",
    "Tell me about {x}.",
    "It was {x} again.",
    "Nobody mentioned {x}.",
    "The picture shows {x}.",
    "She wrote {x} down.",
    "He dreamt of {x}.",
    "There is a story about {x}.",
    "I never liked {x}.",
    "Next comes {x}.",
    "Please write {x} here.",
)
_RELATIONS = (
    ("{x} lives in {y}.", 1),
    ("{x} works with {y}.", 1),
    ("{x} sent a letter to {y}.", 0),
    ("The {x} costs {y}.", 1),
    ("{x} met {y} at noon.", 0),
    ("From {x} to {y}", 1),
    ("{x} bought {y} today.", 1),
    ("{x} is the owner of {y}.", 0),
)


def _labelled(rng: random.Random, split: Split, count: int) -> Pairs:
    """Words or sentences of two or three categories under arbitrary labels."""
    listed = categories(split)
    chosen = rng.sample(tuple(listed), rng.choice((2, 2, 3)))
    names = _names(rng, split, chosen)
    sentence = chance(rng, 0.3)
    pairs = []
    for i in range(count):
        # Every class is shown before the last, asked one.
        at = i if i < len(chosen) else rng.randrange(len(chosen))
        text = rng.choice(listed[chosen[at]])
        pairs.append((_sentence(rng, split, text) if sentence else text, names[at]))
    asked = pairs.pop()
    rng.shuffle(pairs)
    return [*pairs, asked]


def _names(rng: random.Random, split: Split, chosen: list[str]) -> list[str]:
    kind = rng.random()
    if kind < _MADE_UP_BELOW:
        names: list[str] = []
        while len(set(names)) < len(chosen):
            made_up = pseudo_word(rng, split)
            names.append(made_up if chance(rng, 0.5) else made_up.lower())
        return list(dict.fromkeys(names))
    if kind < _ARBITRARY_BELOW:
        return rng.sample(rng.choice(part(_LABELS, split)), len(chosen))
    return chosen


def _sentence(rng: random.Random, split: Split, text: str) -> str:
    return rng.choice(part(_SENTENCES, split)).format(x=text)


def _known(rng: random.Random, split: Split, count: int) -> Pairs:
    """Reviews under arbitrary labels: the meaning counts, the label's name does not."""
    natural = ("positive", "negative")
    renamed = dict(zip(natural, _names(rng, split, list(natural)), strict=True))
    pairs: Pairs = []
    while len(pairs) < count:
        drawn = sentiment.TASK.example(rng, split)
        # With a system text every turn is a bare review.
        if drawn.system is None or drawn.labels != natural:
            continue
        for turn in drawn.turns[: count - len(pairs)]:
            # The first two show one label each.
            if len(pairs) != 1 or renamed[turn.assistant] != pairs[0][1]:
                pairs.append((turn.user, renamed[turn.assistant]))
    asked = pairs.pop()
    rng.shuffle(pairs)
    return [*pairs, asked]


def _mapped(rng: random.Random, split: Split, count: int) -> Pairs:
    """Apply one drawn function to words or short phrases."""
    extra = word(rng, split)
    one_word: tuple[Callable[[str], str], ...] = (
        lambda x: x,
        str.upper,
        lambda x: f"{x} {x}",
        lambda x: f"{x} {extra}",
        lambda x: f"{extra} {x}",
        lambda x: f'"{x}"',
        lambda x: f"[{x}]",
        lambda x: f"({x})",
        lambda x: f"{x}!",
        lambda x: f"Hello, {x}!",
        lambda x: f"<b>{x}</b>",
        lambda x: f"{x}s",
        lambda x: f"{x}?",
        lambda _: extra,
        str.lower,
    )
    phrase: tuple[Callable[[list[str]], str], ...] = (
        lambda w: w[0],
        lambda w: w[-1],
        lambda w: " ".join(reversed(w)),
        ", ".join,
        "-".join,
        lambda w: " ".join(w[1:]),
        lambda w: str(len(w)),
        lambda w: f"{w[-1]} {w[0]}",
        lambda w: w[1],
    )
    if chance(rng, 0.5):
        function = rng.choice(one_word)
        return [(x, function(x)) for x in distinct(rng, split, count)]
    size = rng.choice((2, 2, 3))
    mapping = rng.choice(phrase)
    phrases = [
        [pseudo_word(rng, split) if chance(rng, 0.6) else number(rng) for _ in range(size)]
        for _ in range(count)
    ]
    if chance(rng, 0.5):
        phrases = [[w.lower() for w in phrase] for phrase in phrases]
    return [(" ".join(words), mapping(words)) for words in phrases]


def _related(rng: random.Random, split: Split, count: int) -> Pairs:
    """Take one of the two things that a sentence names."""
    pattern, at = rng.choice(part(_RELATIONS, split))
    pairs = []
    for _ in range(count):
        things = distinct(rng, split, 2)
        pairs.append((pattern.format(x=things[0], y=things[1]), things[at]))
    return pairs


def _lookup(rng: random.Random, split: Split, count: int) -> Pairs:
    """Give the answer that the same input had among the examples."""
    words = distinct(rng, split, 2 * (count - 1))
    pairs = list(zip(words[: count - 1], words[count - 1 :], strict=True))
    return [*pairs, rng.choice(pairs)]


class FewShot:
    """Two to seven examples of an arbitrary mapping, then an input to answer."""

    name = "fewshot"

    def example(self, rng: random.Random, split: Split) -> Example:
        """Make one prompt with examples, as one text or as a chat."""
        maker = rng.choice((_labelled, _labelled, _known, _mapped, _mapped, _related, _lookup))
        pairs = maker(rng, split, rng.randint(4, 8))
        kind = rng.random()
        if kind < _BLOCKS_BELOW:
            return self._blocks(rng, split, pairs)
        if kind < _LINES_BELOW:
            return self._lines(rng, split, pairs)
        # Functions show in two examples; other mappings are only sure at the last turn.
        given = 2 if maker in (_mapped, _related) else len(pairs) - 1
        system = rng.choice(part(_SYSTEMS, split)) if chance(rng, 0.5) else None
        turns = tuple(Turn(x, y) for x, y in pairs)
        return Example(self.name, system, turns, given=given)

    def _blocks(self, rng: random.Random, split: Split, pairs: Pairs) -> Example:
        x_name, y_name = rng.choice(part(_FIELDS, split))
        between = rng.choice(("\n\n", "\n", "\n\n"))
        shown = [f"{x_name}: {x}\n{y_name}: {y}" for x, y in pairs[:-1]]
        asked, answer = pairs[-1]
        shown.append(f"{x_name}: {asked}\n{y_name}:")
        return self._one_turn(rng, split, between.join(shown), answer)

    def _lines(self, rng: random.Random, split: Split, pairs: Pairs) -> Example:
        arrow = rng.choice(_ARROWS)
        shown = [arrow.format(x=x, y=y) for x, y in pairs[:-1]]
        asked, answer = pairs[-1]
        shown.append(arrow.format(x=asked, y="").rstrip())
        return self._one_turn(rng, split, "\n".join(shown), answer)

    def _one_turn(self, rng: random.Random, split: Split, text: str, answer: str) -> Example:
        if chance(rng, 0.2):
            return Example(self.name, rng.choice(part(_SYSTEMS, split)), (Turn(text, answer),))
        return Example(self.name, None, (Turn(rng.choice(part(_HEADS, split)) + text, answer),))


TASK = FewShot()
