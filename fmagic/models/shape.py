"""The numbers of an architecture that decide how much memory a pass takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

# How configurations name the width of the feed-forward part.
INNER = ("intermediate_size", "d_ff", "ffn_dim", "decoder_ffn_dim", "n_inner", "hidden_dim")


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of a text model, of its decoder where it has two halves.

    Attributes:
        layers: number of layers.
        hidden: width of the residual stream.
        inner: width of the feed-forward part; of a mixture of experts, of all that one token uses.
        heads: of queries.
        kv_heads: of keys and values.
        head_size: width of one head.
        vocabulary: number of tokens known.
        context: most tokens of prompt and answer, 0 if unbounded.
        window: tokens that a layer with a sliding window sees, 0 if there is none.
        full_layers: layers that see the whole context.
        window_layers: layers that see `window` tokens; the rest has no attention.
        latent: numbers that a layer of DeepSeek keeps of a token in place of keys and values.
    """

    layers: int
    hidden: int
    inner: int
    heads: int
    kv_heads: int
    head_size: int
    vocabulary: int
    context: int
    window: int
    full_layers: int
    window_layers: int = 0
    latent: int = 0

    @classmethod
    def of(cls, config: Any) -> Shape:
        """Read the numbers from a configuration of transformers; what it lacks counts as 0."""
        text = config.get_text_config(decoder=True)

        def number(*names: str) -> int:
            for name in names:
                found = getattr(text, name, None)
                if isinstance(found, list | tuple) and found:
                    found = max(found)
                if isinstance(found, int) and found > 0:
                    return found
            return 0

        layers, hidden = number("num_hidden_layers"), number("hidden_size")
        heads = number("num_attention_heads")
        window = number("sliding_window", "attention_chunk_size")
        kinds = getattr(text, "layer_types", None) or ["full_attention"] * layers
        full = kinds.count("full_attention") if heads else 0
        windowed = sum(kind in ("sliding_attention", "chunked_attention") for kind in kinds)
        experts = number("num_experts_per_tok")
        keys = number("num_key_value_heads") or heads
        if getattr(text, "multi_query", False) and not getattr(
            text, "new_decoder_architecture", False
        ):
            keys = 1  # of Falcon 7B; other Falcons keep those of all heads
        latent = number("kv_lora_rank")
        inner = number(*INNER) or 4 * hidden
        if experts and (each := number("moe_intermediate_size")):
            inner = experts * each
        return cls(
            layers=layers,
            hidden=hidden,
            inner=inner,
            heads=heads,
            kv_heads=keys,
            head_size=number("head_dim") or (hidden // heads if heads else 0),
            vocabulary=number("vocab_size"),
            context=number("max_position_embeddings", "n_positions", "max_seq_len"),
            window=window,
            full_layers=full + (0 if window else windowed),
            window_layers=windowed if window else 0,
            latent=latent and latent + number("qk_rope_head_dim"),
        )

    def cache_bytes(self, dtype_bytes: int, tokens: int) -> int:
        """Return the bytes of keys and values for one text.

        That is 2 x heads of keys x size of a head for each token and layer with attention, unless
        a latent stands for both. Layers with a sliding window keep all tokens too, see
        `fmagic.models.cache`.

        Args:
            dtype_bytes: of one number.
            tokens: of the text.
        """
        layers = self.full_layers + self.window_layers
        numbers = self.latent or 2 * self.kv_heads * self.head_size
        return layers * tokens * numbers * dtype_bytes
