"""What a model takes, before it is loaded."""

import dataclasses
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
import transformers

from fmagic.errors import OutOfMemoryError
from fmagic.models import assembly, quant, spread
from fmagic.models.architecture import Plan
from fmagic.models.devices import Device
from fmagic.models.fit import Census, Fit, Training, estimate, left_alone, refusal, take_census
from fmagic.models.loader import load
from fmagic.models.reading import skeleton
from fmagic.models.shape import Shape
from fmagic.models.sizing import local_size
from tests.support.checkpoints import Checkpoints, make_model

DEVICE = Device("cpu", 0, "a processor", 10**9, 10**9)


@pytest.mark.parametrize("architecture", ["llama", "gpt2", "t5", "bert", "mamba", "gemma3_text"])
def test_each_weight_is_counted_once(architecture: str) -> None:
    model = make_model(architecture)
    census = take_census(model)
    assert census.parameters == sum(each.numel() for each in model.parameters())
    assert census.linear > 0


def test_head_poolers_and_odd_layers_stay() -> None:
    llama = make_model("llama", hidden_size=96)
    assert "lm_head" in left_alone(llama)
    assert "model.layers.0.self_attn.q_proj" in left_alone(llama)
    assert "model.layers.0.mlp.down_proj" not in left_alone(llama)
    assert left_alone(make_model("bert", auto_class="AutoModel")) == ["pooler.dense"]


@pytest.mark.parametrize("method", ["none", "int8", "nf4"])
def test_the_estimate_of_the_weights_is_what_they_take(
    method: str, checkpoints: Checkpoints
) -> None:
    folder = checkpoints("llama", hidden_size=256, intermediate_size=512)
    model = load(str(folder), quant=method, dtype="bfloat16", device="cpu")
    said = estimate(
        Shape.of(model.module.config),
        take_census(make_model("llama", hidden_size=256, intermediate_size=512)),
        quant.methods()[method],
        DEVICE,
        dtype_bytes=2,
        context=128,
    )
    assert said.weights == pytest.approx(model.weight_bytes, rel=0.05)


def test_each_part_of_the_sum() -> None:
    shape = Shape.of(make_model("llama").config)
    census = take_census(make_model("llama"))
    plain = quant.methods()["none"]

    def made(**options: Any) -> Fit:
        return estimate(shape, census, plain, DEVICE, dtype_bytes=2, **options)

    one, four = made(context=100), made(context=100, batch=4)
    assert one.weights == four.weights == 2 * census.parameters
    assert four.cache == 4 * one.cache > 0
    assert made(context=100, writes=False).cache == 0
    tuned = made(context=100, training=Training(tokens=64, batch=4, rank=8))
    # 2 layers; q and o 64 x 64, k and v 64 x 32, three of 64 x 128; 16 bytes for each weight
    assert tuned.learning == 2 * 8 * (2 * 128 + 2 * 96 + 3 * 192) * 16
    assert tuned.activations > four.activations
    doubled = made(context=100, training=Training(tokens=64, batch=8, rank=8))
    assert doubled.activations == pytest.approx(2 * tuned.activations, rel=0.01)
    whole = made(context=100, training=Training(method="full"))
    assert whole.learning == 16 * census.parameters


def test_the_range_holds_the_sum_and_decides_whether_there_is_room_to_spare() -> None:
    fit = Fit(10**9, 10**8, 2 * 10**8, 10**8, free=15 * 10**8, method="none")
    assert (fit.low, fit.total, fit.high) == (128 * 10**7, 14 * 10**8, 152 * 10**7)
    assert fit.fits
    assert not fit.is_comfortable
    assert fit.range_said == "1.3 to 1.5 GB"


def test_a_feed_forward_part_without_a_gate_takes_less() -> None:
    plain = quant.methods()["none"]
    shape = Shape.of(make_model("llama").config)
    census = take_census(make_model("llama"))
    gated = estimate(shape, census, plain, DEVICE, dtype_bytes=2, context=4096)
    fewer = Census(census.linear - 2 * 64 * 128, census.other, census.largest)
    without = estimate(shape, fewer, plain, DEVICE, dtype_bytes=2, context=4096)
    assert without.activations < gated.activations


