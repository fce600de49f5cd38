"""Adding and subtracting two numbers from 0 to 99."""

import random
import zlib

from fmagic.models.tiny.tasks.base import (
    HOLD_EVERY,
    Example,
    Split,
    Turn,
    chance,
    part,
    pseudo_word,
)

_BARE_BELOW, _ASKED_BELOW = 0.35, 0.75
"""Bounds of the shares of bare sums and of questions; the rest are stories."""

_BARE = ("{a} + {b}", "{a}+{b}", "{a} + {b} =", "{a}+{b}=?", "{a} plus {b}", "{a} + {b} = ?")
_ASKED = {
    "+": (
        "What is {a} + {b}?",
        "What is {a} plus {b}?",
        "Add {a} and {b}.",
        "Compute {a} + {b}.",
        "How much is {a} plus {b}?",
        "Give the sum of {a} and {b}.",
        "Calculate {a}+{b}.",
        "{a} and {b} make how much?",
        "Tell me {a} + {b}.",
        "Add {b} to {a}.",
        "Work out {a} plus {b}.",
        "Please add {a} + {b}",
        "What do you get if you add {a} and {b}?",
        "Sum: {a}, {b}",
        "If I add {a} to {b}, what is the result?",
        "What does {a} plus {b} equal?",
    ),
    "-": (
        "What is {a} - {b}?",
        "What is {a} minus {b}?",
        "Subtract {b} from {a}.",
        "Compute {a} - {b}.",
        "How much is {a} minus {b}?",
        "Give the difference of {a} and {b}.",
        "Calculate {a}-{b}.",
        "Take {b} away from {a}.",
        "Tell me {a} - {b}.",
        "What is left of {a} after taking {b}?",
        "Work out {a} minus {b}.",
        "Please subtract {a} - {b}",
        "What do you get if you take {b} from {a}?",
        "Difference: {a}, {b}",
        "If I take {b} from {a}, what is the result?",
        "What does {a} minus {b} equal?",
    ),
}
_STORIES = {
    "+": (
        "{name} has {a} {thing} and gets {b} more. How many {thing} does {name} have now?",
        "There are {a} {thing} on the table and {b} in the box. How many are there in all?",
        "{name} bought {a} {thing} on Monday and {b} on Friday. How many is that in total?",
        "A shop had {a} {thing}. {b} more arrived. How many {thing} are there now?",
        "{name} counted {a} {thing}, then {b} more. What is the total?",
        "One shelf holds {a} {thing}, another {b}. How many {thing} are on both?",
        "{a} {thing} were here. {name} brought {b}. How many now?",
        "{name} found {a} {thing} and later {b} others. How many in all?",
    ),
    "-": (
        "{name} has {a} {thing} and gives away {b}. How many {thing} are left?",
        "There were {a} {thing} in the box. {b} were sold. How many remain?",
        "{name} had {a} {thing} and lost {b}. How many {thing} does {name} have now?",
        "A shop had {a} {thing} and sold {b}. How many are left?",
        "Of {a} {thing}, {b} broke. How many are whole?",
        "{name} needs {a} {thing} and has {b}. How many are missing?",
        "{a} {thing} were here. {name} took {b}. How many now?",
        "{name} baked {a} {thing} and ate {b}. How many remain?",
    ),
}
_THINGS = (
    "apples",
    "books",
    "coins",
    "pens",
    "cups",
    "stamps",
    "tickets",
    "stones",
    "boxes",
    "chairs",
    "eggs",
    "lamps",
    "cards",
    "shells",
    "bottles",
    "plates",
)
_SYSTEMS = (
    "You are a calculator.",
    "Answer with a number only.",
    "You do sums.",
    "Calculate.",
    "Give only the result.",
    "You are good at arithmetic. Reply with the number.",
    "Solve the sum.",
    "You add and subtract numbers.",
)


class Arithmetic:
    """Sums in symbols, in words and in short stories; number pairs are held out too."""

    name = "arithmetic"

    def example(self, rng: random.Random, split: Split) -> Example:
        """Make one to six sums."""
        system = rng.choice(part(_SYSTEMS, split)) if chance(rng, 0.4) else None
        count = rng.choice((1, 1, 2, 4, 6))
        return Example(self.name, system, tuple(self._turn(rng, split) for _ in range(count)))

    def _turn(self, rng: random.Random, split: Split) -> Turn:
        sign = rng.choice("+-")
        a, b = self._numbers(rng, split, sign)
        kind = rng.random()
        if kind < _BARE_BELOW:
            pattern = rng.choice(_BARE)
            if sign == "-":
                pattern = pattern.replace("+", "-").replace("plus", "minus")
        elif kind < _ASKED_BELOW:
            pattern = rng.choice(part(_ASKED[sign], split))
        else:
            pattern = rng.choice(part(_STORIES[sign], split))
        asked = pattern.format(
            a=a, b=b, name=pseudo_word(rng, split), thing=rng.choice(part(_THINGS, split))
        )
        return Turn(asked, str(a + b if sign == "+" else a - b))

    def _numbers(self, rng: random.Random, split: Split, sign: str) -> tuple[int, int]:
        while True:
            top = 99 if chance(rng, 0.8) else 20
            a, b = rng.randint(0, top), rng.randint(0, top)
            if sign == "-" and a < b and chance(rng, 0.8):
                a, b = b, a
            held = zlib.crc32(f"{a}{sign}{b}".encode()) % HOLD_EVERY == HOLD_EVERY - 1
            if held == (split == "heldout"):
                return a, b


TASK = Arithmetic()
