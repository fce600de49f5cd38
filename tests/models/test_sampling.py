from __future__ import annotations

import pytest
import torch

from fmagic.errors import OptionError
from fmagic.models.sampling import Sampling, pick, stream_of


def draw(logits: list[float], count: int, **options: float) -> list[int]:
    sampling = Sampling(**options)  # type: ignore[arg-type]  # figures of a test
    streams = [stream_of(0, row) for row in range(count)]
    return pick(torch.tensor([logits] * count), sampling, streams).tolist()


def test_zero_temperature_takes_the_likeliest() -> None:
    assert draw([0.0, 2.0, 1.0], 3) == [1, 1, 1]


def test_draws_follow_the_probabilities() -> None:
    logits = torch.tensor([0.5, 0.3, 0.2]).log().tolist()
    drawn = draw(logits, 4000, temperature=1.0)
    shares = [drawn.count(token) / 4000 for token in range(3)]
    assert shares == pytest.approx([0.5, 0.3, 0.2], abs=0.04)


def test_the_nucleus_leaves_the_tail_out() -> None:
    logits = torch.tensor([0.5, 0.3, 0.2]).log().tolist()
    assert set(draw(logits, 500, temperature=1.0, top_p=0.6)) == {0, 1}
    assert set(draw(logits, 50, temperature=1.0, top_p=0.1)) == {0}


@pytest.mark.parametrize(
    "options", [{"max_tokens": 0}, {"temperature": -1.0}, {"top_p": 0.0}, {"top_p": 1.5}]
)
def test_values_out_of_range_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(OptionError, match="must be"):
        Sampling(**options)  # type: ignore[arg-type]  # wrong on purpose
