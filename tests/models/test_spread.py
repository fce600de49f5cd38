"""Models over several devices; the GPUs here are made up, what is put on the processor is real."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import torch
from accelerate import cpu_offload  # type: ignore[import-untyped]  # it has no types

from fmagic.errors import OptionError, OutOfMemoryError, UnsuitableModelError
from fmagic.models import devices, fit, spread
from fmagic.models.devices import Device, detect, gpus, held_bytes, joined, memory_in_use
from fmagic.models.encoder import embed
from fmagic.models.fit import Census
from fmagic.models.language import LanguageModel
from fmagic.models.loader import load
from fmagic.models.measures import weight_bytes
from fmagic.models.memory import PeakMemory
from fmagic.models.placing import find_place
from fmagic.models.sampling import Sampling
from fmagic.session import Session
from fmagic.settings import Fmagic
from fmagic.template import Turn

if TYPE_CHECKING:
    from tests.support.checkpoints import Checkpoints

GB = 10**9
SMALL = Device("cuda", 0, "GPU of 8", 8 * GB, 6 * GB)
LARGE = Device("cuda", 1, "GPU of 12", 12 * GB, 10 * GB)
HOST = Device("cpu", 0, "processor", 128 * GB, 80 * GB)


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"cuda:0": SMALL, "cuda:1": LARGE, "cpu": HOST}
    monkeypatch.setattr(spread, "gpus", lambda: [LARGE, SMALL])
    monkeypatch.setattr(spread, "detect", lambda request: known[request])


def plan_of(**more: Any) -> Any:
    config = SimpleNamespace(
        hidden_size=4096,
        num_hidden_layers=32,
        num_attention_heads=32,
        num_key_value_heads=8,
        intermediate_size=14336,
        vocab_size=128_000,
        max_position_embeddings=8192,
        **more,
    )
    config.get_text_config = lambda **_: config
    return SimpleNamespace(config=config, kind="causal")


def place(billions: float, ways: list[Device], asked: str = "auto", **more: Any) -> Any:
    census = Census(int(billions * GB), GB // 10, GB // 10)
    return find_place(plan_of(**more), census, ways=ways, asked=asked, dtype="bfloat16", label="it")


def test_one_gpu_is_tried_before_all_and_all_before_the_processors_memory(two_gpus: None) -> None:
    first, several, everything = spread.ways("auto")
    assert str(first) == "cuda:1"
    assert str(several) == "cuda:1+cuda:0"
    assert str(everything) == "cuda:1+cuda:0+cpu"
    assert several.free_bytes == 16 * GB
    assert (everything.type, everything.index) == ("cuda", 1)
    assert spread.offloads(everything)
    assert not spread.offloads(several)
    assert not spread.offloads(first)


def test_without_a_gpu_auto_is_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spread, "gpus", list)
    assert [str(way) for way in spread.ways("auto")] == [str(detect())]
    assert [str(way) for way in spread.ways("CPU ")] == ["cpu"]
    assert [str(way) for way in spread.ways(None)] == [str(detect())]


def test_a_device_of_parts_is_found_again_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert str(detect("cpu+cpu")) == "cpu"
    monkeypatch.setattr(devices, "_asked_cuda", lambda index: (SMALL, LARGE)[index])
    device = detect("cuda:0+cuda:1")
    assert device.parts == (SMALL, LARGE)
    assert detect(str(device)) == device
    assert device.touches(LARGE)
    assert not device.touches(HOST)
    with pytest.raises(OptionError, match="no device 'gpu'"):
        detect("cuda:0+gpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there it is all GPUs and the processor")
def test_auto_without_a_gpu_is_the_one_device() -> None:
    assert gpus() == []
    assert detect("auto").name == detect().name


def test_memory_of_several_devices_is_added_up() -> None:
    cpu = detect("cpu")
    both = joined([cpu, cpu])
    assert joined([cpu]) is cpu
    assert both.total_bytes == 2 * cpu.total_bytes
    assert held_bytes(both) > 1.5 * held_bytes(cpu)
    assert memory_in_use(both)[0] > 0
    assert PeakMemory(both).bytes() > 0


@pytest.mark.parametrize(
    ("billions", "asked", "expected", "quant"),
    [
        (3, "auto", "cuda:1", "none"),
        (12, "auto", "cuda:1", "nf4"),
        (6, "none", "cuda:1+cuda:0", "none"),
        (20, "nf4", "cuda:1+cuda:0", "nf4"),
        (15, "none", "cuda:1+cuda:0+cpu", "none"),
        (35, "auto", "cuda:1+cuda:0+cpu", "none"),
    ],
)
def test_the_first_place_with_room_is_taken(
    two_gpus: None, billions: float, asked: str, expected: str, quant: str
) -> None:
    device, choice, needed = place(billions, spread.ways("auto"), asked)
    assert (str(device), choice.method.name) == (expected, quant)
    assert needed.fits


def test_quantized_weights_are_never_promised_to_the_processors_memory(two_gpus: None) -> None:
    with pytest.raises(OutOfMemoryError, match="GPU of 12 and GPU of 8: it takes"):
        place(60, spread.ways("auto"), "nf4")
    stored = {"quant_method": "bitsandbytes", "bnb_4bit_quant_type": "nf4"}
    with pytest.raises(OutOfMemoryError, match="GPU of 12 and GPU of 8: it takes"):
        place(60, spread.ways("auto"), quantization_config=stored)


def test_what_fits_in_sum_but_not_part_by_part_is_refused_without_figures_below_zero() -> None:
    with pytest.raises(OutOfMemoryError, match="are free in all, but each GPU must keep room"):
        place(7.2, [joined([LARGE, SMALL])], "none")


def test_what_fits_nowhere_is_refused_with_figures(two_gpus: None) -> None:
    with pytest.raises(OutOfMemoryError, match=r"and processor: it takes .* missing\. A model of"):
        place(70, spread.ways("auto"), "none")


def test_each_gpu_keeps_room_for_the_work(two_gpus: None) -> None:
    whole = joined([LARGE, SMALL, HOST])
    needed = fit.Fit(20 * GB, GB, GB // 2, GB // 2, whole.free_bytes, "none")
    arguments = spread.placement(whole, needed)
    assert arguments["device_map"] == "sequential"
    assert arguments["max_memory"] == {1: 7.2 * GB, 0: 3.6 * GB, "cpu": 72 * GB}
    assert spread.placement(joined([LARGE, SMALL]), needed)["max_memory"]["cpu"] == 0
    # transformers itself takes a tenth off what it may fill with quantized weights.
    quantized = fit.Fit(20 * GB, GB, GB // 2, GB // 2, whole.free_bytes, "nf4")
    room = spread.placement(whole, quantized)["max_memory"]
    assert [round(0.9 * room[place] / GB, 3) for place in (1, 0)] == [7.2, 3.6]
    assert spread.placement(LARGE, needed) == {"device_map": {"": "cuda:1"}}


def test_what_fits_is_what_can_be_placed() -> None:
    both = joined([LARGE, SMALL])
    free = both.free_bytes
    assert spread.fits(both, fit.Fit(10 * GB, GB, GB // 2, GB // 2, free, "none"))
    # Less than is free in all, but each GPU needs room for the work.
    assert not spread.fits(both, fit.Fit(12 * GB, GB, GB // 2, GB // 2, free, "none"))
    assert spread.fits(LARGE, fit.Fit(8 * GB, GB, GB // 2, GB // 2, LARGE.free_bytes, "none"))


def test_layers_without_room_are_no_silent_load_from_disk() -> None:
    module = SimpleNamespace(hf_device_map={"embed": 1, "layers.0": "disk"})
    with pytest.raises(OutOfMemoryError, match="Not all layers found room on GPU of 12 and GPU"):
        spread.settled(joined([LARGE, SMALL]), module)


def test_a_quantization_is_refused_where_weights_would_have_to_stay(two_gpus: None) -> None:
    with pytest.raises(OptionError, match=r"--quant nf4 cannot be used on cuda:1\+cpu: quantized"):
        place(30, [joined([LARGE, HOST])], "nf4")


def test_the_devices_that_a_model_lies_on_are_told() -> None:
    whole = joined([LARGE, SMALL, HOST])
    on_both = SimpleNamespace(hf_device_map={"embed": 1, "layers.0": 1, "layers.1": 0})
    assert str(spread.settled(whole, on_both)) == "cuda:1+cuda:0"
    assert spread.settled(whole, SimpleNamespace(hf_device_map={"": 1})) == LARGE
    assert spread.settled(LARGE, on_both) == LARGE


def test_a_model_whose_weights_come_for_each_pass_answers_the_same(
    checkpoints: Checkpoints,
) -> None:
    folder = str(checkpoints("llama", chat_template=True))
    turns = [Turn("user", "the quick brown fox")]
    found = []
    for away in (False, True):
        model = load(folder, dtype="float32", device="cpu", quant="none")
        assert isinstance(model, LanguageModel)
        taken = weight_bytes(model.module)
        if away:
            cpu_offload(model.network, execution_device=torch.device("cpu"))
            assert model.network.get_input_embeddings().weight.device.type == "meta"
            assert weight_bytes(model.module) == taken == model.weight_bytes
            said = spread.warning(joined([LARGE, HOST]), model.module)
            assert said
            assert "stay in the processor's memory" in said
            assert f"{spread.LINK / (4 * model.parameters):.1f} tokens a second" in said
        else:
            assert spread.warning(joined([LARGE, HOST]), model.module) is None
            assert spread.warning(LARGE, model.module) is None
        prompt = model.encode(turns)
        ((_, decision),) = model.decide([prompt], ["yes", "no"], [turns])
        vectors = [part.round(5).tolist() for _, part in embed(model, [prompt])]
        *_, (_, _, completion) = model.run([prompt], Sampling(max_tokens=8))
        found.append((completion, decision.text, vectors))
        model.unload()
    assert found[0] == found[1]


def test_auto_loads_and_a_spread_model_is_not_tuned(checkpoints: Checkpoints) -> None:
    session = Session(Fmagic(device="cpu"))
    model = session.load(str(checkpoints("llama")), name="it", device="auto")
    assert str(model.device) == str(detect())
    model.device = joined([LARGE, SMALL])
    rows = [{"text": "a", "label": "b"}]
    with pytest.raises(UnsuitableModelError, match=r"spread over cuda:1\+cuda:0"):
        session.finetune("user:\n{{ text }}\nassistant:\n{{ label }}", data=rows, name="tuned")
