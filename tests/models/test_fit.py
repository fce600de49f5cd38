"""What a model takes, before it is loaded."""

import pytest

from fmagic.errors import OutOfMemoryError
from fmagic.models import loader, quant
from fmagic.models.devices import Device
from fmagic.models.fit import Fit, cache_bytes, estimate, left_alone, refusal, take_census
from fmagic.models.loader import load
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
        model.module.config,
        take_census(make_model("llama", hidden_size=256, intermediate_size=512)),
        quant.methods()[method],
        DEVICE,
        dtype_bytes=2,
        context=128,
    )
    assert said.weights == pytest.approx(model.weight_bytes, rel=0.05)


def test_keys_and_values() -> None:
    # 2 (keys, values) x 2 layers x 2 heads x 16 x 2 bytes for each token
    assert cache_bytes(make_model("llama").config, 2, 100) == 100 * 256
    # 4 layers, all of which see the last 32 tokens but the last one
    sliding = make_model("gemma3_text", num_hidden_layers=6, layer_types=None).config
    full = sum(kind == "full_attention" for kind in sliding.layer_types)
    assert cache_bytes(sliding, 2, 100) == (full * 100 + (6 - full) * 32) * 128
    assert cache_bytes(make_model("mamba").config, 2, 100) == 0


def test_the_sum_and_its_words() -> None:
    fit = Fit(10**9, 2 * 10**8, 10**8, 10**8, free=15 * 10**8, method="nf4")
    assert fit.total == 14 * 10**8
    assert fit.fits
    assert not fit.is_comfortable
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

    monkeypatch.setattr(loader, "load_module", refuse)
    small = Device("cpu", 0, "a small processor", 10**9, 10**6)
    monkeypatch.setattr(loader, "detect", lambda _: small)
    with pytest.raises(OutOfMemoryError, match=r"does not fit on a small processor.*missing"):
        load(str(checkpoints("llama")), quant="none")


def test_the_memory_limit_of_a_shared_machine(
    checkpoints: Checkpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FMAGIC_MEMORY_LIMIT", "1MB")
    with pytest.raises(OutOfMemoryError, match=r"0 B are free \(FMAGIC_MEMORY_LIMIT bounds it\)"):
        load(str(checkpoints("llama")), device="cpu")
