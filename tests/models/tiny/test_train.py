"""Training a very small model: it learns, it resumes to the same bits, it can be loaded."""

import dataclasses
import json
import logging
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from fmagic.models.tiny.config import ModelShape, TrainConfig
from fmagic.models.tiny.model import deepen, load_model
from fmagic.models.tiny.optimizer import orthogonal, rate
from fmagic.models.tiny.train import train

SMALL = TrainConfig(
    model=ModelShape(vocabulary=512, width=96, layers=4, heads=6, kv_heads=3, head_size=32, mlp=64),
    steps=50,
    parts=2,
    part_tokens=400,
    longest=160,
    warmup=5,
    decay=0.3,
    tokenizer_examples=300,
    chunk_steps=10,
    pairs=8,
    pairs_every=5,
    pairs_from=10,
    checkpoint_every=20,
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    train(SMALL, folder)
    return folder


def test_a_resumed_run_ends_in_the_same_bits(trained: Path, tmp_path: Path) -> None:
    train(SMALL, tmp_path, stop_after=23)
    train(SMALL, tmp_path, resume=True)
    for name in ("model.safetensors", "tokenizer.json"):
        assert (tmp_path / name).read_bytes() == (trained / name).read_bytes()


def test_steps_may_be_added_before_the_decay(trained: Path, tmp_path: Path) -> None:
    train(dataclasses.replace(SMALL, steps=45), tmp_path, stop_after=20)
    train(SMALL, tmp_path, resume=True)
    weights = "model.safetensors"
    assert (tmp_path / weights).read_bytes() == (trained / weights).read_bytes()


def test_a_finished_model_is_gone_on_from_and_resumes_to_the_same_bits(
    trained: Path, tmp_path: Path
) -> None:
    longer = dataclasses.replace(SMALL, steps=80)
    train(longer, tmp_path / "whole", start=trained)
    train(longer, tmp_path / "broken", start=trained, stop_after=63)
    other_shape = dataclasses.replace(longer, model=ModelShape())
    train(other_shape, tmp_path / "broken", resume=True)
    weights = (tmp_path / "whole/model.safetensors").read_bytes()
    assert weights == (tmp_path / "broken/model.safetensors").read_bytes()
    assert weights != (trained / "model.safetensors").read_bytes()
    record = json.loads((tmp_path / "whole/training.json").read_text(encoding="utf-8"))
    assert record["steps"] == 80
    assert (tmp_path / "whole/tokenizer.json").read_bytes() == (
        trained / "tokenizer.json"
    ).read_bytes()


def test_a_deeper_network_begins_as_the_one_it_grew_from(trained: Path, tmp_path: Path) -> None:
    model, ids = load_model(trained), torch.arange(3, 40).unsqueeze(0)
    deeper = deepen(model, model.config.num_hidden_layers + 2)
    assert torch.equal(model(ids).logits, deeper(ids).logits)
    for layers in (1, 99):
        with pytest.raises(ValueError, match=f"cannot become one of {layers}"):
            deepen(deeper, layers)
    grown = train(dataclasses.replace(SMALL, steps=61), tmp_path, start=trained, layers=6)
    assert grown.config.num_hidden_layers == 6
    record = json.loads((tmp_path / "training.json").read_text(encoding="utf-8"))
    assert record["config"]["model"]["layers"] == 6
    assert all(layer.mlp.down_proj.weight.any() for layer in grown.model.layers)


@pytest.mark.parametrize("shape", [(16, 16), (16, 40), (40, 16)])
def test_orthogonal_keeps_directions_and_evens_out_their_lengths(shape: tuple[int, int]) -> None:
    generator = torch.Generator().manual_seed(0)
    u, _, v = torch.linalg.svd(torch.randn(shape, generator=generator), full_matrices=False)
    lengths = torch.linspace(0.2, 3, len(u[0]))
    found = orthogonal(u * lengths @ v, torch.float32)
    between = u.T @ found @ v.T
    assert torch.allclose(between, between.diag().diag(), atol=1e-3)
    assert between.diag().min() > 0.6
    assert between.diag().max() < 1.3


def test_the_loss_falls(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "fmagic.models.tiny"):
        train(dataclasses.replace(SMALL, steps=60, seed=1), tmp_path)
    words = [record.getMessage().split() for record in caplog.records]
    losses = [float(line[line.index("loss") + 1]) for line in words]
    assert len(losses) == 3
    assert losses[-1] < losses[0] - 0.5


def test_the_folder_loads_with_plain_transformers(trained: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(trained)
    tokenizer = AutoTokenizer.from_pretrained(trained)
    assert model.dtype == torch.bfloat16
    assert model.generation_config.do_sample is False
    assert tokenizer.eos_token_id == model.generation_config.eos_token_id
    assert tokenizer.eos_token_id != tokenizer.pad_token_id
    assert not list(trained.glob("*.bin"))


def test_the_rate_warms_up_stays_and_falls_to_zero() -> None:
    config = TrainConfig(warmup=10, decay=0.25)
    assert rate(config, 0.0, 0) == pytest.approx(0.1)
    assert rate(config, 0.5, 50) == 1
    assert rate(config, 0.875, 80) == pytest.approx(0.5)
    assert rate(config, 1.0, 100) == 0
