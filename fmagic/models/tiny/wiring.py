"""Starting weights in which the copying circuit is already wired.

A model this small needs many millions of tokens before it finds out how to copy a name from
its prompt. The circuit that does it is known (induction heads: Elhage et al., 2021; Olsson et
al., 2022): one head looks at the previous token and writes it beside the current one; a head
of a later layer looks for the place where the current token was the previous one, and puts
forward the token it finds there. Here both are set by hand at the start; training then changes
every weight as it likes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import LlamaForCausalLM

POSITION_SHARE = 4
"""The first of so many parts of the rotary pairs have a frequency high enough to tell one
position from the next."""
POSITION_STRENGTH = 32.0
"""Squared length of query and key bias in each of these pairs."""
MATCH_SHARE = 3 / 8
"""Rotary pairs after this share are slow enough to compare contents over a hundred tokens."""
MATCH_STRENGTH = 2.2
WRITE = 0.028
"""Gain of the output of the first head; keeps it below the embedding it is added to."""
FORWARD = 0.06
"""Gain of the output of the second head."""
LAYERS = (1, 2, 3)
"""Layers that get the second kind of head."""


def wire_copying(model: LlamaForCausalLM) -> None:
    """Set one head of each key-value group in the first layers; needs biases in attention.

    The random choices come from torch's generator.
    """
    import torch

    config = model.config
    size, groups = config.head_dim, config.num_key_value_heads
    per_group = config.num_attention_heads // groups
    pairs = size // 2
    slow = round(MATCH_SHARE * pairs)
    match = torch.tensor([*range(slow, pairs), *range(slow + pairs, size)])
    layers = model.model.layers
    with torch.no_grad():
        # What is not wired writes nothing at first, and so does not disturb what is.
        for layer in layers:
            layer.self_attn.o_proj.weight.zero_()
            layer.mlp.down_proj.weight.zero_()
        for group in range(groups):
            read = _orthonormal(size, config.hidden_size)
            written = _orthonormal(size, config.hidden_size)
            keys = slice(group * size, (group + 1) * size)
            head = group * per_group
            queries = slice(head * size, (head + 1) * size)
            first = layers[0].self_attn
            _look_back(first.q_proj.bias[queries], first.k_proj.bias[keys], config)
            first.v_proj.weight[keys] = WRITE**0.5 * read
            first.o_proj.weight[:, queries] = WRITE**0.5 * written.T
            for layer in (layers[i].self_attn for i in LAYERS if i < len(layers)):
                layer.q_proj.weight[queries] = _rows(read, match, MATCH_STRENGTH)
                layer.k_proj.weight[keys] = _rows(written, match, MATCH_STRENGTH)
                seen = _orthonormal(size, config.hidden_size)
                layer.v_proj.weight[keys] = FORWARD**0.5 * seen
                layer.o_proj.weight[:, queries] = FORWARD**0.5 * seen.T


def _orthonormal(rows: int, columns: int) -> Tensor:
    import torch

    return torch.nn.init.orthogonal_(torch.empty(rows, columns))


def _rows(matrix: Tensor, rows: Tensor, gain: float) -> Tensor:
    """Keep some rows of a matrix, times a gain; the others are zero."""
    import torch

    kept = torch.zeros_like(matrix)
    kept[rows] = gain * matrix[rows]
    return kept


def _look_back(query: Tensor, key: Tensor, config: Any) -> None:
    """Set biases so that the score is highest one position back.

    Rotary embedding turns pair `i` by `frequency * position`; a query that starts turned by
    one step less than the key meets it after one step.
    """
    import torch

    pairs = len(query) // 2
    base = config.rope_parameters["rope_theta"]
    chosen = torch.arange(pairs // POSITION_SHARE)
    frequency = base ** (-chosen / pairs)
    length = POSITION_STRENGTH**0.5
    key[chosen], key[chosen + pairs] = torch.tensor(length), torch.tensor(0.0)
    query[chosen] = length * torch.cos(frequency)
    query[chosen + pairs] = -length * torch.sin(frequency)
