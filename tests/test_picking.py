"""The table of what can be picked."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from fmagic.models.fit import Fit
from fmagic.picker import CANCELLED
from fmagic.picking import count_said, picking, tuning_said
from fmagic.session import Session
from fmagic.settings import Fmagic

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.support.checkpoints import Checkpoints

GB = 10**9


def test_what_tuning_takes_stands_in_place_of_what_asking_takes(
    tmp_path: Path, hub_cache: Path
) -> None:
    session = Session(Fmagic(device="cpu", models_dir=str(tmp_path)))
    asking, tuning = (
        repr(session.models("tiny", cached=True, tune=tune)) for tune in (None, "lora")
    )
    assert "memory" in asking
    assert "to tune (lora)" in tuning
    assert "16 rows of 256 tokens at once" in tuning
    assert "memory" not in tuning


def test_cancel_while_the_weights_are_read_leaves_what_was_current(
    checkpoints: Checkpoints, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Session(Fmagic(models_dir=str(tmp_path / "models"), device="cpu"))
    session.load(str(checkpoints("llama")), name="first", quant="none")
    state = picking(session)
    load = session.load

    def slow(*args: Any, **kwargs: Any) -> Any:
        model = load(*args, **kwargs)
        state.cancel()
        return model

    monkeypatch.setattr(session, "load", slow)
    state.name = str(checkpoints("gpt2"))
    state.phase = "loading"
    state._work(state.name, "none", "%model")
    assert (state.phase, state.message) == ("failed", CANCELLED)
    assert session.current == "first"
    assert list(session.by_name) == ["first"]


def test_words_about_fit() -> None:
    fit = Fit(2 * GB, 0, GB, 0, 8 * GB, "none")
    assert tuning_said(fit) == "3.0 GB"
    assert tuning_said(dataclasses.replace(fit, free=3 * GB)) == "3.0 GB, which is tight"
    assert tuning_said(dataclasses.replace(fit, free=GB)) == "3.0 GB, does not fit"


def test_numbers_of_parameters() -> None:
    assert [count_said(n) for n in (0, 400_000, 135 * 10**6, 6 * 10**8, 7 * GB, 405 * GB)] == [
        "",
        "1M",
        "135M",
        "0.6B",
        "7.0B",
        "405B",
    ]
