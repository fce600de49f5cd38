"""Starting weights in which copying and looking up are already wired.

A model this small needs many millions of tokens before it finds out how to copy a name from
its prompt, and on short lists of words it learns tricks of position in place of it. The circuit
that copies is known (induction heads: Elhage et al., 2021; Olsson et al., 2022). Four kinds of
heads are set by hand at the start; training then changes every weight as it likes:

1. In the first layer one head writes the previous token beside the current one, and another a
   blend of the last few.
2. A later head looks for the place where the current token was the previous one, and puts
   forward the token found there: it goes on with a quotation.
3. Another looks for places where the current token was among the last few, and notes what it
   finds: the words after an earlier mention. For a rare word that is one clear note, for a
   common one a blur.
4. A head of the next layer puts forward the notes of the last few tokens, so that an answer
   begins with what stood near the words of the question.

The residual stream is shared out so that nothing meets by accident: embeddings fill the first
coordinates, and each of the three kinds of note has some of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor
    from transformers import LlamaForCausalLM

MATCH_SHARE = 3 / 8
"""Rotary pairs after this share are slow enough to compare contents over a hundred tokens."""
NOTES = 3
"""Kinds of notes: the previous token, the last few, and what was found after a mention."""
KEY_STRENGTH = 32.0**0.5
"""Length of a key's bias in each rotary pair that tells positions."""
QUOTE_LAYERS = (1, 3)
FIND_LAYER, PUT_LAYER = 1, 2


@dataclass(frozen=True, slots=True)
class _Window:
    """Which tokens back a head looks at: `pairs` of the rotary embedding, peak, sharpness."""

    pairs: tuple[int, int]
    back: float
    strength: float


PREVIOUS = _Window((0, 8), 1.0, 32.0**0.5)
LAST_FEW = _Window((3, 8), 2.5, 4.2)
QUESTION = _Window((5, 11), 3.5, 3.5)
WRITE_PREVIOUS, WRITE_FEW, WRITE_FOUND = 1.0, 3.0, 3.0
"""Gains of the notes, in units of the spread of the embeddings."""
QUOTE, PUT_FORWARD = 6.0, 24.0
"""Gains of what is put forward, in the same units; large, for it has to drown the current token."""
MATCH_PREVIOUS, MATCH_FEW = 2.2, 5.0


