"""Quantization: the contract of each method, the choice, and real architectures under each."""

import logging
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fmagic.errors import OptionError
from fmagic.models import quant
from fmagic.models.devices import Device
from fmagic.models.fit import Fit
from fmagic.models.loader import load
from fmagic.models.measures import count_quantized
from fmagic.models.quiet import CASTS_LOGGER
from tests.support.checkpoints import ARCHITECTURES, Checkpoints

CPU = Device("cpu", 0, "a processor", 16 * 10**9, 8 * 10**9)
CUDA = Device("cuda", 0, "a GPU", 16 * 10**9, 8 * 10**9)
NAMES = tuple(quant.methods())
# Architectures with a reason not to be quantized, and what is said.
REFUSALS = {
    ("falcon", "int8"): "Nothing in",
    ("falcon", "nf4"): "Nothing in",
}
# Cosine between the outputs of the exact and the quantized model. T5 does not scale its attention,
# which makes random weights chaotic; a rounded state may take other experts of Phi-MoE.
LIKENESS = {"int8": 0.99, "nf4": 0.9}
LIKENESS_OF = {
    ("t5", "nf4"): 0.7,
    ("t5", "int8"): 0.95,
    ("longt5", "nf4"): 0.7,
    ("phimoe", "nf4"): 0.7,
}


def forward(model: Any) -> Any:
    import torch

    ids = torch.tensor([model.tokenizer("the quick brown fox jumps")["input_ids"]])
    decoder = {"decoder_input_ids": ids} if model.kind == "seq2seq" else {}
    with torch.inference_mode():
        return model.module(input_ids=ids, **decoder)[0].float()


def test_the_folder_is_the_list() -> None:
    assert set(NAMES) == {"none", "int8", "nf4"}


@pytest.mark.parametrize("name", NAMES)
def test_each_method_keeps_the_contract(name: str) -> None:
    method = quant.methods()[name]
    assert method.name == name
    assert all(isinstance(each, str) for each in method.requires)
    assert isinstance(method.trainable, bool)
    assert method.bytes_per_parameter is None or 0 < method.bytes_per_parameter < 2
    assert method.check(CPU) is None or str(method.check(CPU)).endswith(".")
    assert set(method.load_kwargs("bfloat16")) <= {"quantization_config"}


MIXES_TYPES = ("deberta",)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_real_architectures(architecture: str, checkpoints: Checkpoints) -> None:
    import torch

    folder = str(checkpoints(architecture))
    exact = load(folder, quant="none", dtype="float32", device="cpu")
    reference = forward(exact).flatten()
    for name in ("int8", "nf4"):
        if (architecture, name) in REFUSALS:
            with pytest.raises(OptionError, match=REFUSALS[architecture, name]):
                load(folder, quant=name, device="cpu")
            continue
        dtype = "float32" if architecture in MIXES_TYPES else "bfloat16"
        model = load(folder, quant=name, dtype=dtype, device="cpu")
        assert count_quantized(model.module) > 0
        assert model.quant == name
        smaller = exact.weight_bytes / (1 if dtype == "float32" else 2)
        assert model.weight_bytes < smaller
        assert model.parameters == exact.parameters
        likeness = torch.cosine_similarity(forward(model).flatten(), reference, dim=0)
        assert likeness > LIKENESS_OF.get((architecture, name), LIKENESS[name])


def test_layers_that_do_not_divide_stay_as_they_are(checkpoints: Checkpoints) -> None:
    # 96 rows divide by 32, but a row of 96 weights has no whole blocks of 64.
    folder = checkpoints("llama", hidden_size=96, intermediate_size=128)
    model = load(str(folder), quant="nf4", dtype="bfloat16", device="cpu")
    assert count_quantized(model.module) == 2  # the way down, in each of two layers
    assert forward(model).isfinite().all()


@pytest.mark.parametrize("name", ["int8", "nf4"])
def test_weights_that_are_not_used_as_a_layer(name: str, checkpoints: Checkpoints) -> None:
    # Mamba multiplies by this layer's weight itself; a smaller one stays unquantized.
    folder = checkpoints("mamba", time_step_rank=64)
    with pytest.raises(OptionError, match=f"does not work in {name}: its MambaForCausalLM"):
        load(str(folder), quant=name, device="cpu")


def test_nothing_to_quantize_is_said(checkpoints: Checkpoints) -> None:
    folder = checkpoints("llama", hidden_size=48, intermediate_size=72)
    with pytest.raises(OptionError, match=r"sizes that divide by 64\. Use --quant none"):
        load(str(folder), quant="nf4", device="cpu")