def test_a_tensor_is_copied_only_where_it_is_cast_or_quantized() -> None:
    """The embedding of Gemma 3n is a third of the model; it counted twice."""
    methods, shape = quant.methods(), Shape.of(make_model("llama").config)

    def work(method: str, stored: str, device: Literal["cpu", "mps"] = "cpu") -> int:
        census, place = (
            Census(10**6, 10**9, 10**9, stored),
            dataclasses.replace(DEVICE, type=device),
        )
        return estimate(
            shape, census, methods[method], place, dtype_bytes=2, context=64
        ).activations

    assert work("none", "bfloat16") < 10**8
    assert work("none", "float16") == 2 * 10**9
    assert work("none", "float32") == work("none", "") == 4 * 10**9
    assert work("nf4", "bfloat16") >= 2 * 10**9
    assert work("none", "bfloat16", "mps") == 2 * 10**9  # which computes in float16


def test_experts_are_put_together_of_what_the_files_hold() -> None:
    large = make_model("phimoe", hidden_size=128, intermediate_size=256)
    small = make_model("llama")
    large.config.dtype = small.config.dtype = torch.float32
    assert take_census(small).stored == "float32"
    assert take_census(large).stored == ""


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_type_of_the_files_is_that_of_the_configuration(tmp_path: Path, dtype: str) -> None:
    model = make_model("llama").to(getattr(torch, dtype))
    model.save_pretrained(tmp_path)
    config = transformers.AutoConfig.from_pretrained(tmp_path)
    plan = Plan("causal", "AutoModelForCausalLM", config, with_code=False)
    assert take_census(skeleton(plan)).stored == dtype
    found = local_size(tmp_path)
    assert found is not None
    assert found[0].stored == dtype


def test_the_sum_and_its_words() -> None:
    fit = Fit(10**9, 2 * 10**8, 10**8, 10**8, free=15 * 10**8, method="nf4")
    assert fit.explain() == (
        "1.4 GB with --quant nf4: weights 1.0 GB, context 200 MB, working memory 200 MB"
    )


def test_a_refusal_says_what_is_missing_and_what_fits() -> None:
    needed = Fit(16 * 10**9, 0, 0, 0, 8 * 10**9, "none")
    smaller = Fit(5 * 10**9, 0, 0, 0, 8 * 10**9, "nf4")
    said = refusal("org/big", needed, [needed, smaller], DEVICE, 8 * 10**9)
    assert "8.0 GB are missing" in said
    assert "What fits: 5.0 GB with --quant nf4" in said
    said = refusal("org/big", needed, [needed], DEVICE, 8 * 10**9)
    assert "up to about 4.0 billion parameters would fit with --quant none" in said
    none = Fit(16 * 10**9, 0, 0, 10**9, 0, "none")
    assert "No model fits" in refusal("org/big", none, [none], DEVICE, 8 * 10**9)


def test_a_model_that_does_not_fit_is_refused_before_it_is_read(
    checkpoints: Checkpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        pytest.fail("weights were read")

    monkeypatch.setattr(assembly, "load_module", refuse)
    small = Device("cpu", 0, "a small processor", 10**9, 10**6)
    monkeypatch.setattr(spread, "detect", lambda _: small)
    with pytest.raises(OutOfMemoryError, match=r"does not fit on a small processor.*missing"):
        load(str(checkpoints("llama")), quant="none")


def test_the_memory_limit_of_a_shared_machine(
    checkpoints: Checkpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FMAGIC_MEMORY_LIMIT", "1MB")
    with pytest.raises(OutOfMemoryError, match=r"0 B are free \(FMAGIC_MEMORY_LIMIT bounds it\)"):
        load(str(checkpoints("llama")), device="cpu")
