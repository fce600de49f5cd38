"""Vectors against the model's own states, one text at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from fmagic.errors import ContextLengthError
from fmagic.models.encoder import embed, tokenize
from fmagic.models.loader import load

if TYPE_CHECKING:
    from tests.support.checkpoints import Checkpoints

TEXTS = ["The fox", "jumps over the lazy dog", "", "yes", "Pack my box with five dozen jugs"]


def vectors(model: Any, texts: list[str], **options: Any) -> np.ndarray:
    found = None
    for places, part in embed(model, tokenize(model, texts), **options):
        found = np.full((len(texts), part.shape[1]), np.nan) if found is None else found
        found[places] = part
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("architecture", "pooled"),
    [("bert", "mean"), ("mpnet", "mean"), ("llama", "last"), ("mamba", "last"), ("t5", "mean")],
)
def test_batches_change_nothing(checkpoints: Checkpoints, architecture: str, pooled: str) -> None:
    model = load(str(checkpoints(architecture)), device="cpu", quant="none", dtype="float32")
    together = vectors(model, TEXTS, batch_tokens=40)
    assert not np.isnan(together).any()
    assert np.linalg.norm(together, axis=1) == pytest.approx(1)
    for row, text in enumerate(TEXTS):
        assert vectors(model, [text])[0] == pytest.approx(together[row], abs=1e-4)
    ids = torch.tensor(tokenize(model, [TEXTS[1]]))
    network = model.network
    body = network.get_encoder() if architecture == "t5" else network.base_model
    with torch.inference_mode():
        states = body(input_ids=ids).last_hidden_state[0]
    expected = states.mean(dim=0) if pooled == "mean" else states[-1]
    expected = torch.nn.functional.normalize(expected, dim=0)
    assert together[1] == pytest.approx(expected.numpy(), abs=1e-4)


def test_a_causal_model_keeps_no_keys_for_vectors(checkpoints: Checkpoints) -> None:
    model = load(str(checkpoints("llama")), device="cpu", quant="none")
    kept: list[object] = []
    watch = model.network.base_model.register_forward_hook(
        lambda _, __, output: kept.append(output.past_key_values)
    )
    vectors(model, TEXTS)
    watch.remove()
    assert set(kept) == {None}


def test_a_mark_in_a_text_is_text(checkpoints: Checkpoints) -> None:
    model = load(str(checkpoints("bert")), device="cpu", quant="none")
    mark = model.tokenizer.sep_token or model.tokenizer.eos_token
    plain, marked = tokenize(model, ["the fox", f"the fox {mark}"])
    token = model.tokenizer.convert_tokens_to_ids(mark)
    assert marked.count(token) == plain.count(token)
    assert len(marked) > len(plain)


def test_a_text_that_is_too_long_is_named_or_cut(checkpoints: Checkpoints) -> None:
    model = load(str(checkpoints("bert")), device="cpu", quant="none")
    texts = ["short", "fox " * 300]
    with pytest.raises(ContextLengthError, match=r"1 of 2 texts .* text 2 .*--truncate"):
        tokenize(model, texts)
    assert len(tokenize(model, texts, truncate=True)[1]) == model.context_length
