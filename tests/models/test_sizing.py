"""Sizes out of files, against the model itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fmagic.models.fit import take_census
from fmagic.models.shape import Shape
from fmagic.models.sizing import census_of, local_size, shape_of
from tests.support.checkpoints import ARCHITECTURES, make_model

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.checkpoints import Checkpoints


@pytest.mark.parametrize("architecture", ["llama", "qwen3", "gpt_neox", "bert", "t5", "bart"])
def test_the_files_tell_what_the_model_has(architecture: str, checkpoints: Checkpoints) -> None:
    found = local_size(checkpoints(architecture))
    assert found is not None
    census, shape = found
    model = make_model(architecture)
    real = take_census(model)
    assert census.parameters == pytest.approx(real.parameters, rel=0.02)
    assert census.linear == pytest.approx(real.linear, rel=0.05)
    assert census.largest == real.largest
    assert shape == Shape.of(model.config)


def test_experts_are_not_quantized() -> None:
    block = "model.layers.0."
    shapes: dict[str, tuple[int, ...]] = {
        f"{block}self_attn.q_proj.weight": (64, 128),
        f"{block}mlp.experts.3.up_proj.weight": (64, 128),
        f"{block}mlp.experts.gate_up_proj.weight": (4, 64, 128),
    }
    census = census_of(shapes)
    assert census.linear == 64 * 128
    assert census.parameters == 6 * 64 * 128


def test_files_that_tell_nothing(tmp_path: Path) -> None:
    assert local_size(tmp_path) is None
    (tmp_path / "config.json").write_text("{")
    assert local_size(tmp_path) is None


def test_a_config_of_no_known_model_has_no_sizes() -> None:
    assert shape_of({"model_type": "no such type", "hidden_size": 7}).hidden == 0
    assert shape_of({"model_type": "llama", **ARCHITECTURES["llama"][1]}).hidden == 64