def test_a_method_that_cannot_be_used_gives_its_reason() -> None:
    with pytest.raises(OptionError, match=r"--quant nf4 cannot be used on mps: .*bitsandbytes"):
        _with_support({"cpu"}, lambda: quant.get("nf4", Device("mps", 0, "", 1, 1)))


def _with_support(devices: set[str], call: Callable[[], object]) -> None:
    import bitsandbytes

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bitsandbytes, "supported_torch_devices", devices)
        call()


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(OptionError, match="pip install bitsandbytes"):
        quant.get("int8", CPU)


def test_a_misspelt_method_gets_the_nearest() -> None:
    with pytest.raises(OptionError, match=r"Did you mean 'nf4'\? It is one of auto, "):
        quant.get("fn4", CPU)


def test_another_package_can_add_a_method(monkeypatch: pytest.MonkeyPatch) -> None:
    other = SimpleNamespace(name="two_bits", requires=(), check=lambda _: None)
    entry = SimpleNamespace(load=lambda: other)
    monkeypatch.setattr("fmagic.plugins.entry_points", lambda group: [entry] if group else [])
    assert quant.get("two_bits", CPU) is other


@pytest.mark.parametrize(
    ("device", "parameters", "weights", "writes", "name", "reason"),
    [
        (CPU, 5 * 10**6, 10**7, True, "none", "fastest"),
        (CPU, 428 * 10**6, 10**9, True, "nf4", "writes fastest"),
        (CPU, 428 * 10**6, 10**9, False, "none", "encoder"),
        (CPU, 8 * 10**9, 16 * 10**9, True, "nf4", "fastest"),
        (CPU, 8 * 10**9, 16 * 10**9, False, "nf4", "would take 16.0 GB of 8.0 GB free"),
        (CUDA, 10**9, 2 * 10**9, True, "none", "room to spare"),
        (CUDA, 4 * 10**9, 7.8 * 10**9, True, "nf4", "would take 7.8 GB of 8.0 GB free"),
    ],
)
def test_the_choice_and_its_reason(  # noqa: PLR0917 - one for each column of the table above
    device: Device,
    parameters: int,
    weights: float,
    writes: bool,
    name: str,
    reason: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(quant, "processor_has", lambda *_: True)

    def estimate(method: quant.Method) -> Fit:
        return Fit(int(weights), 0, 0, 0, device.free_bytes, method.name)

    choice = quant.choose(device, estimate, parameters=parameters, writes=writes)
    assert choice.method.name == name
    assert reason in choice.reason


def test_without_the_instructions_4_bits_never_pay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quant, "processor_has", lambda *_: False)
    choice = quant.choose(
        CPU,
        lambda method: Fit(10**9, 0, 0, 0, CPU.free_bytes, method.name),
        parameters=500 * 10**6,
        writes=True,
    )
    assert choice.method.name == "none"


def test_weights_that_were_saved_quantized(tmp_path: Path, checkpoints: Checkpoints) -> None:
    first = load(str(checkpoints("llama")), quant="nf4", dtype="bfloat16", device="cpu")
    folder = tmp_path / "stored"
    first.module.save_pretrained(folder)
    first.tokenizer.save_pretrained(folder)
    again = load(str(folder), dtype="bfloat16", device="cpu")
    assert again.quant == "nf4"
    assert again.quant_reason == "its files are quantized so"
    assert again.weight_bytes == pytest.approx(first.weight_bytes, rel=0.01)
    with pytest.raises(OptionError, match="is stored in nf4; --quant int8 cannot change that"):
        load(str(folder), quant="int8", device="cpu")


def test_int8_says_nothing_while_it_works(
    checkpoints: Checkpoints, caplog: pytest.LogCaptureFixture
) -> None:
    logger = logging.getLogger(CASTS_LOGGER)
    before = list(logger.filters)
    model = load(str(checkpoints("llama")), quant="int8", dtype="bfloat16", device="cpu")
    forward(model)
    assert not caplog.records
    assert len(logger.filters) == len(before) + 1
    model.unload()
    assert logger.filters == before


def test_loading_and_running_leak_no_words(
    checkpoints: Checkpoints,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    folders = [str(checkpoints(each)) for each in ("llama", "mamba", "roberta")]
    capfd.readouterr()
    for folder in folders:
        forward(load(folder, device="cpu"))
    assert capfd.readouterr() == ("", "")
    assert not caplog.records


def test_auto_takes_small_models_unquantized_without_bitsandbytes(
    checkpoints: Checkpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: object) -> None:
        pytest.fail("bitsandbytes was asked for")

    monkeypatch.setattr("fmagic.models.quant._bitsandbytes.why_not", refuse)
    model = load(str(checkpoints("llama")), device="cpu")
    assert model.quant == "none"
    assert "fastest" in model.quant_reason
