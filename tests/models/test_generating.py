"""Models that go through the `generate` of transformers, with what their makers set."""

from __future__ import annotations

import json
import shutil
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Self

import pytest
import torch

from fmagic.models import generating
from fmagic.models.language import LanguageModel
from fmagic.models.loader import load
from fmagic.models.sampling import Sampling
from fmagic.shield import Shield
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


def test_stop_does_not_wait_for_the_first_token(
    checkpoints: Checkpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load(str(checkpoints("bart")), dtype="float32", device="cpu")
    assert isinstance(model, LanguageModel)
    first, *others = model.module.model.decoder.layers
    main, stopped = threading.main_thread().ident, threading.Event()
    assert main is not None
    seen: list[int] = []
    shields: list[Shield] = []

    def press(*_: object) -> None:
        signal.pthread_kill(main, signal.SIGINT)
        stopped.wait()

    class Told(Shield):
        def __enter__(self) -> Self:
            shields.append(self)
            if len(shields) > 1:  # the first is around the start of the worker
                stopped.set()
            return super().__enter__()

    monkeypatch.setattr(generating, "Shield", Told)
    hooks = [first.register_forward_hook(press)]
    hooks += [each.register_forward_hook(lambda *_: seen.append(1)) for each in others]
    with pytest.raises(KeyboardInterrupt):
        list(model.run([model.encode([Turn("user", "The quick")])], Sampling(max_tokens=8)))
    for hook in hooks:
        hook.remove()
    assert others
    assert not seen
    assert list(model.run([model.encode([Turn("user", "The quick")])], Sampling(max_tokens=8)))
