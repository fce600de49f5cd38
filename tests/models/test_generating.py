"""Models that go through the `generate` of transformers, with what their makers set."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

from fmagic.models.language import LanguageModel
from fmagic.models.loader import load
from fmagic.models.sampling import Sampling
from fmagic.template import Turn

if TYPE_CHECKING:
    from tests.support.checkpoints import Checkpoints

BEAMS = 4


@pytest.fixture
def searching(checkpoints: Checkpoints, tmp_path: Path) -> LanguageModel:
    """A model whose makers set a beam search, as those of most translators did."""
    folder = Path(shutil.copytree(checkpoints("bart"), tmp_path / "searching"))
    file = folder / "generation_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text("utf-8")), "num_beams": BEAMS}))
    model = load(str(folder), dtype="float32", device="cpu")
    assert isinstance(model, LanguageModel)
    return model


def test_a_beam_search_gives_what_generate_gives(searching: LanguageModel) -> None:
    assert any("4 beams" in each for each in searching.notices)
    prompts = [searching.encode([Turn("user", text)]) for text in ("The quick", "Pack my box")]
    said = [list(searching.run([each], Sampling(max_tokens=8))) for each in prompts]
    together = {
        row: done for row, _, done in searching.run(prompts, Sampling(max_tokens=8)) if done
    }
    for row, (prompt, parts) in enumerate(zip(prompts, said, strict=True)):
        ((_, text, completion),) = parts  # it comes whole
        assert completion is not None
        assert completion == together[row]
        wanted, greedy = (
            searching.module.generate(
                input_ids=torch.tensor([prompt]), max_new_tokens=8, num_beams=beams
            )
            for beams in (BEAMS, 1)
        )
        assert wanted.tolist() != greedy.tolist()
        assert (
            searching.tokenizer.decode(wanted[0], skip_special_tokens=True).strip() == text.strip()
        )


def test_samples_are_drawn_without_a_search(searching: LanguageModel) -> None:
    prompt = searching.encode([Turn("user", "The quick")])
    sampling = Sampling(max_tokens=8, temperature=1.0, seed=1)
    parts = list(searching.run([prompt], sampling))
    assert [done for _, _, done in parts[:-1]] == [None] * (len(parts) - 1)
    again = list(searching.run([prompt], sampling))
    assert [text for _, text, _ in parts] == [text for _, text, _ in again]
