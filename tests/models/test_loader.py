"""From a name to a model in memory, and clear words where that cannot be."""

import contextlib
import gc
import json
import shutil
import sys
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fmagic.errors import (
    FmagicError,
    ModelError,
    ModelNotFoundError,
    OfflineError,
    OptionError,
    OutOfMemoryError,
    UnsafeModelError,
)
from fmagic.models import assembly
from fmagic.models.encoder import Encoder
from fmagic.models.language import LanguageModel
from fmagic.models.licenses import UNKNOWN
from fmagic.models.loader import load
from fmagic.settings import Fmagic
from tests.support.checkpoints import Checkpoints, make_adapter, make_checkpoint, make_model


@pytest.fixture
def broken(tmp_path: Path, checkpoints: Checkpoints) -> Path:
    """A copy of a model that a test may break."""
    return Path(shutil.copytree(checkpoints("llama"), tmp_path / "broken"))


def test_a_language_model(checkpoints: Checkpoints) -> None:
    folder = checkpoints("llama", chat_template=True)
    model = load(str(folder), name="mine", dtype="float32", device="cpu")
    assert isinstance(model, LanguageModel)
    assert (model.name, model.kind, model.dtype, model.quant) == (
        "mine",
        "causal",
        "float32",
        "none",
    )
    assert model.parameters == sum(each.numel() for each in make_model("llama").parameters())
    assert model.weight_bytes == pytest.approx(4 * model.parameters, rel=0.01)
    assert model.context_length == 128
    assert model.folder == folder
    assert not model.module.training
    assert not any(each.requires_grad for each in model.module.parameters())
    assert model.info() == {
        "name": "mine",
        "revision": None,
        "quant": "none",
        "dtype": "float32",
        "device": "cpu",
        "adapter": None,
        "license": UNKNOWN.info(),
        "trust_remote_code": None,
        "allow_pickle": None,
    }


