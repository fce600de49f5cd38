"""The curated list of models: each entry is whole, and its numbers follow from each other."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from fmagic.models import known, known_check
from fmagic.models.fit import Census
from fmagic.models.known import TASKS, KnownModel, data_text, find, known_models
from fmagic.models.known_check import agrees, derive, problems, rewritten

LONGEST_LINE = 90
# One of each family that counts in a way of its own: shared and separate heads, windows, experts,
# convolutions among the layers, two halves, pictures.
SAMPLE = [
    "Qwen/Qwen3-0.6B",
    "meta-llama/Llama-3.3-70B-Instruct",
    "google/gemma-3-270m-it",
    "LiquidAI/LFM2-1.2B",
    "google/flan-t5-small",
    "sentence-transformers/all-MiniLM-L6-v2",
    "microsoft/resnet-50",
    "openai/clip-vit-base-patch32",
]
EVERY = pytest.mark.parametrize("model", known_models(), ids=lambda model: model.name)


def get(name: str) -> KnownModel:
    found = find(name)
    assert found is not None
    return found


@EVERY
def test_each_entry_is_whole(model: KnownModel) -> None:
    assert re.fullmatch(r"[\w.-]+/[\w.-]+", model.name)
    assert model.task in TASKS
    assert 0 < len(model.good_at) <= LONGEST_LINE
    assert not model.good_at.endswith(".")
    assert model.license.kind in ("open", "restricted")
    assert model.license.url.startswith("https://")
    assert re.fullmatch(r"20\d\d-(0[1-9]|1[0-2])", model.released)
    assert "2015-01" <= model.released <= "2026-12"
    assert re.fullmatch(r"https://[\w./-]+", model.source)
    assert type(model.gated) is bool
    assert 10**7 < model.parameters < 10**11
    assert model.census.parameters == model.parameters
    has_text = model.task not in ("image-classification", "image-generation")
    assert (model.context > 0) == has_text
    assert model.context <= 2**20


@EVERY
def test_each_entry_has_the_numbers_for_a_fit(model: KnownModel) -> None:
    if model.task == "image-generation":
        assert model.shape is None
        assert sum(model.parts.values()) == model.parameters
        assert {"vae", "text_encoder"} < set(model.parts)
        return
    assert agrees(model.parameters, model.published)
    assert 0 < model.census.largest <= model.parameters
    assert model.config["model_type"]
    shape = model.shape
    if model.task == "image-classification":
        return
    assert shape is not None
    assert shape.heads >= shape.kv_heads > 0
    assert shape.heads % shape.kv_heads == 0
    assert shape.full_layers + shape.window_layers <= shape.layers
    # What a model was made to read is what its positions allow, or less.
    assert shape.context == 0 or model.context <= shape.context


def test_names_are_unique_and_tasks_all_there() -> None:
    names = [model.name.lower() for model in known_models()]
    assert len(names) == len(set(names)) >= 60
    for task in TASKS:
        assert sum(model.task == task for model in known_models()) >= 5
    assert {model.license.kind for model in known_models()} == {"open", "restricted"}


def test_models_of_a_task_stand_together() -> None:
    order = [model.task for model in known_models()]
    assert order == sorted(order, key=TASKS.index)


@pytest.mark.parametrize("name", SAMPLE)
def test_numbers_follow_from_the_configuration(name: str) -> None:
    assert problems(get(name)) == []


@pytest.mark.slow
def test_all_numbers_follow_from_their_configurations(capsys: pytest.CaptureFixture[str]) -> None:
    assert known_check.main([]) == 0
    assert capsys.readouterr().out == "all numbers agree\n"


def test_a_wrong_number_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    import dataclasses

    right = get("sentence-transformers/all-MiniLM-L6-v2")
    wider = dataclasses.replace(right, config={**right.config, "intermediate_size": 3072})
    said = "\n".join(problems(wider))
    assert "shape is" in said
    assert "census is" in said
    assert "published are 22.7M" in said
    monkeypatch.setattr(known, "known_models", lambda: (wider,))
    assert known_check.main([]) == 1


def test_the_file_is_as_the_command_writes_it() -> None:
    head, *blocks = data_text().split(known_check.HEADER)
    block = next(each for each in blocks if '"sentence-transformers/all-MiniLM-L6-v2"' in each)
    small = f"{head}{known_check.HEADER}{block}"
    assert rewritten(small).strip() == small.strip()
    wrong = re.sub(r"\nparameters = \d+", "\nparameters = 1", small)
    assert rewritten(wrong).strip() == small.strip()


@pytest.mark.parametrize(
    ("parameters", "published", "said"),
    [
        (596_049_920, "0.6B", True),
        (8_030_261_248, "8.03B", True),
        (8_030_261_248, "7.2B", False),
        (134_515_008, "135M", True),
        (134_515_008, "1.35B", False),
    ],
)
def test_published_numbers_are_rounded(parameters: int, published: str, said: bool) -> None:
    assert agrees(parameters, published) == said


def test_facts_as_published() -> None:
    llama = get("META-LLAMA/llama-3.1-8b-instruct")
    assert (llama.parameters, llama.context) == (8_030_261_248, 131_072)
    assert llama.organisation == "meta-llama"
    assert llama.license.id == "llama3.1"
    assert llama.shape is not None
    # 2 x 32 layers x 8 heads x 128 x 2 bytes for each token
    assert llama.shape.cache_bytes(2, 1000) == 131_072 * 1000
    assert get("Qwen/Qwen2.5-3B-Instruct").license.id == "qwen-research"
    assert find("no/such-model") is None


def test_heads_that_the_files_part_are_counted_apart() -> None:
    config = {**get("google/flan-t5-small").config}
    apart = derive(config, "seq2seq")[1]
    tied = derive({**config, "tie_word_embeddings": True}, "seq2seq")[1]
    assert apart == Census(tied.linear, tied.other + 32_128 * 512, tied.largest)


def test_reading_the_list_imports_no_torch() -> None:
    code = (
        "import sys; from fmagic.models.known import known_models; assert known_models();"
        "print([name for name in ('torch', 'transformers', 'huggingface_hub') if name in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
