"""The numbers of an architecture, out of its configuration."""

from typing import Any

import pytest
import torch
import transformers

from fmagic.models.shape import Shape
from tests.support.checkpoints import make_model


def shape(architecture: str, **changes: Any) -> Shape:
    return Shape.of(make_model(architecture, **changes).config)


def test_a_grouped_model() -> None:
    assert shape("llama") == Shape(
        layers=2,
        hidden=64,
        inner=128,
        heads=4,
        kv_heads=2,
        head_size=16,
        vocabulary=320,
        context=128,
        window=0,
        full_layers=2,
    )


@pytest.mark.parametrize("architecture", ["gpt2", "bert", "t5", "bart", "opt", "bloom"])
def test_other_names_for_the_same(architecture: str) -> None:
    found = shape(architecture)
    assert (found.layers, found.hidden, found.inner) == (
        2,
        64,
        256 if architecture in ("gpt2", "bloom") else 128,
    )
    assert (found.heads, found.kv_heads, found.head_size) == (4, 4, 16)


def test_keys_and_values() -> None:
    # 2 (keys, values) x 2 layers x 2 heads x 16 x 2 bytes for each token
    assert shape("llama").cache_bytes(2, 100) == 100 * 256
    sliding = shape("gemma3_text", num_hidden_layers=6, layer_types=None)
    assert sliding.full_layers + sliding.window_layers == 6
    assert sliding.window_layers > 0
    assert sliding.window == 32
    assert sliding.cache_bytes(2, 100) == 6 * 100 * 128
    assert shape("mamba").cache_bytes(2, 100) == 0


def test_a_mixture_counts_the_experts_of_one_token() -> None:
    config = make_model("phimoe").config
    assert Shape.of(config).inner == 128
    config.moe_intermediate_size = 96
    assert Shape.of(config).inner == 2 * 96


SMALL = {"vocab_size": 320, "num_attention_heads": 4}
HIDDEN = {**SMALL, "hidden_size": 64, "num_hidden_layers": 2}
LATENT = {
    **HIDDEN,
    "intermediate_size": 128,
    "num_key_value_heads": 4,
    "kv_lora_rank": 32,
    "q_lora_rank": 32,
    "qk_rope_head_dim": 8,
    "qk_nope_head_dim": 24,
    "v_head_dim": 16,
    "first_k_dense_replace": 2,
    "n_routed_experts": 4,
    "moe_intermediate_size": 16,
}
BIGCODE = {"vocab_size": 320, "n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 128}


@pytest.mark.parametrize(
    ("architecture", "config"),
    [
        ("llama", {**HIDDEN, "num_key_value_heads": 2}),
        ("falcon", {**HIDDEN, "multi_query": True}),
        ("falcon", {**HIDDEN, "new_decoder_architecture": True, "num_kv_heads": 2}),
        ("gpt_bigcode", BIGCODE),
        ("deepseek_v2", LATENT),
        ("deepseek_v3", {**LATENT, "n_group": 2, "topk_group": 1}),
    ],
)
def test_keys_and_values_are_those_that_a_model_keeps(
    architecture: str, config: dict[str, Any]
) -> None:
    made = transformers.AutoConfig.for_model(architecture, **config)
    network = transformers.AutoModelForCausalLM.from_config(made).eval()
    with torch.inference_mode():
        kept = network(torch.zeros(1, 7, dtype=torch.long), use_cache=True).past_key_values
    states = [each for layer in kept.layers for each in (layer.keys, layer.values)]
    assert Shape.of(made).cache_bytes(4, 7) == sum(each.nbytes for each in states)
