"""Architectures with a trait of their own that text work has to know."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import sentencepiece
import torch
import transformers
from safetensors.torch import load_file

from fmagic.errors import ContextLengthError, ModelError, UnsuitableModelError
from fmagic.models.architecture import _runs_code
from fmagic.models.language import LanguageModel
from fmagic.models.quiet import quiet
from fmagic.results import Answers
from fmagic.session import Session
from fmagic.settings import Fmagic
from fmagic.template import Turn
from tests.support.checkpoints import VOCABULARY, make_tokenizer

SMALL = {"vocab_size": VOCABULARY, "bos_token_id": 1, "eos_token_id": 1, "pad_token_id": 0}
GEMMA = {
    **SMALL,
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "intermediate_size": 128,
    "sliding_window": 16,
}
BART = {
    **SMALL,
    "d_model": 64,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 64,
    "decoder_ffn_dim": 64,
    "decoder_start_token_id": 1,
}
LANGUAGES = {
    "source": "the quick brown fox jumps over the lazy dog and it runs over the hill",
    "target": "der schnelle braune fuchs springt ueber den faulen hund und ja er laeuft",
}


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return Session(Fmagic(journal_dir=str(tmp_path / "log"), models_dir=str(tmp_path / "models")))


def save(folder: Path, auto_class: str, model_type: str, **config: Any) -> str:
    made = getattr(transformers, auto_class).from_config(
        transformers.AutoConfig.for_model(model_type, **config)
    )
    with quiet():
        made.save_pretrained(folder)
    make_tokenizer().save_pretrained(folder)
    return str(folder)


def test_an_output_that_begins_with_the_decoders_first_token(
    session: Session, tmp_path: Path
) -> None:
    config = {**SMALL, "encoder": GEMMA, "decoder": GEMMA}
    session.load(save(tmp_path / "m", "AutoModelForSeq2SeqLM", "t5gemma", **config), quant="none")
    answered = session.prompt("{{ t }}", data=[{"t": "fox"}, {"t": "a dog"}], choices="yes,no")
    assert isinstance(answered, Answers)
    assert set(answered.texts) <= {"yes", "no"}
    rows = [{"t": "fox", "l": "yes"}, {"t": "dog", "l": "no"}]
    tuned = session.finetune(
        "user:\n{{ t }}\nassistant:\n{{ l }}", data=rows, name="mine", epochs=1
    )
    assert tuned.metrics["loss"] > 0


def test_a_decoder_that_is_shorter_than_its_encoder(session: Session, tmp_path: Path) -> None:
    config = {
        **BART,
        "max_encoder_position_embeddings": 128,
        "max_decoder_position_embeddings": 32,
        "attention_window": [16],
    }
    session.load(save(tmp_path / "m", "AutoModelForSeq2SeqLM", "led", **config), quant="none")
    assert session.model().context_length == 128
    assert session.prompt("fox " * 20, max_tokens=100).run.metrics["output_tokens"] <= 32
    with pytest.raises(ContextLengthError, match="at most"):
        session.prompt("fox " * 200)


def test_a_limit_by_another_name(session: Session, tmp_path: Path) -> None:
    config = {"vocab_size": VOCABULARY, "d_model": 64, "n_layers": 1, "n_heads": 4}
    folder = save(tmp_path / "m", "AutoModelForCausalLM", "mpt", **config, max_seq_len=64)
    session.load(folder, quant="none")
    assert session.model().context_length == 64
    assert session.prompt("fox", max_tokens=200).run.metrics["output_tokens"] <= 64
    with pytest.raises(ContextLengthError, match="at most 6"):
        session.prompt("fox " * 100)


def test_an_encoder_without_a_mask_reads_no_padding(session: Session, tmp_path: Path) -> None:
    config = {**SMALL, "hidden_size": 64, "num_hidden_layers": 2, "intermediate_size": 64}
    session.load(save(tmp_path / "m", "AutoModelForMaskedLM", "fnet", **config), quant="none")
    texts = ["a fox", "the quick brown fox jumps", "a dog", "over the hill it runs"]
    together = session.embed(texts).vectors
    for text, vector in zip(texts, together, strict=True):
        assert session.embed([text]).vectors[0] == pytest.approx(vector, abs=1e-5)


def test_a_model_that_sees_ahead_is_not_asked_how_likely_an_answer_is(
    session: Session, tmp_path: Path
) -> None:
    config = {**SMALL, "d_model": 64, "n_layer": 1, "n_head": 4, "d_inner": 64}
    session.load(save(tmp_path / "m", "AutoModelForCausalLM", "xlnet", **config), quant="none")
    with pytest.raises(UnsuitableModelError, match="--choices would show it the answers"):
        session.prompt("fox", choices="yes,no")
    rows = [{"t": "fox", "l": "yes"}]
    with pytest.raises(UnsuitableModelError, match="tuning would show it the answers"):
        session.finetune("user:\n{{ t }}\nassistant:\n{{ l }}", data=rows, name="mine")


@pytest.mark.parametrize("name", ["MPTForCausalLM", "MptForCausalLM"])
def test_code_of_its_own_is_not_asked_for_where_transformers_has_the_model(name: str) -> None:
    content = {"model_type": "mpt", "architectures": [name], "auto_map": {"AutoModel": "x.Y"}}
    assert not _runs_code(content, name="mpt", trusted=False)


def test_a_translator_splits_its_answers_as_its_target_language(
    session: Session, tmp_path: Path
) -> None:
    folder = tmp_path / "m"
    folder.mkdir()
    ids = {"</s>": 0, "<unk>": 1}
    for side, text in LANGUAGES.items():
        (tmp_path / side).write_text("\n".join([text, *text.split()] * 20))
        sentencepiece.SentencePieceTrainer.train(
            input=str(tmp_path / side),
            model_prefix=str(folder / side),
            vocab_size=60,
            hard_vocab_limit=False,
            minloglevel=2,
        )
        (folder / f"{side}.model").rename(folder / f"{side}.spm")
        pieces = sentencepiece.SentencePieceProcessor(model_file=str(folder / f"{side}.spm"))
        for place in range(pieces.get_piece_size()):
            ids.setdefault(pieces.id_to_piece(place), len(ids))
    ids["<pad>"] = len(ids)
    (folder / "vocab.json").write_text(json.dumps(ids))
    settings = {"source_lang": "en", "target_lang": "de", "tokenizer_class": "MarianTokenizer"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    config = {**BART, "vocab_size": len(ids), "pad_token_id": len(ids) - 1, "eos_token_id": 0}
    made = transformers.MarianMTModel(
        transformers.MarianConfig(**config, decoder_vocab_size=len(ids), bad_words_ids=None)
    )
    with quiet():
        made.save_pretrained(folder)
    session.load(str(folder), quant="none")
    model = session.model()
    assert isinstance(model, LanguageModel)
    asked = model.render([Turn("user", "the quick fox")])
    for answer in ("ja", "der schnelle fuchs"):
        expected = model.tokenizer(text_target=answer)["input_ids"]
        assert model.answer_tokens(asked, answer) == expected
        assert model.tokenizer(answer)["input_ids"] != expected


def test_a_tokenizer_that_needs_a_package_says_so(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ImportError("\nXTokenizer requires the somepiece library.\nMore.")

    folder = save(tmp_path / "m", "AutoModelForSeq2SeqLM", "bart", **BART)
    monkeypatch.setattr(transformers.AutoTokenizer, "from_pretrained", fail)
    with pytest.raises(ModelError, match=r"not installed: XTokenizer requires the somepiece lib"):
        session.load(folder, quant="none")


def test_a_model_that_places_tokens_by_their_columns_reads_rows_of_one_length(
    session: Session, tmp_path: Path
) -> None:
    """The decoder of BART alone; beside a longer row its answer was another."""
    config = {**BART, "init_std": 1.0}
    session.load(save(tmp_path / "m", "AutoModelForCausalLM", "bart", **config), quant="none")
    rows = [{"t": "fox"}, {"t": "the quick brown fox jumps over the lazy dog"}, {"t": "a dog"}]
    together = session.prompt("{{ t }}", data=rows, max_tokens=12)
    alone = [session.prompt("{{ t }}", data=[row], max_tokens=12) for row in rows]
    assert isinstance(together, Answers)
    assert together.texts == [each.texts[0] for each in alone if isinstance(each, Answers)]


def test_rwkv_writes_with_the_weights_of_its_files(session: Session, tmp_path: Path) -> None:
    """Those of its later layers were halved in place, and saved so after they were tuned."""
    config = {**SMALL, "hidden_size": 32, "num_hidden_layers": 8, "context_length": 128}
    folder = save(tmp_path / "m", "AutoModelForCausalLM", "rwkv", **config)
    session.load(folder, quant="none", dtype="float32")
    session.prompt("fox", max_tokens=2)
    weights = session.model().network.state_dict()
    for name, each in load_file(Path(folder, "model.safetensors")).items():
        torch.testing.assert_close(weights[name], each, rtol=0, atol=0)
    with pytest.raises(ModelError, match="float16"):
        session.load(folder, quant="none", dtype="float16")
