"""The model as shipped: small, safe, with a card whose figures are the measured ones."""

import hashlib
import json

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from fmagic.models.tiny import WEIGHTS
from fmagic.models.tiny.card import PARAPHRASE, TITLES, percent, row
from fmagic.models.tiny.score import digest, held_out

SCORES = json.loads((WEIGHTS / "scores.json").read_text("utf-8"))
CARD = (WEIGHTS / "README.md").read_text("utf-8")
REQUIRED = ("sentiment", "spam", "topic", "extraction", "qa")


def test_the_files_are_small_and_hold_no_pickle() -> None:
    files = [path for path in WEIGHTS.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 20 * 2**20
    assert {path.suffix for path in files} <= {".safetensors", ".json", ".md", ".jinja"}


def test_the_scores_belong_to_these_weights() -> None:
    weights = (WEIGHTS / "model.safetensors").read_bytes()
    assert SCORES["weights_sha256"] == hashlib.sha256(weights).hexdigest()


@pytest.mark.parametrize("name", SCORES["tasks"])
def test_the_scores_come_from_the_held_out_examples_of_today(name: str) -> None:
    score = SCORES["tasks"][name]
    assert score["examples_sha256"] == digest(held_out(name, score["n"]))


def test_the_card_shows_every_score() -> None:
    assert CARD.startswith("---\nlicense: apache-2.0\n")
    for name, score in SCORES["tasks"].items():
        assert row(TITLES.get(name, name), score) in CARD
    assert row(PARAPHRASE, SCORES["paraphrase"]) in CARD
    assert percent(SCORES["real"]["youtube-spam"]["accuracy"]) in CARD


@pytest.mark.parametrize("name", REQUIRED)
def test_required_tasks_are_clearly_above_both_baselines(name: str) -> None:
    score = SCORES["tasks"][name]
    assert score["n"] >= 200
    assert score["low"] > max(score["majority"], score["untrained"]) + 0.1


def test_paraphrases_are_found() -> None:
    assert SCORES["paraphrase"]["low"] >= 0.9


def test_real_comments_are_told_apart_without_training_on_them() -> None:
    assert SCORES["real"]["youtube-spam"]["low"] > 0.75


def test_the_first_cell_of_the_guide_works() -> None:
    torch.set_num_threads(1)
    tokenizer = AutoTokenizer.from_pretrained(WEIGHTS)
    model = AutoModelForCausalLM.from_pretrained(WEIGHTS)
    answers = {}
    for text in ("I love this kettle, it works perfectly.", "Terrible. It broke after two days."):
        said = [
            {"role": "system", "content": "You label product reviews."},
            {"role": "user", "content": text},
        ]
        inputs = tokenizer.apply_chat_template(
            said, add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        output = model.generate(**inputs, max_new_tokens=8)
        answers[text[:1]] = tokenizer.decode(
            output[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True
        )
    assert answers == {"I": "positive", "T": "negative"}
