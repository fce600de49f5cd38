"""The in-kernel runtime: many prompts through one causal model, token by token.

Rows are read in groups of like length, so that little is padding; what all prompts begin with is
read once; rows write together, and a row that has finished leaves at once and makes room for the
next. One prompt alone takes the same way without a mask, which is what makes it as fast as the
model itself; on CUDA its steps are recorded (see `graphs`). This works for models whose memory is keys and values of attention (see `cache`); the
others go through `generating`.

The scheduling follows Orca (Yu et al., OSDI 2022) in letting rows join and leave between two
tokens.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

import torch

from fmagic.models.abilities import Abilities
from fmagic.models.batch import Batch, Prefix, Row
from fmagic.models.cache import expand, new_cache, tokens_in
from fmagic.models.detokenize import Detokenizer
from fmagic.models.devices import detect
from fmagic.models.fit import GROWTH
from fmagic.models.graphs import Graphs, record
from fmagic.models.measures import READ_ON_CPU, input_device, most_in_a_pass
from fmagic.models.sampling import Completion, Finish, Sampling, pick, stream_of
from fmagic.models.shape import Shape

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from transformers import Cache

    from fmagic.models.graphs import Recorder

MOST_ROWS = 128
REMEMBERED = 4  # times the tokens of a pass
FILLED = 0.8  # of the free memory of a GPU, by the keys and values of a table
SHORTEST_PREFIX = 16  # tokens; a shorter one costs more to copy than to read
GROUPED_FROM = 256  # columns; below, a mask costs more than it saves
LIKE_LENGTH = 0.8  # rows of one reading group are at least this share of the longest


class Decoder:
    """Runs prompts through one causal model.

    Args:
        network: the model, without a wrapper of peft around it.
        tokenizer: of the model.
        end_tokens: tokens that end an answer.
        context_length: most tokens of prompt and answer together.
        batch_tokens: most tokens read at once, padding included; four times as many are
            remembered at once.
        recorder: how the steps of one row are recorded; on CUDA as a graph if `None`.
    """

    def __init__(
        self,
        network: Any,
        tokenizer: Any,
        *,
        end_tokens: frozenset[int],
        context_length: int,
        batch_tokens: int,
        recorder: Recorder | None = None,
    ) -> None:
        self._network = network
        self._config = network.config
        self._tokenizer = tokenizer
        self._end_tokens = end_tokens
        self._context_length = context_length
        self.batch_tokens = batch_tokens
        self._device = input_device(network)
        self._most_in_a_pass = most_in_a_pass(network)
        self._most_remembered = REMEMBERED * batch_tokens
        self._able = Abilities.of(network, self._device)
        self._last: int | torch.Tensor = 1
        if self._able.gathers:
            self._last = torch.tensor([-1], device=self._device)
        self._ones = torch.ones((1, 1, 1, 0), dtype=torch.bool)
        if recorder is None and self._device.type == "cuda":
            recorder = record
        self.graphs: Graphs | None = None
        if recorder and self._able.records:
            self.graphs = Graphs(self.forward, context_length, recorder)

    def _everything(self, columns: int) -> torch.Tensor | None:
        """Return a mask for one token that hides nothing, where that is faster than none."""
        if not self._able.groups_queries or columns < GROUPED_FROM:
            return None
        if columns > self._ones.shape[3]:
            self._ones = torch.ones((1, 1, 1, 2 * columns), dtype=torch.bool)
        return self._ones[..., :columns]

    def run(
        self,
        prompts: Sequence[Sequence[int]],
        sampling: Sampling,
        *,
        places: Sequence[int] | None = None,
    ) -> Iterator[tuple[int, str, Completion | None]]:
        """Answer every prompt.

        Args:
            prompts: token ids of each.
            sampling: how to choose tokens and when to stop.
            places: of the prompts in their table, which seed their random streams; by default
                one after the other.

        Yields:
            `(index, new text, completion)` in the order in which things happen; the completion
            comes with the last text of a row.
        """
        if self.graphs and len(prompts) > 1:
            self.graphs.forget()  # the rows need the room
        numbers = range(len(prompts)) if places is None else places
        self._most_remembered = self.room(len(prompts))
        prefix = self.read_prefix(prompts)
        waiting = deque(
            sorted(range(len(prompts)), key=lambda index: len(prompts[index]), reverse=True)
        )
        parts: list[Batch] = []
        while waiting or parts:
            while waiting and (
                group := self._next_group(waiting, prompts, parts, prefix, sampling)
            ):
                rows = [self.row(i, prompts[i], sampling, numbers[i]) for i in group]
                parts.append(self.read(rows, prefix))
            batch = Batch.of(parts)
            tokens = pick(batch.logits, sampling, [row.stream for row in batch.rows])
            staying = []
            for place, (row, token) in enumerate(zip(batch.rows, tokens.tolist(), strict=True)):
                text, finish = self._take(row, token)
                if finish is None:
                    staying.append(place)
                    if text:
                        yield row.index, text, None
                else:
                    yield row.index, text, row.completion(finish)
            parts = []
            if staying:
                parts = [batch]
                if len(staying) < len(batch.rows):
                    batch.select(staying)
                    tokens = tokens[torch.tensor(staying, device=tokens.device)]
                # With none waiting, no row will join any more.
                self._write(batch, tokens, alone=len(staying) == 1 and not waiting)
            elif batch.steps and self.graphs:
                self.graphs.give_back(batch.steps)

    @property
    def _read_tokens(self) -> int:
        """Most tokens of the prompts that are read together."""
        most = self._pass_tokens
        return min(most, READ_ON_CPU) if self._device.type == "cpu" else most

    @property
    def _pass_tokens(self) -> int:
        """Most tokens of one pass, padding included."""
        return min(self.batch_tokens, self._most_in_a_pass)

    def room(self, rows: int) -> int:
        """Return how many tokens may be remembered at once, all rows together."""
        most = REMEMBERED * self.batch_tokens
        if rows == 1 or self._device.type != "cuda":
            return most
        each = GROWTH * Shape.of(self._config).cache_bytes(self._network.dtype.itemsize, 1)
        free = detect(str(self._device)).free_bytes
        return max(1, min(most, int(FILLED * free / each))) if each else most

    def row(self, index: int, prompt: Sequence[int], sampling: Sampling, number: int) -> Row:
        """Prepare one prompt; `number` seeds its random stream."""
        return Row(
            index,
            prompt,
            min(sampling.max_tokens, self._context_length - len(prompt)),
            stream_of(sampling.seed, number),
            Detokenizer(self._tokenizer, sampling.stop),
        )

    def _take(self, row: Row, token: int) -> tuple[str, Finish | None]:
        row.tokens.append(token)
        if token in self._end_tokens:
            return row.text.close(), "stop"
        text = row.text.push(token)
        full = len(row.tokens) >= row.most
        if full:
            text += row.text.close()
        if row.text.stopped:
            return text, "stop"
        return text, "length" if full else None

    def _next_group(
        self,
        waiting: deque[int],
        prompts: Sequence[Sequence[int]],
        parts: Sequence[Batch],
        prefix: Prefix,
        sampling: Sampling,
    ) -> list[int]:
        """Take the next rows to read together off `waiting`; none if there is too little room."""
        longest = len(prompts[waiting[0]])
        rows = sum(len(part.rows) for part in parts)
        widest = max((part.mask.shape[1] for part in parts), default=0)
        columns = max(longest, widest) + sampling.max_tokens
        room = min(MOST_ROWS, self._most_remembered // columns) - rows
        if parts and room < min(len(waiting), MOST_ROWS // 4):
            return []
        fresh = longest - prefix.length
        most = max(1, min(room, self._read_tokens // fresh))
        group: list[int] = []
        while (
            waiting
            and len(group) < most
            and len(prompts[waiting[0]]) - prefix.length >= LIKE_LENGTH * fresh
        ):
            group.append(waiting.popleft())
        return group

    def read_prefix(self, prompts: Sequence[Sequence[int]]) -> Prefix:
        """Read what all prompts begin with, if that is worth it."""
        if len(prompts) < 2 or not self._able.shares_prefix:  # noqa: PLR2004 - one prompt shares nothing
            return Prefix(0, None)
        low, high = min(map(list, prompts)), max(map(list, prompts))  # the others lie between
        most = min(map(len, prompts)) - 1  # every row reads at least one token of its own
        length = next(
            (place for place in range(most) if low[place] != high[place]),
            most,
        )
        if length < SHORTEST_PREFIX:
            return Prefix(0, None)
        ids = torch.tensor([low[:length]], device=self._device)
        cache = new_cache(self._config)
        self._forward_chunks(ids, None, torch.arange(length, device=self._device)[None], cache)
        return Prefix(length, cache)

    def read(self, rows: list[Row], prefix: Prefix | None = None) -> Batch:
        """Read the prompts of these rows; their next tokens can be chosen then."""
        known = prefix.length if prefix else 0
        fresh = [row.prompt[known:] for row in rows]
        longest = max(map(len, fresh))
        padding = self._tokenizer.pad_token_id or 0
        ids = torch.tensor(
            [[padding] * (longest - len(part)) + list(part) for part in fresh], device=self._device
        )
        mask = torch.ones((len(rows), known + longest), dtype=torch.long, device=self._device)
        for place, part in enumerate(fresh):
            mask[place, known : known + longest - len(part)] = 0
        padded = any(len(part) < longest for part in fresh)
        if prefix and prefix.cache is not None:
            cache = expand(prefix.cache, len(rows))
        else:
            cache = new_cache(self._config)
        positions = (mask.cumsum(dim=1) - 1).clamp(min=0)[:, known:]
        logits = self._forward_chunks(ids, mask if padded else None, positions, cache)
        lengths = torch.tensor([len(row.prompt) for row in rows], device=self._device)
        return Batch(rows, cache, mask, lengths, logits, padded)

    def _write(self, batch: Batch, tokens: torch.Tensor, *, alone: bool) -> None:
        if alone and batch.recordable:
            self._use_recording(batch)
        if batch.steps is not None:
            batch.logits = batch.steps.read(tokens)
        else:
            batch.mask = torch.nn.functional.pad(batch.mask, (0, 1), value=1)
            batch.logits = self.forward(
                tokens[:, None],
                batch.mask if batch.padded else self._everything(batch.mask.shape[1]),
                batch.lengths[:, None],
                batch.cache,
            )
        batch.lengths = batch.lengths + 1

    def _use_recording(self, batch: Batch) -> None:
        """Let recorded steps take over a batch of one row, or hand it back where they cannot."""
        (row,) = batch.rows
        left = row.most - len(row.tokens)
        steps = batch.steps
        if self.graphs is None or batch.padded:
            batch.recordable = False
        elif steps is None:
            batch.steps = self.graphs.begin(batch.cache, left)
            batch.recordable = batch.steps is not None
            if batch.steps is not None:
                batch.cache = new_cache(self._config)  # they have their own keys and values
        else:
            batch.steps = self.graphs.after(steps, left)
            if batch.steps is None:
                batch.recordable = False
                for layer, (keys, values) in zip(batch.cache.layers, steps.states, strict=True):
                    layer.assign(keys, values)
                batch.mask = batch.mask.new_ones((1, steps.length))

    def _forward_chunks(
        self,
        ids: torch.Tensor,
        mask: torch.Tensor | None,
        positions: torch.Tensor,
        cache: Cache,
    ) -> torch.Tensor:
        """Read `ids` in pieces of bounded size, so that memory stays bounded."""
        size = max(1, self._pass_tokens // ids.shape[0])
        for start in range(0, ids.shape[1], size):
            end = min(start + size, ids.shape[1])
            columns = tokens_in(cache) + end - start
            logits = self.forward(
                ids[:, start:end],
                None if mask is None else mask[:, :columns],
                positions[:, start:end],
                cache,
            )
        return logits

    # A decorator and not a `with` in `run`: a generator would leave the mode on between two items.
    @torch.inference_mode()
    def forward(
        self,
        ids: torch.Tensor,
        mask: torch.Tensor | None,
        positions: torch.Tensor,
        cache: Cache,
        *,
        all_logits: bool = False,
    ) -> torch.Tensor:
        """Read `ids` after what `cache` holds.

        Returns:
            Scores of the next token, shape `(rows, vocabulary)`; with `all_logits` those after
            each of the tokens, shape `(rows, tokens, vocabulary)`.
        """
        options: dict[str, Any] = {"position_ids": positions} if self._able.takes_positions else {}
        if self._able.takes_logit_count and not all_logits:
            options["logits_to_keep"] = self._last
        logits: torch.Tensor = self._network(
            input_ids=ids,
            attention_mask=mask,
            past_key_values=cache,
            use_cache=True,
            **options,
        ).logits
        return logits if all_logits else logits[:, -1]
