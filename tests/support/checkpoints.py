"""Small random models of real architectures, saved as a user would find them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from fmagic.models.quiet import quiet

if TYPE_CHECKING:
    from pathlib import Path

VOCABULARY = 320
TEXT = [
    "The quick brown fox jumps over the lazy dog.",
    "Pack my box with five dozen liquor jugs, and label each one good or bad.",
    "user: what does the red fox do? assistant: it runs over the hill.",
    "0 1 2 3 4 5 6 7 8 9 yes no positive negative",
]
CHAT_TEMPLATE = (
    "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}<eos>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)

_COMMON: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 128,
    "max_position_embeddings": 128,
    "bos_token_id": 1,
    "eos_token_id": 1,
    "pad_token_id": 0,
}
_GROUPED = {**_COMMON, "num_key_value_heads": 2}
_T5 = {
    "vocab_size": VOCABULARY,
    "d_model": 64,
    "d_kv": 16,
    "d_ff": 128,
    "num_layers": 2,
    "num_heads": 4,
    "decoder_start_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 0,
}
_BART = {
    "vocab_size": VOCABULARY,
    "d_model": 64,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 128,
    "decoder_ffn_dim": 128,
    "max_position_embeddings": 128,
    "bos_token_id": 1,
    "eos_token_id": 1,
    "pad_token_id": 0,
    "decoder_start_token_id": 1,
    "forced_eos_token_id": 1,
}
_GPT2 = {
    "vocab_size": VOCABULARY,
    "n_embd": 64,
    "n_layer": 2,
    "n_head": 4,
    "n_positions": 128,
    "bos_token_id": 1,
    "eos_token_id": 1,
}

# model type of transformers: (Auto class that makes it, its configuration)
ARCHITECTURES: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("AutoModelForCausalLM", _GROUPED),
    "qwen3": ("AutoModelForCausalLM", {**_GROUPED, "head_dim": 16}),
    "mistral": ("AutoModelForCausalLM", {**_GROUPED, "sliding_window": 32}),
    "gemma3_text": ("AutoModelForCausalLM", {**_GROUPED, "head_dim": 16, "sliding_window": 32}),
    # Reads images too.
    "gemma3": (
        "AutoModelForCausalLM",
        {
            "text_config": {**_GROUPED, "head_dim": 16, "sliding_window": 32},
            "vision_config": {
                "hidden_size": 64,
                "num_hidden_layers": 1,
                "num_attention_heads": 2,
                "intermediate_size": 64,
                "image_size": 28,
                "patch_size": 14,
            },
            "mm_tokens_per_image": 4,
            "image_token_index": 3,
            "pad_token_id": 0,
            "bos_token_id": 1,
            "eos_token_id": 1,
        },
    ),
    "phi3": ("AutoModelForCausalLM", _GROUPED),
    # Its routers are linear layers that return two tensors.
    "phimoe": (
        "AutoModelForCausalLM",
        {**_GROUPED, "num_local_experts": 4, "num_experts_per_tok": 2},
    ),
    "gpt2": ("AutoModelForCausalLM", _GPT2),
    "gpt_neox": ("AutoModelForCausalLM", _COMMON),
    "opt": ("AutoModelForCausalLM", {**_COMMON, "ffn_dim": 128, "word_embed_proj_dim": 64}),
    "bloom": (
        "AutoModelForCausalLM",
        {
            "vocab_size": VOCABULARY,
            "hidden_size": 64,
            "n_layer": 2,
            "n_head": 4,
            "bos_token_id": 1,
            "eos_token_id": 1,
            "pad_token_id": 0,
        },
    ),
    "falcon": ("AutoModelForCausalLM", {**_COMMON, "multi_query": True}),
    "mamba": (
        "AutoModelForCausalLM",
        {
            "vocab_size": VOCABULARY,
            "hidden_size": 64,
            "num_hidden_layers": 2,
            "state_size": 8,
            "bos_token_id": 1,
            "eos_token_id": 1,
            "pad_token_id": 0,
        },
    ),
    "t5": ("AutoModelForSeq2SeqLM", _T5),
    "longt5": ("AutoModelForSeq2SeqLM", {**_T5, "local_radius": 15}),
    "bart": ("AutoModelForSeq2SeqLM", _BART),
    "bert": ("AutoModelForMaskedLM", _COMMON),
    "roberta": ("AutoModelForMaskedLM", _COMMON),
    "mpnet": ("AutoModelForMaskedLM", {**_COMMON, "pad_token_id": 1}),
    "distilbert": (
        "AutoModelForMaskedLM",
        {
            "vocab_size": VOCABULARY,
            "dim": 64,
            "n_layers": 2,
            "n_heads": 4,
            "hidden_dim": 128,
            "max_position_embeddings": 128,
        },
    ),
    "deberta": (
        "AutoModelForMaskedLM",
        {**_COMMON, "pos_att_type": ["c2p"], "relative_attention": True},
    ),
    "modernbert": (
        "AutoModelForMaskedLM",
        {**_COMMON, "cls_token_id": 1, "sep_token_id": 1, "local_attention": 32},
    ),
}


class Checkpoints(Protocol):
    """The fixture `checkpoints`: makes a small model, or returns one that was made before."""

    def __call__(self, architecture: str = "llama", **options: Any) -> Path:
        """Return the folder, which is only to be read."""


def make_tokenizer(*, chat_template: bool = False) -> Any:
    """Return a byte-level tokenizer, trained here; any text becomes ids below `VOCABULARY`."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=["<pad>", "<eos>", "<unk>", "<|system|>", "<|user|>", "<|assistant|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    inner.train_from_iterator(TEXT, trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner, eos_token="<eos>", pad_token="<pad>", unk_token="<unk>"
    )
    if chat_template:
        tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def make_model(architecture: str, *, auto_class: str | None = None, **changes: Any) -> Any:
    """Return a random model; `changes` are values of its configuration."""
    import torch
    import transformers

    named, values = ARCHITECTURES[architecture]
    config = transformers.AutoConfig.for_model(architecture, **{**values, **changes})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = getattr(transformers, auto_class or named).from_config(config)
        # Weights near zero make all logits alike; larger ones make answers differ.
        with torch.no_grad():
            for weight in model.parameters():
                if weight.dim() > 1:
                    weight.normal_(std=0.15)
    return model.eval()


