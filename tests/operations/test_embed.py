from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from fmagic.models.loader import load
from fmagic.operations.embed import embed, neighbours
from fmagic.operations.events import Advanced

if TYPE_CHECKING:
    from tests.support.checkpoints import Checkpoints


def test_vectors_of_texts(checkpoints: Checkpoints) -> None:
    model = load(str(checkpoints("bert")), device="cpu", quant="none")
    operation = embed(model, ["the fox", "the dog", "the fox"])
    events = []
    try:
        while True:
            events.append(next(operation))
    except StopIteration as end:
        result = end.value
    assert result.vectors.shape == (3, 64)
    assert result.vectors.dtype == np.float32
    assert np.linalg.norm(result.vectors, axis=1) == pytest.approx(1, abs=1e-5)
    assert result.vectors[0] == pytest.approx(result.vectors[2], abs=1e-6)
    assert isinstance(events[-1], Advanced)
    assert events[-1].done == 3


def test_stop_leaves_the_rest_unknown(checkpoints: Checkpoints) -> None:
    model = load(str(checkpoints("bert")), device="cpu", quant="none")
    operation = embed(model, ["fox " * size for size in range(1, 60)])
    next(operation)
    next(operation)
    with pytest.raises(StopIteration) as end:
        operation.throw(KeyboardInterrupt())
    result = end.value.value
    assert result.interrupted
    known = ~np.isnan(result.vectors).any(axis=1)
    assert 0 < known.sum() == result.done < 59


def test_neighbours_are_others() -> None:
    vectors = np.array([[1, 0], [0.6, 0.8], [0, 1]], dtype=np.float32)
    assert [(i, j) for i, j, _ in neighbours(vectors, most=2)] == [(0, 1), (1, 2)]
    assert neighbours(vectors[:1], most=5) == []
