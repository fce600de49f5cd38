"""What a model is, from its config.json."""

import json
from pathlib import Path
from typing import Any

import pytest

from fmagic.errors import ModelError, UnsafeModelError, UnsuitableModelError
from fmagic.models.architecture import Plan, make_plan
from tests.support.checkpoints import Checkpoints


def plan(folder: Path, *, trusted: bool = False, is_vectors: bool = False) -> Plan:
    return make_plan(folder, name="it", trust_remote_code=trusted, is_vectors=is_vectors)


def write(folder: Path, **config: Any) -> Path:
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.mark.parametrize(
    ("model_type", "architecture", "kind", "auto_class"),
    [
        ("llama", "LlamaForCausalLM", "causal", "AutoModelForCausalLM"),
        ("rwkv", "RwkvForCausalLM", "causal", "AutoModelForCausalLM"),
        ("gpt_bigcode", "GPTBigCodeForCausalLM", "causal", "AutoModelForCausalLM"),
        ("llama", None, "causal", "AutoModelForCausalLM"),
        ("mistral", "MistralModel", "encoder", "AutoModel"),
        ("t5", "T5ForConditionalGeneration", "seq2seq", "AutoModelForSeq2SeqLM"),
        ("t5", "T5EncoderModel", "encoder", "AutoModelForTextEncoding"),
        ("bart", "BartForConditionalGeneration", "seq2seq", "AutoModelForSeq2SeqLM"),
        ("bart", "BartModel", "seq2seq", "AutoModelForSeq2SeqLM"),
        ("bart", None, "seq2seq", "AutoModelForSeq2SeqLM"),
        ("bert", "BertForMaskedLM", "encoder", "AutoModel"),
        ("bert", "BertModel", "encoder", "AutoModel"),
        ("bert", None, "encoder", "AutoModel"),
        ("bert", "BertForPreTraining", "encoder", "AutoModel"),
        ("modernbert", "ModernBertForMaskedLM", "encoder", "AutoModel"),
        ("bert", "SomebodysOwnBert", "encoder", "AutoModel"),
    ],
)
def test_the_kind(
    model_type: str, architecture: str | None, kind: str, auto_class: str, tmp_path: Path
) -> None:
    named = {"architectures": [architecture]} if architecture else {}
    found = plan(write(tmp_path, model_type=model_type, **named))
    assert (found.kind, found.auto_class, found.notice) == (kind, auto_class, None)


@pytest.mark.parametrize(
    ("model_type", "architecture"),
    [
        ("bert", "BertForSequenceClassification"),
        ("roberta", "RobertaForQuestionAnswering"),
        ("llama", "LlamaForSequenceClassification"),
    ],
)
def test_a_classifier_becomes_an_encoder_and_says_so(
    model_type: str, architecture: str, tmp_path: Path
) -> None:
    found = plan(write(tmp_path, model_type=model_type, architectures=[architecture]))
    assert found.kind == "encoder"
    assert found.notice is not None
    assert architecture in found.notice


def test_a_model_with_a_pooling_still_writes_if_it_can(tmp_path: Path) -> None:
    folder = write(tmp_path, model_type="qwen3", architectures=["Qwen3ForCausalLM"])
    assert plan(folder, is_vectors=True).kind == "causal"
    folder = write(tmp_path, model_type="t5", architectures=["T5ForConditionalGeneration"])
    assert plan(folder, is_vectors=True).auto_class == "AutoModelForTextEncoding"


@pytest.mark.parametrize(
    ("model_type", "architecture"),
    [
        ("gemma3", "Gemma3ForConditionalGeneration"),
        ("gemma4", "Gemma4ForConditionalGeneration"),
        ("qwen3_5", "Qwen3_5ForConditionalGeneration"),
        ("llama4", "Llama4ForConditionalGeneration"),
        ("gemma3", None),
    ],
)
def test_a_causal_model_that_reads_images_too_reads_text(
    model_type: str, architecture: str | None, tmp_path: Path
) -> None:
    named = {"architectures": [architecture]} if architecture else {}
    found = plan(write(tmp_path, model_type=model_type, **named))
    assert (found.kind, found.auto_class) == ("causal", "AutoModelForCausalLM")
    assert found.notice is not None
    assert "images" in found.notice


@pytest.mark.parametrize(
    ("model_type", "architecture", "said"),
    [
        ("llava", "LlavaForConditionalGeneration", "images"),
        ("mllama", "MllamaForConditionalGeneration", "images"),
        ("clip", "CLIPModel", "images"),
        ("vit", "ViTForImageClassification", "images"),
        ("whisper", "WhisperForConditionalGeneration", "sound"),
        ("wav2vec2", "Wav2Vec2ForCTC", "sound"),
        ("qwen2_audio", "Qwen2AudioForConditionalGeneration", "sound"),
        ("vit", None, "images"),
    ],
)
def test_images_and_sound(
    model_type: str, architecture: str | None, said: str, tmp_path: Path
) -> None:
    named = {"architectures": [architecture]} if architecture else {}
    with pytest.raises(UnsuitableModelError, match=said):
        plan(write(tmp_path, model_type=model_type, **named))


def test_a_config_that_is_not_there_or_broken(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no config\.json"):
        plan(tmp_path)
    for text in ("{", "[1]", '{"model_type": "llama", "hidden_size": "wide"}'):
        (tmp_path / "config.json").write_text(text)
        with pytest.raises(ModelError, match=r"config\.json .*broken"):
            plan(tmp_path)


def test_a_config_without_a_type(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="names no model_type"):
        plan(write(tmp_path, hidden_size=8))


def test_an_architecture_that_transformers_does_not_know(tmp_path: Path) -> None:
    with pytest.raises(UnsuitableModelError, match=r"'newest'\)\. .*pip install -U transformers"):
        plan(write(tmp_path, model_type="newest", architectures=["NewestForCausalLM"]))


CODE = {"AutoConfig": "code.MyConfig", "AutoModelForCausalLM": "code.MyModel"}


def test_code_of_its_own_is_refused(tmp_path: Path) -> None:
    for model_type, architecture in (("mine", "MyModel"), ("bert", "JinaBertModel")):
        folder = write(tmp_path, model_type=model_type, architectures=[architecture], auto_map=CODE)
        with pytest.raises(UnsafeModelError, match=rf"{architecture}.*--trust-remote-code"):
            plan(folder)


def test_an_architecture_that_transformers_has_needs_no_code(tmp_path: Path) -> None:
    folder = write(tmp_path, model_type="phi3", architectures=["Phi3ForCausalLM"], auto_map=CODE)
    for trusted in (False, True):
        found = plan(folder, trusted=trusted)
        assert (found.kind, found.with_code) == ("causal", False)


def test_trusted_code_runs_and_says_so(
    tmp_path: Path, checkpoints: Checkpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules")
    )
    monkeypatch.setenv("PYTHONPATH", "")
    monkeypatch.syspath_prepend(str(tmp_path / "modules"))
    (tmp_path / "code.py").write_text(
        "from transformers import LlamaConfig, LlamaForCausalLM\n"
        "class MyConfig(LlamaConfig):\n    model_type = 'mine'\n"
        "class MyModel(LlamaForCausalLM):\n    config_class = MyConfig\n"
    )
    folder = write(tmp_path, model_type="mine", architectures=["MyModel"], auto_map=CODE)
    found = plan(folder, trusted=True)
    assert (found.kind, found.with_code) == ("causal", True)
    assert found.notice is not None
    assert "--trust-remote-code" in found.notice