def make_checkpoint(
    folder: Path,
    architecture: str = "llama",
    *,
    chat_template: bool = False,
    tokenizer: bool = True,
    auto_class: str | None = None,
    shard_size: str = "5GB",
    **changes: Any,
) -> Path:
    """Save a random model with its tokenizer into `folder` and return it.

    Args:
        folder: made if it is not there.
        architecture: a key of `ARCHITECTURES`.
        chat_template: whether the tokenizer has one.
        tokenizer: whether to save a tokenizer.
        auto_class: of transformers, to save the model with another head.
        shard_size: largest size of one weight file.
        changes: values of the configuration.
    """
    model = make_model(architecture, auto_class=auto_class, **changes)
    with quiet():
        model.save_pretrained(folder, max_shard_size=shard_size)
    if tokenizer:
        make_tokenizer(chat_template=chat_template).save_pretrained(folder)
    return folder


def make_adapter(base: Path, folder: Path, *, strength: float = 0.1) -> Path:
    """Save a LoRA adapter for the causal model in `base`; with `strength` 0 it does nothing."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    with quiet():
        model = AutoModelForCausalLM.from_pretrained(base)
        joined = get_peft_model(model, LoraConfig(r=4, target_modules="all-linear"))
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, weight in joined.named_parameters():
            if "lora_B" in name and strength:
                weight.copy_(torch.randn(weight.shape, generator=generator) * strength)
    with quiet():
        joined.save_pretrained(folder)
    return folder
