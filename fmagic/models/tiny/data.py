"""Batches of the bundled model's training: a pure function of settings and step.

A chunk of batches is made from its own number alone, in another process, so a resumed run
sees the same batches as an unbroken one.
"""

from __future__ import annotations

import os
import random
from collections import deque
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing import get_context
from typing import TYPE_CHECKING

import numpy as np

from fmagic.models.tiny import copying
from fmagic.models.tiny.tasks import load_tasks, paraphrase
from fmagic.models.tiny.tasks.classification import thin
from fmagic.models.tiny.tokenizer import ASSISTANT, END, PAD, SYSTEM, USER, messages

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from fmagic.models.tiny.config import TrainConfig
    from fmagic.models.tiny.tasks.base import Example

AHEAD = 2
"""Chunks made ahead of the training."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Token ids (rows, length) and the flat positions whose hidden state predicts a token."""

    ids: NDArray[np.int64]
    positions: NDArray[np.int64]
    targets: NDArray[np.int64]
    weights: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Step:
    """What one step learns from.

    `pairs` holds ids (2 * pairs, length) of paraphrases, the second halves after the first,
    or None.
    """

    batches: list[Batch]
    pairs: NDArray[np.int64] | None

    @property
    def weight(self) -> float:
        """Sum of the weights of all tokens to predict."""
        return sum(float(batch.weights.sum()) for batch in self.batches)


@dataclass(frozen=True, slots=True)
class _Row:
    ids: list[int]
    answer: list[float]  # weight of each token as a target; 0 in the prompt