class _Wiring:
    def __init__(self, model: LlamaForCausalLM, unit: float) -> None:
        import torch

        config = model.config
        self.layers = model.model.layers
        self.embedding = model.model.embed_tokens.weight
        self.unit = unit
        self.size = config.head_dim
        self.width = config.hidden_size
        self.per_group = config.num_attention_heads // config.num_key_value_heads
        self.base = config.rope_parameters["rope_theta"]
        pairs = self.size // 2
        slow = round(MATCH_SHARE * pairs)
        self.match = torch.tensor([*range(slow, pairs), *range(slow + pairs, self.size)])
        self.rows = len(self.match)
        self.content = self.width - NOTES * self.rows

    def part(self, index: int) -> slice:
        """Return the rows of a head, or of a key-value group."""
        return slice(index * self.size, (index + 1) * self.size)

    def look_back(self, layer: int, group: int, heads: Sequence[tuple[int, _Window]]) -> None:
        """Set biases so that heads of a group score highest some tokens back.

        Rotary embedding turns pair `i` by `frequency * position`; a query that starts turned by
        some steps less than the key meets it after so many steps.
        """
        import torch

        attention = self.layers[layer].self_attn
        pairs = self.size // 2
        keys = attention.k_proj.bias[self.part(group)]
        attention.k_proj.weight[self.part(group)] = 0
        keys.zero_()
        for head, window in heads:
            chosen = torch.arange(*window.pairs)
            keys[chosen] = KEY_STRENGTH
            frequency = self.base ** (-chosen / pairs)
            at = self.part(group * self.per_group + head)
            attention.q_proj.weight[at] = 0
            query = attention.q_proj.bias[at]
            query[chosen] = window.strength * torch.cos(frequency * window.back)
            query[chosen + pairs] = -window.strength * torch.sin(frequency * window.back)

    def compare(self, layer: int, group: int, note: Tensor, read: Tensor, strength: float) -> None:
        """Let the first head of a group look for its current token among the notes of others."""
        attention = self.layers[layer].self_attn
        attention.k_proj.weight[self.part(group)] = self._placed(note, strength)
        attention.q_proj.weight[self.part(group * self.per_group)] = self._placed(read, strength)

    def move(
        self, layer: int, group: int, source: Tensor, target: Tensor, gain: float, *, head: int = 0
    ) -> None:
        """Let a head write what it reads at `source` (rows, width) to `target`."""
        import torch

        attention = self.layers[layer].self_attn
        rows = len(source)
        values = torch.zeros(self.size, self.width)
        values[:rows] = source
        attention.v_proj.weight[self.part(group)] = values
        out = torch.zeros(self.width, self.size)
        out[:, :rows] = gain * self.unit * target.T
        attention.o_proj.weight[:, self.part(group * self.per_group + head)] = out

    def reading(self, rows: int, without: Sequence[int] = ()) -> Tensor:
        """Return orthonormal rows over the embeddings' coordinates that see none of `without`."""
        import torch

        drawn = torch.randn(self.content, rows)
        if without:
            hidden = torch.linalg.qr(self.embedding[list(without), : self.content].T)[0]
            drawn -= hidden @ (hidden.T @ drawn)
        found = torch.zeros(rows, self.width)
        found[:, : self.content] = torch.linalg.qr(drawn)[0].T
        return found

    def note(self, index: int) -> Tensor:
        """Return the rows that read, or write, a note's own coordinates."""
        import torch

        start = self.content + index * self.rows
        found = torch.zeros(self.rows, self.width)
        found[:, start : start + self.rows] = torch.eye(self.rows)
        return found

    def _placed(self, matrix: Tensor, gain: float) -> Tensor:
        import torch

        placed = torch.zeros(self.size, self.width)
        placed[self.match] = gain * matrix
        return placed


def wire_copying(model: LlamaForCausalLM, unit: float, silent: Sequence[int]) -> None:
    """Set the heads described above; needs biases in attention and three key-value groups.

    The random choices come from torch's generator.

    Args:
        model: is changed.
        unit: spread of the embeddings.
        silent: tokens that are never looked up, such as those between turns.
    """
    import torch

    wiring = _Wiring(model, unit)
    with torch.no_grad():
        # What is not wired writes nothing at first, and so does not disturb what is.
        for layer in wiring.layers:
            layer.self_attn.o_proj.weight.zero_()
            layer.mlp.down_proj.weight.zero_()
        wiring.embedding[:, wiring.content :] = 0
        wiring.embedding *= (wiring.width / wiring.content) ** 0.5
        read = wiring.reading(wiring.rows, silent)
        previous, few, found = (wiring.note(i) for i in range(NOTES))
        wiring.look_back(0, 0, ((0, PREVIOUS), (1, LAST_FEW)))
        wiring.move(0, 0, read, previous, WRITE_PREVIOUS)
        wiring.move(0, 0, read, few, WRITE_FEW, head=1)
        for layer in QUOTE_LAYERS:
            seen = wiring.reading(wiring.size)
            wiring.compare(layer, 0, previous, read, MATCH_PREVIOUS)
            wiring.move(layer, 0, seen, seen, QUOTE)
        wiring.compare(FIND_LAYER, 1, few, read, MATCH_FEW)
        wiring.move(FIND_LAYER, 1, read, found, WRITE_FOUND)
        wiring.look_back(PUT_LAYER, 2, ((0, QUESTION),))
        wiring.move(PUT_LAYER, 2, found, read, PUT_FORWARD)
