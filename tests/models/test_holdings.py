"""What a kernel holds, and how it is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
import torch

from fmagic.errors import OutOfMemoryError
from fmagic.models import spread
from fmagic.models.devices import Device, joined
from fmagic.models.holdings import Held, _is_on, offer
from fmagic.session import Session
from fmagic.settings import Fmagic
from tests.models.test_fit import DEVICE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.support.checkpoints import Checkpoints


class Notebook(Session):
    """A session whose user has variables."""

    names: Mapping[str, object] = {}

    def user_variables(self) -> Mapping[str, object]:
        return self.names


def test_models_come_first_the_longest_unused_of_them_before_the_others(
    checkpoints: Checkpoints,
) -> None:
    session = Notebook(Fmagic(device="cpu"))
    folder = str(checkpoints("llama"))
    for name in ("first", "second"):
        session.load(folder, name=name, quant="none")
    session.model("first")
    array = np.zeros(3_000_000)
    session.names = {
        "array": array,
        "same": array,
        "tensor": torch.zeros(4_000_000),
        "small": torch.zeros(4),
        "weights": session.model("first").module,
        "frame": pd.DataFrame({"a": np.zeros(1_500_000)}),
        "text": "x" * 20_000_000,
    }
    held = session.holdings(DEVICE)
    assert [each.name for each in held] == ["second", "first", "array", "tensor", "frame"]
    assert held[2] == Held("array", "ndarray", 24_000_000, "del array")
    said = offer(held)
    assert "`del array` (ndarray, 24.0 MB)" in said
    assert "second" not in said, "a few kilobytes are not worth a line"
    assert offer([]) == ""
    assert "array (ndarray)" in repr(session.status())


def test_other_devices_do_not_count(checkpoints: Checkpoints) -> None:
    session = Notebook(Fmagic(device="cpu"))
    session.load(str(checkpoints("llama")), quant="none")
    session.names = {"tensor": torch.zeros(4_000_000), "array": np.zeros(3_000_000)}
    assert session.holdings(Device("cuda", 0, "a GPU", 10**9, 10**9)) == []


def test_of_several_gpus_the_right_one_counts() -> None:
    first, second = (Device("cuda", index, "GPU", 1, 1) for index in (0, 1))
    place = torch.device("cuda:0")
    assert _is_on(place, first)
    assert not _is_on(place, second)
    assert _is_on(place, joined([second, first]))
    assert not _is_on(torch.device("cpu"), first)


def test_a_model_that_does_not_fit_is_refused_with_an_offer(
    checkpoints: Checkpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Notebook(Fmagic(device="cpu"))
    session.names = {"tensor": torch.zeros(4_000_000)}
    full = Device("cpu", 0, "a full processor", 10**9, 10**3)
    monkeypatch.setattr(spread, "detect", lambda _: full)
    with pytest.raises(OutOfMemoryError, match=r"missing.*\n.*`del tensor` \(Tensor, 16.0 MB\)"):
        session.load(str(checkpoints("llama")), quant="none")
    assert not session.by_name