def test_a_model_that_mixes_types_computes_in_float32(
    checkpoints: Checkpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = str(checkpoints("deberta"))
    monkeypatch.setattr("fmagic.models.precision.has_fast_bfloat16", lambda: True)
    first = load(folder, device="cpu")
    held = weakref.ref(first.module)
    model = load(folder, device="cpu", replaces=first)
    assert not first.is_loaded
    assert held() is None
    assert model.dtype == "float32"
    assert any("computes in float32" in each for each in model.notices)
    with pytest.raises(ModelError, match=r"mixes types of numbers\. Use --dtype float32"):
        load(folder, device="cpu", dtype="bfloat16")


def test_numbers_too_large_for_float16_are_computed_in_bfloat16(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safetensors.torch import load_file, save_file

    folder = make_checkpoint(tmp_path / "m", "llama")
    weights = load_file(folder / "model.safetensors")
    weights["model.norm.weight"] *= 1e6
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    # As on a GPU without bfloat16.
    monkeypatch.setattr("fmagic.models.precision._fastest", lambda _: "float16")
    model = load(str(folder), device="cpu")
    assert model.dtype == "bfloat16"
    assert any("too large for float16" in each for each in model.notices)
    with pytest.raises(ModelError, match=r"no finite numbers in float16\. Try --dtype float32"):
        load(str(folder), device="cpu", dtype="float16")


def test_the_tokenizer_of_the_files_is_taken_where_mistral_common_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers.integrations.mistral import tokenizer

    folder = make_checkpoint(tmp_path / "m", "mistral", chat_template=True)
    (folder / "tekken.json").write_text("{}")
    monkeypatch.setattr(tokenizer, "is_mistral_common_available", lambda: True)
    assert load(str(folder), device="cpu").tokenizer.chat_template


def test_a_model_knows_its_licence(tmp_path: Path, checkpoints: Checkpoints) -> None:
    settings = Fmagic(models_dir=str(tmp_path / "models"), device="cpu")
    base = shutil.copytree(checkpoints("llama"), tmp_path / "base")
    (base / "README.md").write_text("---\nlicense: llama3.2\n---\n")
    model = load(str(base), settings=settings)
    assert model.license.kind == "restricted"
    assert model.info()["license"] == {
        "id": "llama3.2",
        "class": "restricted",
        "conditions": model.license.conditions,
        "url": model.license.url,
    }
    tune(settings, "mine", "0198a000", base, whole=False)
    assert load("mine", settings=settings).license == model.license
    adapter = make_adapter(base, tmp_path / "adapter")
    (adapter / "README.md").write_text("---\nlicense: cc-by-nc-4.0\n---\n")
    model = load(str(checkpoints("llama")), settings=settings, adapter=adapter)
    # Nobody says what holds for the base, which asks more than what is known of the adapter.
    assert model.license == UNKNOWN


def test_an_encoder_and_its_notice(tmp_path: Path, checkpoints: Checkpoints) -> None:
    assert isinstance(load(str(checkpoints("bert")), device="cpu"), Encoder)
    classifier = make_checkpoint(
        tmp_path / "c", "bert", auto_class="AutoModelForSequenceClassification"
    )
    model = load(str(classifier), device="cpu")
    assert isinstance(model, Encoder)
    assert "is a classifier (BertForSequenceClassification)" in model.notices[0]


def test_the_encoder_of_t5(tmp_path: Path) -> None:
    folder = make_checkpoint(tmp_path / "t5", "t5", auto_class="AutoModelForTextEncoding")
    model = load(str(folder), device="cpu")
    assert (type(model), type(model.module).__name__) == (Encoder, "T5EncoderModel")


@pytest.mark.parametrize("older", [False, True])
def test_folders_of_sentence_transformers(
    older: bool, tmp_path: Path, checkpoints: Checkpoints
) -> None:
    inner = tmp_path / "0_Transformer" if older else tmp_path
    shutil.copytree(checkpoints("mpnet"), inner, dirs_exist_ok=True)
    steps = [
        {"type": "sentence_transformers.models.Transformer", "path": inner.name if older else ""},
        {"type": "sentence_transformers.models.Pooling", "path": "1_Pooling"},
    ]
    (tmp_path / "modules.json").write_text(json.dumps(steps))
    model = load(str(tmp_path), device="cpu")
    assert isinstance(model, Encoder)
    assert model.folder == tmp_path


@pytest.mark.parametrize(
    ("architecture", "tokens"), [("llama", 128), ("roberta", 127), ("mamba", 32_768)]
)
def test_the_context(architecture: str, tokens: int, checkpoints: Checkpoints) -> None:
    assert load(str(checkpoints(architecture)), device="cpu").context_length == tokens


def test_pickled_weights(tmp_path: Path, checkpoints: Checkpoints) -> None:
    import torch

    folder = Path(shutil.copytree(checkpoints("llama"), tmp_path / "old"))
    (folder / "model.safetensors").unlink()
    torch.save(make_model("llama").state_dict(), folder / "pytorch_model.bin")
    with pytest.raises(UnsafeModelError, match="--allow-pickle"):
        load(str(folder), device="cpu")
    assert load(str(folder), device="cpu", allow_pickle=True).parameters > 0


def no_tokenizer(folder: Path) -> None:
    for file in folder.glob("*token*"):
        file.unlink()


def broken_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").write_text("{")


def lost_weight(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def other_shapes(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "intermediate_size": 256}))


def not_finite(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    weights["model.norm.weight"] = weights["model.norm.weight"] * float("nan")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def cut_off(folder: Path) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-1000])


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (no_tokenizer, "tokenizer of broken is missing"),
        (broken_tokenizer, "tokenizer of broken is broken"),
        (lost_weight, r"1 weights are not in its files \(model\.layers\.1\.mlp\.up_proj\.weight"),
        (other_shapes, "broken cannot be loaded"),
        (not_finite, "no finite numbers in float32"),
        (cut_off, "bytes where"),
        (lambda folder: (folder / "config.json").write_text("{"), r"config\.json .*broken"),
        (lambda folder: (folder / "model.safetensors").unlink(), "no weights"),
    ],
)
def test_a_broken_model_is_one_clear_error(
    broken: Path, damage: Callable[[Path], object], said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    damage(broken)
    capfd.readouterr()
    with pytest.raises(ModelError, match=said) as caught:
        load(str(broken), dtype="float32", device="cpu")
    assert len(str(caught.value)) < 500
    cause = caught.value.__cause__
    if damage in (no_tokenizer, broken_tokenizer, other_shapes):  # found by transformers
        assert cause is not None
        assert cause.__traceback__ is not None
    else:
        assert cause is None
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("spec", "options", "error", "said"),
    [
        ("tinny", {}, ModelNotFoundError, "Did you mean 'tiny'"),
        ("org/missing", {}, OfflineError, "hf download org/missing"),
        ("{}", {"quant": "nf5"}, OptionError, "Did you mean 'nf4'"),
        ("{}", {"dtype": "bfloat32"}, OptionError, "dtype"),
        ("{}", {"device": "gpu"}, OptionError, "device"),
        ("{}", {"adapter": "nothing"}, ModelNotFoundError, "no adapter 'nothing'"),
    ],
)
def test_what_cannot_be(  # noqa: PLR0917 - one for each column of the table above
    spec: str,
    options: dict[str, Any],
    error: type[FmagicError],
    said: str,
    checkpoints: Checkpoints,
    hub_cache: Path,
) -> None:
    with pytest.raises(error, match=said):
        load(spec.format(checkpoints("llama")), **options)


