"""The tokenizer: any text comes back, and names are cut alike wherever they stand."""

from pathlib import Path

import pytest
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from fmagic.models.tiny import WEIGHTS
from fmagic.models.tiny.tasks.base import Example, Turn
from fmagic.models.tiny.tokenizer import SPECIALS, messages, train_tokenizer

TEXTS = [
    "plain words, and more",
    "日本語 العربية हिन्दी русский",
    "😀👩‍👩‍👧 \t tabs\n\n  spaces \r\n",
    "é ñ ü \u0301 \u200b \ufeff \x00 \x7f",
    "{{ braces }} {% tag %} <b>&amp;</b>",
    "1234567890 3.14 $1,000 -5",
    " Velmora",
    "",
]


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return AutoTokenizer.from_pretrained(WEIGHTS)


@pytest.mark.parametrize("text", TEXTS)
def test_any_text_comes_back(tokenizer: PreTrainedTokenizerFast, text: str) -> None:
    ids = tokenizer(text, add_special_tokens=False).input_ids
    assert tokenizer.decode(ids) == text


def test_digits_stand_alone(tokenizer: PreTrainedTokenizerFast) -> None:
    assert len(tokenizer("4711").input_ids) == 4


def test_a_name_is_cut_alike_at_the_start_and_inside(tokenizer: PreTrainedTokenizerFast) -> None:
    start = tokenizer("Velmora").input_ids
    inside = tokenizer("in Velmora").input_ids
    assert inside[-len(start) + 1 :] == start[1:]


def test_the_chat_template_marks_turns_and_what_the_model_says(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    said = messages(Example("t", "Be brief.", (Turn("Hi ", "Hello."),)))
    whole = tokenizer.apply_chat_template(said, tokenize=False)
    assert whole == ("<|system|>Be brief.<|end|><|user|>Hi<|end|><|assistant|>Hello.<|end|>")
    asked = tokenizer.apply_chat_template(said[:-1], tokenize=False, add_generation_prompt=True)
    assert whole.startswith(asked)
    assert asked.endswith("<|assistant|>")
    marked = tokenizer.apply_chat_template(
        said, return_dict=True, return_assistant_tokens_mask=True
    )
    spoken = [
        token
        for token, mask in zip(marked["input_ids"], marked["assistant_masks"], strict=True)
        if mask
    ]
    assert tokenizer.decode(spoken) == "Hello.<|end|>"


def test_the_vocabulary_is_the_same_again(tmp_path: Path) -> None:
    lines = ["the quick brown fox jumps over the lazy dog"] * 20
    first, second = (train_tokenizer(lines, 400, seed=0) for _ in range(2))
    assert first.get_vocab() == second.get_vocab()
    assert all(first.convert_tokens_to_ids(name) < len(SPECIALS) for name in SPECIALS)