class BatchMaker:
    """Makes the batches of one chunk."""

    def __init__(self, config: TrainConfig, folder: Path) -> None:
        from tokenizers import Tokenizer

        self.config = config
        self.tasks = load_tasks()
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        vocabulary = self.tokenizer.get_vocab()
        self._role = {name.strip("<|>"): vocabulary[name] for name in (SYSTEM, USER, ASSISTANT)}
        self._end = vocabulary[END]
        self._pad = vocabulary[PAD]
        self._copying = copying.Copying(self.tokenizer, self._role["user"], self._end)

    def chunk(self, number: int) -> list[Step]:
        """Make the steps `number * chunk_steps` and following."""
        config = self.config
        rng = random.Random(f"{config.seed}-{number}")  # noqa: S311 - reproducible, not secret
        first = number * config.chunk_steps
        shares = dict([named for start, named in config.shares if start <= first][-1])
        spent = {name: rng.random() for name in shares}
        rows: list[_Row] = []
        tokens = 0
        count = config.chunk_steps * config.parts
        while tokens < count * config.part_tokens:
            drawn: list[Example] = []
            for _ in range(64):
                name = min(spent, key=lambda task: spent[task] / shares[task])
                if name == copying.NAME:
                    row = self._copied(rng)
                    rows.append(row)
                    tokens += len(row.ids)
                    spent[name] += len(row.ids)
                    continue
                example = self.tasks[name].example(rng, "train")
                drawn.append(self._copying.disguise(rng, example))
                # About four characters a token: close enough to hold the shares.
                spent[name] += sum(len(m["content"]) for m in messages(example)) / 4 + 8
            for row in self._rows(drawn):
                if len(row.ids) <= config.longest:
                    rows.append(row)
                    tokens += len(row.ids)
        # Sorted by length there is little padding. Equal shares of the tokens make the groups.
        rows.sort(key=lambda row: len(row.ids))
        groups: list[list[_Row]] = [[] for _ in range(count)]
        before = 0
        for row in rows:
            groups[before * count // tokens].append(row)
            before += len(row.ids)
        rng.shuffle(groups)
        steps = []
        for i in range(config.chunk_steps):
            parts = groups[i * config.parts : (i + 1) * config.parts]
            wanted = first + i >= config.pairs_from and (first + i) % config.pairs_every == 0
            pairs = self._pairs(rng) if wanted else None
            steps.append(Step([self._batch(rng, rows) for rows in parts], pairs))
        return steps

    def _rows(self, examples: list[Example]) -> Iterator[_Row]:
        said = [messages(example) for example in examples]
        flat = [m["content"].strip() for conversation in said for m in conversation]
        encoded = iter(self.tokenizer.encode_batch(flat, add_special_tokens=False))
        for example, conversation in zip(examples, said, strict=True):
            ids: list[int] = []
            answer: list[float] = []
            shown = example.given
            factor = self.config.label_weight if example.labels else 1.0
            for message in conversation:
                piece = [*next(encoded).ids, self._end]
                ids += [self._role[message["role"]], *piece]
                learnt = message["role"] == "assistant" and shown <= 0
                shown -= message["role"] == "assistant"
                answer += [
                    0.0,
                    *(self._weights(len(piece), factor) if learnt else [0.0] * len(piece)),
                ]
            yield _Row(ids, answer)

    def _copied(self, rng: random.Random) -> _Row:
        ids: list[int] = []
        answer: list[float] = []
        for asked, said in self._copying.exchanges(rng):
            before = [self._role["user"], *asked, self._end, self._role["assistant"]]
            ids += [*before, *said, self._end]
            answer += [*(0.0 for _ in before), *self._weights(len(said) + 1, 1.0)]
        return _Row(ids, answer)

    def _weights(self, length: int, factor: float) -> list[float]:
        """Return the weights of an answer's tokens; the first one decides what is copied."""
        rest = factor * length**-0.5
        return [rest * self.config.first_weight, *[rest] * (length - 1)] if length > 1 else [rest]

    def _batch(self, rng: random.Random, rows: list[_Row]) -> Batch:
        config = self.config
        length = max(len(row.ids) for row in rows)
        ids = np.full((len(rows), length), self._pad, dtype=np.int64)
        weights = np.zeros((len(rows), length), dtype=np.float32)
        for i, row in enumerate(rows):
            ids[i, : len(row.ids)] = row.ids
            prompt = [
                config.prompt_weight if rng.random() < config.prompt_share else 0.0 for _ in row.ids
            ]
            weights[i, : len(row.ids)] = [a or p for a, p in zip(row.answer, prompt, strict=True)]
        ahead = weights[:, 1:]
        row_index, column = np.nonzero(ahead)
        return Batch(
            ids=ids,
            positions=row_index * length + column,
            targets=ids[row_index, column + 1],
            weights=ahead[row_index, column],
        )

    def _pairs(self, rng: random.Random) -> NDArray[np.int64]:
        drawn = paraphrase.batch(rng, "train", self.config.pairs)
        flat = [first for first, _ in drawn] + [second for _, second in drawn]
        flat = [
            thin(rng, text) if rng.random() < self.config.pairs_thinned else text for text in flat
        ]
        encoded = [e.ids for e in self.tokenizer.encode_batch(flat, add_special_tokens=False)]
        length = -(-max(len(ids) for ids in encoded) // 16) * 16
        padded = np.full((len(encoded), length), self._pad, dtype=np.int64)
        for i, ids in enumerate(encoded):
            padded[i, : len(ids)] = ids
        return padded


@lru_cache(maxsize=1)
def _maker(config: TrainConfig, folder: Path) -> BatchMaker:
    return BatchMaker(config, folder)


def _chunk(config: TrainConfig, folder: Path, number: int) -> list[Step]:
    return _maker(config, folder).chunk(number)


def stream(config: TrainConfig, folder: Path, start: int, steps: int) -> Iterator[Step]:
    """Yield the steps from `start` to `steps - 1`, made in another process."""
    if start >= steps:
        return
    per_chunk = config.chunk_steps
    numbers = iter(range(start // per_chunk, -(-steps // per_chunk)))
    with ProcessPoolExecutor(
        1, mp_context=get_context("spawn"), initializer=os.nice, initargs=(1,)
    ) as pool:
        coming: deque[Future[list[Step]]] = deque()
        step = start - start % per_chunk
        try:
            while step < steps:
                while len(coming) < AHEAD and (number := next(numbers, None)) is not None:
                    coming.append(pool.submit(_chunk, config, folder, number))
                for made in coming.popleft().result():
                    if start <= step < steps:
                        yield made
                    step += 1
        finally:
            for future in coming:
                future.cancel()
