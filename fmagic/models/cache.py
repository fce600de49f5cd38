"""Keys and values of attention in buffers that grow, and rows that join and leave.

The cache of transformers copies everything for each new token; a buffer that doubles copies each
token once or twice in its life. All rows end at the same column, so a row that joins is padded on
its left, and a row that leaves makes the buffer narrower.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from transformers import Cache, DynamicCache
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

if TYPE_CHECKING:
    from collections.abc import Sequence

SMALLEST_BUFFER = 64  # tokens


class GrowingLayer(DynamicLayer):  # type: ignore[misc]  # transformers has no types
    """Keys and values of one layer: views, shape `(rows, heads, tokens, size)`, of larger buffers.

    Sliding-window layers keep all tokens too: the mask of transformers limits what they see.
    """

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        """Take type, device and shapes from the first tokens."""
        self.dtype, self.device = key_states.dtype, key_states.device
        self._buffers = [
            states.new_empty((states.shape[0], states.shape[1], 0, states.shape[3]))
            for states in (key_states, value_states)
        ]
        self.keys, self.values = self._buffers
        self.is_initialized = True

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_: Any, **__: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Append the states of new tokens and return those of all."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        start = self.keys.shape[2]
        end = start + key_states.shape[2]
        if end > self._buffers[0].shape[2]:
            self._grow(max(end + SMALLEST_BUFFER, end * 5 // 4), start)
        for buffer, states in zip(self._buffers, (key_states, value_states), strict=True):
            buffer[:, :, start:end] = states
        self.keys, self.values = (buffer[:, :, :end] for buffer in self._buffers)
        return self.keys, self.values

    def assign(self, keys: torch.Tensor, values: torch.Tensor) -> None:
        """Hold these tensors instead; the next token makes a buffer with room."""
        self.dtype, self.device = keys.dtype, keys.device
        self._buffers = [keys, values]
        self.keys, self.values = keys, values
        self.is_initialized = True

    def fill(self, keys: Sequence[torch.Tensor], values: Sequence[torch.Tensor]) -> None:
        """Hold these rows below each other, padded on the left, with room for more tokens."""
        tokens = max(part.shape[2] for part in keys)
        self.dtype, self.device = keys[0].dtype, keys[0].device
        self._buffers = [_stacked(parts, tokens) for parts in (keys, values)]
        self.keys, self.values = (buffer[:, :, :tokens] for buffer in self._buffers)
        self.is_initialized = True

    def _grow(self, tokens: int, filled: int) -> None:
        grown = []
        for buffer in self._buffers:
            larger = buffer.new_empty((*buffer.shape[:2], tokens, buffer.shape[3]))
            larger[:, :, :filled] = buffer[:, :, :filled]
            grown.append(larger)
        self._buffers = grown


def is_plain(config: Any) -> bool:
    """Tell whether a model's whole memory of past tokens is keys and values of attention.

    Keys whose rotation changes with the length of the text have to be made anew at some length, and
    rows of other lengths would change with them.
    """
    if _turns_with_length(config):
        return False
    try:
        layers = DynamicCache(config=config).layers
    except (AttributeError, KeyError, TypeError, ValueError):
        return False  # an architecture with a cache of its own kind
    return bool(layers) and all(
        type(layer) in (DynamicLayer, DynamicSlidingWindowLayer) for layer in layers
    )


def _turns_with_length(config: Any) -> bool:
    text = config.get_text_config(decoder=True)
    rope = getattr(text, "rope_parameters", None) or getattr(text, "rope_scaling", None) or {}
    each = [rope, *(part for part in rope.values() if isinstance(part, dict))]
    return any(
        part.get(key) in ("longrope", "dynamic") for part in each for key in ("rope_type", "type")
    )


def is_sliding(config: Any) -> bool:
    """Tell whether some layers see only a window of tokens, counted in columns of the cache."""
    if "local" in (getattr(config, "attention_layers", None) or ()):  # of GPT-Neo
        return True
    return any(
        type(layer) is DynamicSlidingWindowLayer for layer in DynamicCache(config=config).layers
    )


def new_cache(config: Any) -> Cache:
    """Return an empty cache with one growing layer for each layer of the model."""
    return Cache(layers=[GrowingLayer() for _ in DynamicCache(config=config).layers])


def tokens_in(cache: Cache) -> int:
    """Return the number of columns that are filled."""
    return int(cache.layers[0].get_seq_length())


def expand(cache: Cache, rows: int) -> Cache:
    """Return a cache in which the single row of `cache` stands `rows` times."""
    copy = Cache(layers=[GrowingLayer() for _ in cache.layers])
    for source, layer in zip(cache.layers, copy.layers, strict=True):
        layer.assign(source.keys.expand(rows, -1, -1, -1), source.values.expand(rows, -1, -1, -1))
    return copy


def repeat(cache: Cache, times: int) -> Cache:
    """Return a cache in which every row of `cache` stands `times` times in a row."""
    copy = Cache(layers=[GrowingLayer() for _ in cache.layers])
    for source, layer in zip(cache.layers, copy.layers, strict=True):
        layer.assign(
            source.keys.repeat_interleave(times, dim=0),
            source.values.repeat_interleave(times, dim=0),
        )
    return copy


def join(caches: Sequence[Cache]) -> Cache:
    """Return the rows of all caches below each other, all ending at the same column."""
    joined = Cache(layers=[GrowingLayer() for _ in caches[0].layers])
    for place, layer in enumerate(joined.layers):
        parts = [cache.layers[place] for cache in caches]
        layer.fill([part.keys for part in parts], [part.values for part in parts])
    return joined


def keep(cache: Cache, rows: Sequence[int], first_column: int) -> None:
    """Keep these rows, and the columns from `first_column` on."""
    for layer in cache.layers:
        index = torch.tensor(rows, device=layer.keys.device)
        layer.assign(
            layer.keys[:, :, first_column:].index_select(0, index),
            layer.values[:, :, first_column:].index_select(0, index),
        )


def _stacked(parts: Sequence[torch.Tensor], tokens: int) -> torch.Tensor:
    _, heads, _, size = parts[0].shape
    rows = sum(part.shape[0] for part in parts)
    buffer = parts[0].new_empty((rows, heads, tokens + SMALLEST_BUFFER, size))
    first = 0
    for part in parts:
        last, start = first + part.shape[0], tokens - part.shape[2]
        # Zeros and not garbage: a masked column is multiplied by zero, and 0 * NaN is NaN.
        buffer[first:last, :, :start] = 0
        buffer[first:last, :, start:tokens] = part
        first = last
    return buffer
