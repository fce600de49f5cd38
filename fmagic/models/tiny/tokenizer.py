"""The bundled model's tokenizer: byte-level BPE over text of the training split."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from fmagic.models.tiny.tasks.base import Example, pseudo_word

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from transformers import PreTrainedTokenizerFast

PAD, END, SYSTEM, USER, ASSISTANT = SPECIALS = (
    "<|pad|>",
    "<|end|>",
    "<|system|>",
    "<|user|>",
    "<|assistant|>",
)

CHAT_TEMPLATE = (
    "{%- for message in messages -%}"
    "{%- if message['role'] == 'assistant' -%}"
    "{{- '<|assistant|>' -}}"
    "{%- generation -%}{{- message['content'] | trim -}}{{- '<|end|>' -}}{%- endgeneration -%}"
    "{%- else -%}"
    "{{- '<|' ~ message['role'] ~ '|>' -}}{{- message['content'] | trim -}}{{- '<|end|>' -}}"
    "{%- endif -%}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<|assistant|>' -}}{%- endif -%}"
)

# A capital before small letters is a piece of its own and digits stand alone: then "Velmora"
# at the start of an answer and " Velmora" inside a text differ in the first piece only,
# which is what lets a small model copy names and numbers that it has never seen.
PIECES = (
    r" ?\p{Lu}(?=\p{Ll})|'(?:s|t|re|ve|m|ll|d)\b| ?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+"
    r"|\s+(?!\S)|\s+"
)


def texts(examples: Iterable[Example]) -> Iterator[str]:
    """Yield every text of the examples."""
    for example in examples:
        if example.system:
            yield example.system
        for turn in example.turns:
            yield turn.user
            yield turn.assistant


def train_tokenizer(lines: Iterable[str], size: int, seed: int) -> PreTrainedTokenizerFast:
    """Learn a vocabulary of `size` pieces from the lines and as many made-up words as needed."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    rng = random.Random(f"tokenizer-{seed}")  # noqa: S311 - reproducible, not secret
    made_up = (" ".join(pseudo_word(rng, "train") for _ in range(10)) for _ in range(2000))
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PIECES), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=list(SPECIALS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator([*lines, *made_up], trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        eos_token=END,
        pad_token=PAD,
        extra_special_tokens=[SYSTEM, USER, ASSISTANT],
        chat_template=CHAT_TEMPLATE,
        padding_side="left",
        clean_up_tokenization_spaces=False,
        model_max_length=2048,
    )


def messages(example: Example, turns: int | None = None) -> list[dict[str, str]]:
    """Return a conversation as chat messages; with `turns`, its first exchanges only."""
    said = [{"role": "system", "content": example.system}] if example.system else []
    for turn in example.turns[:turns]:
        said.append({"role": "user", "content": turn.user})
        said.append({"role": "assistant", "content": turn.assistant})
    return said
