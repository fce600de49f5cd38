"""The loss of a batch, with scores computed only where an answer is learned."""

from __future__ import annotations

import inspect
import math
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional

from fmagic.models.abilities import reads_more
from fmagic.models.memory import is_shortage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fmagic.operations.training.examples import Example

TOKEN_TYPES = ("token_type_ids", "mm_token_type_ids")  # 0 is text
IGNORED = -100  # the label of a place where nothing is learned, as in transformers


class Forward:
    """Computes losses with one model.

    The output head is by far the widest layer of a small model, and most tokens of a row are only
    read. So the states that reach the head are cut down to the places where a token is learned;
    whatever the model does after its head (scaling, capping) it does to each place alone. `check`
    compares this with the plain computation and gives it up if they differ.

    Args:
        network: causal model or encoder-decoder, with or without LoRA layers.
        padding: token id of padding, for encoder-decoders.
        decoder_start: token that begins the output of an encoder-decoder, `None` for causal models.
        autocast: number type to multiply in, `None` for that of the weights.
    """

    def __init__(
        self,
        network: Any,
        *,
        padding: int,
        decoder_start: int | None,
        autocast: torch.dtype | None,
    ) -> None:
        self._network = network
        self._padding = padding
        self._decoder_start = decoder_start
        self._autocast = autocast
        self._device = network.get_input_embeddings().weight.device
        self._places: torch.Tensor | None = None
        # Models that read images too want to be told which tokens are text, when they learn.
        accepted = inspect.signature(network.forward).parameters if reads_more(network) else ()
        self._told = [name for name in TOKEN_TYPES if name in accepted]
        head = network.get_output_embeddings()
        self._hook = None if head is None else head.register_forward_pre_hook(self._select)

    def loss(self, rows: Sequence[Example]) -> torch.Tensor:
        """Return the sum of the losses of all learned tokens, in nats, as one float32 number."""
        inputs, labels = self._collate(rows)
        places = _learned(labels)
        scores = self._scores(inputs, places)
        return functional.cross_entropy(scores.float(), labels.flatten()[places], reduction="sum")

    def scores(self, rows: Sequence[Example]) -> torch.Tensor:
        """Return the scores for all learned tokens, shape `(tokens, vocabulary)`."""
        inputs, labels = self._collate(rows)
        return self._scores(inputs, _learned(labels))

    @torch.no_grad()
    def check(self, rows: Sequence[Example]) -> bool:
        """Compare with the plain computation on these rows; use that from now on if they differ."""
        if self._hook is None:
            return False
        inputs, labels = self._collate(rows)
        places = _learned(labels)
        training = self._network.training
        self._network.eval()
        try:
            selected = self._scores(inputs, places)
        except (RuntimeError, ValueError, IndexError) as error:
            if is_shortage(error):
                raise
            selected = None
        hook, self._hook = self._hook, None
        plain = self._scores(inputs, places)
        self._network.train(training)
        # bfloat16 rounds to 3 digits, and the order of summing may differ with the number of rows.
        tolerance = 0.02 * float(plain.float().std())
        same = (
            selected is not None
            and selected.shape == plain.shape
            and math.isfinite(tolerance)
            and torch.allclose(selected.float(), plain.float(), rtol=0.02, atol=tolerance)
        )
        if same:
            self._hook = hook
        else:
            hook.remove()
        return same

    def close(self) -> None:
        """Leave the head as it was: the model that is tuned may share it with others."""
        if self._hook is not None:
            self._hook.remove()
            self._hook = None

    def _select(self, _: Any, arguments: tuple[Any, ...]) -> tuple[Any, ...] | None:
        if self._places is None:
            return None
        states, *others = arguments
        kept = states.reshape(-1, states.shape[-1]).index_select(0, self._places)
        return kept[None], *others

    def _scores(self, inputs: dict[str, torch.Tensor], places: torch.Tensor) -> torch.Tensor:
        """Return the scores at these places of the flattened batch, shape `(places, vocabulary)`."""
        self._places = places if self._hook is not None else None
        try:
            with torch.autocast(
                self._device.type, self._autocast, enabled=self._autocast is not None
            ):
                scores: torch.Tensor = self._network(**inputs, use_cache=False).logits
        finally:
            self._places = None
        scores = scores.flatten(0, -2)
        return scores if self._hook is not None else scores[places]

    def _collate(self, rows: Sequence[Example]) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        """Return the inputs of the model, padded on the right, and the label of each output."""
        if self._decoder_start is not None:
            labels = self._table([row.answer for row in rows], IGNORED)
            begun = [(self._decoder_start, *row.answer[:-1]) for row in rows]
            inputs = {
                "input_ids": self._table([row.prompt for row in rows], self._padding),
                "attention_mask": self._table([(1,) * len(row.prompt) for row in rows], 0),
                "decoder_input_ids": self._table(begun, self._padding),
            }
            return inputs, labels
        # Each output foretells the next token, so the last token is learned and never read.
        labels = self._table(
            [(IGNORED,) * (len(row.prompt) - 1) + row.answer for row in rows], IGNORED
        )
        # What stands behind a token is never seen from it, so padding needs no mask, and attention
        # is much faster without one.
        ids = self._table([(*row.prompt, *row.answer[:-1]) for row in rows], None)
        return {"input_ids": ids, **{name: torch.zeros_like(ids) for name in self._told}}, labels

    def _table(self, rows: Sequence[Sequence[int]], padding: int | None) -> torch.Tensor:
        """Return rows filled up with `padding`, with their own last token if that is `None`."""
        longest = max(map(len, rows))
        return torch.tensor(
            [
                [*row, *[row[-1] if padding is None else padding] * (longest - len(row))]
                for row in rows
            ],
            device=self._device,
        )


def _learned(labels: torch.Tensor) -> torch.Tensor:
    """Return the places of the flattened labels where something is learned."""
    return (labels.flatten() != IGNORED).nonzero().squeeze(1)