def test_options_come_from_the_settings(checkpoints: Checkpoints) -> None:
    settings = Fmagic(quant="nf4", device="cpu", batch_tokens=100)
    model = load(str(checkpoints("llama")), settings=settings)
    assert (model.quant, model.batch_tokens, str(model.device)) == ("nf4", 100, "cpu")


@pytest.mark.parametrize("fails_at", ["must_work", "context_length"])
def test_a_failed_load_leaves_nothing_behind(
    fails_at: str, checkpoints: Checkpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    alive: list[weakref.ref[Any]] = []

    def fail(module: Any, *_: object, **__: object) -> None:
        alive.append(weakref.ref(module))
        held = module  # what a frame of a failed load keeps
        raise RuntimeError(f"something odd in {type(held).__name__}")

    monkeypatch.setattr(assembly, fails_at, fail)
    with pytest.raises(ModelError, match="something odd in LlamaForCausalLM") as caught:
        load(str(checkpoints("llama")), device="cpu")
    assert alive[0]() is None
    # Neither does the error that the notebook keeps until the next one.
    assert caught.value.__context__ is None
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_memory_comes_back_after_a_failed_load(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fmagic.models.devices import resident_bytes

    folder = make_checkpoint(tmp_path / "m", "llama", hidden_size=1024, intermediate_size=4096)
    load(str(folder), dtype="float32", device="cpu").unload()
    before = resident_bytes()
    monkeypatch.setattr(assembly, "must_work", _stop)
    with pytest.raises(KeyboardInterrupt):
        load(str(folder), dtype="float32", device="cpu")
    assert resident_bytes() - before < 30_000_000  # of 150 MB


def _stop(*_: object) -> None:
    raise KeyboardInterrupt


def test_memory_that_runs_out_while_loading(
    checkpoints: Checkpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(assembly, "load_module", fail)
    with pytest.raises(OutOfMemoryError, match="are free now"):
        load(str(checkpoints("llama")), device="cpu")


def test_unload_gives_the_memory_back(tmp_path: Path) -> None:
    folder = make_checkpoint(tmp_path / "m", "llama", hidden_size=1024, intermediate_size=4096)
    model = load(str(folder), dtype="float32", device="cpu")
    assert isinstance(model, LanguageModel)
    assert model.end_tokens  # a cached property, and others that hold the module
    assert model._runner is not None
    gone = weakref.ref(model.module)
    came_back = model.unload()
    assert gone() is None
    assert came_back > 0.8 * model.weight_bytes
    assert model.unload() == 0
    assert not model.is_loaded
    assert model.info()["dtype"] == "float32"
    with pytest.raises(ModelError, match=r"m was unloaded. `%model .*m` loads it again"):
        _ = model.module


def test_nothing_is_changed_for_good(checkpoints: Checkpoints) -> None:
    import logging
    import warnings

    from transformers.utils import logging as transformers_logging

    load(str(checkpoints("llama")), device="cpu")  # imports what there is to import

    def state() -> tuple[object, ...]:
        names = ("", "transformers", "bitsandbytes", "peft", "accelerate", "torch")
        return (
            [logging.getLogger(name).level for name in names],
            list(warnings.filters),
            transformers_logging.is_progress_bar_enabled(),
        )

    before = state()
    load(str(checkpoints("llama")), quant="int8", device="cpu").unload()
    with contextlib.suppress(ModelError):
        load(str(checkpoints("llama", tokenizer=False)), device="cpu")
    gc.collect()
    assert state() == before


def test_an_adapter_changes_the_answers(tmp_path: Path, checkpoints: Checkpoints) -> None:
    import torch

    base = checkpoints("llama")
    adapter = make_adapter(base, tmp_path / "lora")
    plain = load(str(base), dtype="float32", device="cpu")
    for quant in ("none", "nf4"):
        model = load(str(base), dtype="float32", device="cpu", quant=quant, adapter=adapter)
        assert model.adapter == "lora"
        assert model.parameters == plain.parameters
        ids = torch.arange(1, 9)[None]
        with torch.inference_mode():
            assert not torch.allclose(model.network(ids)[0], plain.network(ids)[0], atol=1e-3)


def test_an_empty_adapter_is_said(tmp_path: Path, checkpoints: Checkpoints) -> None:
    adapter = make_adapter(checkpoints("llama"), tmp_path / "fresh", strength=0)
    model = load(str(checkpoints("llama")), device="cpu", adapter=adapter)
    assert "changes nothing" in model.notices[0]


def test_an_adapter_of_another_model(tmp_path: Path, checkpoints: Checkpoints) -> None:
    adapter = make_adapter(checkpoints("llama"), tmp_path / "lora")
    wider = checkpoints("llama", hidden_size=128)
    for other in (wider, checkpoints("gpt2")):
        with pytest.raises(ModelError, match="adapter lora does not fit this model"):
            load(str(other), device="cpu", adapter=adapter)


def test_an_adapter_that_has_no_effect(
    tmp_path: Path, checkpoints: Checkpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter = make_adapter(checkpoints("llama"), tmp_path / "lora", strength=1e-30)
    with pytest.raises(ModelError, match="changes no figure"):
        load(str(checkpoints("llama")), device="cpu", adapter=adapter)


def test_broken_and_pickled_adapters(tmp_path: Path, checkpoints: Checkpoints) -> None:
    adapter = make_adapter(checkpoints("llama"), tmp_path / "lora")
    weights = adapter / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-10])
    with pytest.raises(ModelError, match="bytes where"):
        load(str(checkpoints("llama")), device="cpu", adapter=adapter)
    weights.rename(adapter / "adapter_model.bin")
    with pytest.raises(UnsafeModelError, match="--allow-pickle"):
        load(str(checkpoints("llama")), device="cpu", adapter=adapter)
    (adapter / "adapter_model.bin").unlink()
    with pytest.raises(ModelError, match="has no weights"):
        load(str(checkpoints("llama")), device="cpu", adapter=adapter)


def tune(settings: Fmagic, name: str, run: str, base: Path, *, whole: bool) -> None:
    folder = Path(settings.models_dir) / name / run
    if whole:
        shutil.copytree(base, folder)
    else:
        make_adapter(base, folder)
    (folder / "fmagic.json").write_text(
        json.dumps({"base": str(base), "base_revision": None, "run": run})
    )


def test_tuned_models(checkpoints: Checkpoints, tmp_path: Path) -> None:
    settings = Fmagic(models_dir=str(tmp_path / "models"), device="cpu")
    base = checkpoints("llama")
    tune(settings, "mine", "0198a000", base, whole=False)
    tune(settings, "whole", "0198b000", base, whole=True)

    mine = load("mine", settings=settings)
    assert (mine.adapter, mine.revision, mine.spec.kind) == ("mine", "0198a000", "tuned")
    assert mine.info()["name"] == "mine"
    whole = load("whole", settings=settings)
    assert (whole.adapter, whole.revision) == (None, "0198b000")
    joined = load(str(base), settings=settings, adapter="mine")
    assert joined.adapter == "mine"
    with pytest.raises(OptionError, match="one model takes one"):
        load("mine", settings=settings, adapter="mine")
    with pytest.raises(ModelNotFoundError, match="tuned as a whole"):
        load(str(base), settings=settings, adapter="whole")
    with pytest.raises(ModelNotFoundError, match="Did you mean 'mine'"):
        load(str(base), settings=settings, adapter="mime")


def test_a_tuned_model_whose_base_is_gone(
    checkpoints: Checkpoints, tmp_path: Path, broken: Path
) -> None:
    settings = Fmagic(models_dir=str(tmp_path / "models"), device="cpu")
    tune(settings, "mine", "0198a000", broken, whole=False)
    shutil.rmtree(broken)
    with pytest.raises(ModelNotFoundError, match="no folder"):
        load("mine", settings=settings)


def test_importing_the_names_imports_no_torch() -> None:
    import subprocess

    code = (
        "import sys, fmagic.models.spec, fmagic.models.quant, fmagic.models.loader\n"
        "print([name for name in ('torch', 'transformers', 'peft') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
