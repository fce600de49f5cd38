"""Copying exercises on random tokens: the first thing the bundled model learns.

Answers quote their prompt, so everything rests on two skills: to repeat a sequence, and to look
up a value by its key. On words these are learnt word by word, and never for the words that no
answer quotes. Here the words are drawn from the whole vocabulary, so the skill has to be
general, and each token learns to be copied. The answers of other tasks are disguised in the same
way: for some of them words of the whole vocabulary stand in the text, so that what stands around
an answer shows where it is, and not the word itself.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from fmagic.models.tiny.tasks import drills
from fmagic.models.tiny.tasks.base import Example, Turn, chance

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator, Sequence

    from tokenizers import Tokenizer

NAME = "copying"
_REPEAT_BELOW, _BARE_BELOW = 0.3, 0.5
"""Bounds of the shares of repeats and of tables without words around; the rest have some."""
_COUNTS = (2, 2, 3, 3, 4, 5, 6, 8)
_LENGTHS = (1, 1, 1, 2, 3, 6)
_NAMED = re.compile(r"(\{key\}|\{value\})")
DISGUISED = ("extraction", "qa")
"""Tasks whose answers are disguised: their answers are words of the prompt."""
DISGUISE_SHARE, DISGUISE_EACH = 0.65, 0.75
"""Share of their conversations with disguised answers, and of the answers in these."""
_JOINED = 0.4
"""Share of the disguising words that are made of two pieces, since rare words are: who knows only
words that are one piece copies "playroom" as "play play"."""
_NAME = re.compile(r"[^\W\d_](?:[^\W\d_]|[' -]){2,}")
_WORD = re.compile(r"Ġ[a-z]{2,}")
_ENDING = re.compile(r"[a-z]{2,}")


class Copying:
    """Makes conversations of token ids."""

    def __init__(self, tokenizer: Tokenizer, user: int, end: int) -> None:
        self._encode = tokenizer
        self._user, self._end = user, end
        vocabulary = tokenizer.get_vocab()
        self._words = sorted(i for piece, i in vocabulary.items() if not piece.startswith("<|"))
        self._beginnings = sorted(piece[1:] for piece in vocabulary if _WORD.fullmatch(piece))
        self._endings = sorted(piece for piece in vocabulary if _ENDING.fullmatch(piece))

    def exchanges(self, rng: random.Random) -> list[tuple[list[int], list[int]]]:
        """Make the turns of one conversation, each a question and its answer."""
        kind = rng.random()
        if kind < _REPEAT_BELOW:
            said = [self._draw(rng, rng.randint(2, 12)) for _ in range(rng.randint(1, 3))]
            return [(words, words) for words in said]
        lengths = rng.choice(_LENGTHS), rng.choice(_LENGTHS)
        if kind < _BARE_BELOW:
            return self._table(rng, ("{key}", "{value}"), ("{key}",), "", lengths)
        fact, asked = rng.choice(drills.FACT), rng.choice(drills.LOOKUP)
        return self._table(
            rng, _NAMED.split(fact), _NAMED.split(asked), rng.choice(drills.STOPS), lengths
        )

    def disguise(self, rng: random.Random, example: Example) -> Example:
        """Put other words in the place of some answers, wherever they stand in the conversation."""
        if example.task not in DISGUISED or not chance(rng, DISGUISE_SHARE):
            return example
        said = [example.system or "", *(turn.user for turn in example.turns)]
        said += [turn.assistant for turn in example.turns]
        for answer in dict.fromkeys(_answers(example)):
            if _NAME.fullmatch(answer) and chance(rng, DISGUISE_EACH):
                words = " ".join(self._word(rng) for _ in range(rng.choice((1, 1, 2, 2, 3))))
                if answer[0].isupper():
                    words = words.title()
                said = [_exchange(text, answer, words) for text in said]
        users, answers = said[1 : len(example.turns) + 1], said[len(example.turns) + 1 :]
        turns = tuple(map(Turn, users, answers))
        return replace(example, system=example.system and said[0], turns=turns)

    def _word(self, rng: random.Random) -> str:
        word = rng.choice(self._beginnings)
        return word + rng.choice(self._endings) if chance(rng, _JOINED) else word

    def _table(
        self,
        rng: random.Random,
        fact: Sequence[str],
        asked: Sequence[str],
        stop: str,
        lengths: tuple[int, int],
    ) -> list[tuple[list[int], list[int]]]:
        """List some pairs in the wording of `fact`, then look several of them up."""
        count = rng.choice(_COUNTS)
        pairs = [(self._draw(rng, lengths[0]), self._draw(rng, lengths[1])) for _ in range(count)]
        said = [self._ids(piece) for piece in (*fact, stop)]
        question_ids = [self._ids(piece) for piece in asked]
        text = [i for pair in pairs for i in self._say(said, *pair)]
        turns = []
        for _ in range(rng.randint(4, 12)):
            key, value = rng.choice(pairs)
            turns.append((self._say(question_ids, key, value), value))
        question, answer = turns[0]
        return [([*text, self._end, self._user, *question], answer), *turns[1:]]

    @staticmethod
    def _say(pieces: Sequence[str | list[int]], key: list[int], value: list[int]) -> list[int]:
        given = {"{key}": key, "{value}": value}
        return [i for piece in pieces for i in (given[piece] if isinstance(piece, str) else piece)]

    def _ids(self, piece: str) -> str | list[int]:
        """Return the ids of words, and a slot as it is."""
        if _NAMED.fullmatch(piece):
            return piece
        ids: list[int] = self._encode.encode(piece, add_special_tokens=False).ids if piece else []
        return ids

    def _draw(self, rng: random.Random, count: int) -> list[int]:
        return rng.choices(self._words, k=count)


def _answers(example: Example) -> Iterator[str]:
    """Yield the answers of a conversation; of JSON objects, their values."""
    for turn in example.turns:
        if example.task == "extraction":
            yield from json.loads(turn.assistant).values()
        else:
            yield turn.assistant


def _exchange(text: str, old: str, new: str) -> str:
    """Replace words, with a capital where a sentence has turned a small letter into one."""

    def like(found: re.Match[str]) -> str:
        return new[0].upper() + new[1:] if found[0][0].isupper() else new

    return re.sub(rf"\b[{old[0]}{old[0].swapcase()}]{re.escape(old[1:])}\b", like, text)
