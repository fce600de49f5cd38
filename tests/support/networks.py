"""Small random networks of real architectures, and what their runners need."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import torch
from transformers import (
    BloomConfig,
    BloomForCausalLM,
    FalconConfig,
    FalconForCausalLM,
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    GPT2Config,
    GPT2LMHeadModel,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    MptConfig,
    MptForCausalLM,
    OPTConfig,
    OPTForCausalLM,
    PhiConfig,
    PhiForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from fmagic.models.decoding import Decoder
from fmagic.models.sampling import Completion, Sampling

if TYPE_CHECKING:
    from collections.abc import Sequence

VOCABULARY = 300
END = 7
CONTEXT = 256
SIZES = {
    "vocab_size": VOCABULARY,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": CONTEXT,
    "bos_token_id": 1,
    "eos_token_id": END,
}
HEADS = {**SIZES, "num_key_value_heads": 4}
ENDS = {"bos_token_id": 1, "eos_token_id": END}

PLAIN = {
    "qwen3": lambda: Qwen3ForCausalLM(Qwen3Config(head_dim=16, **SIZES)),
    "mistral with a window": lambda: MistralForCausalLM(MistralConfig(sliding_window=8, **SIZES)),
    "gemma3": lambda: Gemma3ForCausalLM(
        Gemma3TextConfig(head_dim=16, sliding_window=8, **{**SIZES, "num_hidden_layers": 6})
    ),
    "gpt2": lambda: GPT2LMHeadModel(
        GPT2Config(
            vocab_size=VOCABULARY, n_embd=64, n_layer=2, n_head=4, n_positions=CONTEXT, **ENDS
        )
    ),
    "bloom": lambda: BloomForCausalLM(
        BloomConfig(vocab_size=VOCABULARY, hidden_size=64, n_layer=2, n_head=4, **ENDS)
    ),
    "gpt-neox": lambda: GPTNeoXForCausalLM(GPTNeoXConfig(**HEADS)),
    "opt": lambda: OPTForCausalLM(OPTConfig(ffn_dim=128, word_embed_proj_dim=64, **HEADS)),
    "falcon with alibi": lambda: FalconForCausalLM(FalconConfig(alibi=True, **HEADS)),
    "mpt": lambda: MptForCausalLM(
        MptConfig(vocab_size=VOCABULARY, d_model=64, n_layers=2, n_heads=4, max_seq_len=CONTEXT)
    ),
    "phi": lambda: PhiForCausalLM(PhiConfig(**HEADS)),
}


class Tokens:
    """A tokenizer whose tokens are characters."""

    pad_token_id = 0
    bos_token_id = 1

    def decode(self, ids: Sequence[int], *, skip_special_tokens: bool) -> str:
        assert skip_special_tokens
        return "".join(chr(0x4E00 + token) for token in ids)


def build(make: Any) -> Any:
    torch.manual_seed(0)
    return make().eval()


def prompts(*, shared: int = 20, count: int = 9) -> list[list[int]]:
    source = random.Random(1)
    words = range(10, VOCABULARY)
    prefix = source.choices(words, k=shared)
    return [prefix + source.choices(words, k=source.randrange(1, 40)) for _ in range(count)]


def runner(model: Any, kind: Any = Decoder, batch_tokens: int = 256, **more: Any) -> Any:
    return kind(
        model,
        Tokens(),
        end_tokens=frozenset([END]),
        context_length=CONTEXT,
        batch_tokens=batch_tokens,
        **more,
    )


def answers(run: Any, asked: Sequence[Sequence[int]], **options: Any) -> dict[int, Completion]:
    found = {}
    texts: dict[int, str] = {}
    for index, text, completion in run.run(asked, Sampling(max_tokens=12, **options)):
        texts[index] = texts.get(index, "") + text
        if completion is not None:
            assert index not in found
            found[index] = completion
            assert completion.text == texts[index]
    return found
