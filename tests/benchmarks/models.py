"""Random models of real architectures: speed depends on shapes and not on what was learned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .texts import pseudo_words

if TYPE_CHECKING:
    from pathlib import Path

VOCABULARY = 16_384
SPECIAL = ("<pad>", "<eos>")


SMALL = {
    "hidden_size": 512,
    "intermediate_size": 2048,
    "num_hidden_layers": 8,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "head_dim": 64,
}
HALF_BILLION = {  # the layers of Qwen3-0.6B
    "hidden_size": 1024,
    "intermediate_size": 3072,
    "num_hidden_layers": 28,
    "num_attention_heads": 16,
    "num_key_value_heads": 8,
    "head_dim": 128,
}


def make_qwen3(folder: Path, sizes: dict[str, int] = SMALL, *, endless: bool = True) -> Path:
    """Save a Qwen3 with random weights, and a tokenizer that fits it.

    It has no chat template. By default it has 40M parameters.

    Args:
        folder: where to save it.
        sizes: of its layers.
        endless: make the weights of its end token zero, so that greedy decoding never picks it:
            every answer has the length that was asked for, without an option that slows one side.
    """
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    tokenizer = make_tokenizer()
    config = Qwen3Config(
        vocab_size=VOCABULARY,
        **sizes,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = Qwen3ForCausalLM(config)
    if endless:
        with torch.no_grad():
            model.get_input_embeddings().weight[: len(SPECIAL)] = 0
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def make_tokenizer() -> Any:
    """Train a byte-level BPE on made-up words."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    words = pseudo_words(60_000)
    lines = (" " + " ".join(words[start : start + 50]) for start in range(0, len(words), 50))
    tokenizer.train_from_iterator(lines, trainer)
    size = tokenizer.get_vocab_size()
    if size != VOCABULARY:
        raise RuntimeError(f"The words give {size:,} tokens and not {VOCABULARY:,}.")
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=SPECIAL[0],
        eos_token=SPECIAL[1],
        padding_side="left",
        clean_up_tokenization_spaces=False,
        model_max_length=2048,
    )
