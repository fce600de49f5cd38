from __future__ import annotations

import enum
import math
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from fmagic.runs.sealing import as_json, seal


class Colour(str, enum.Enum):  # noqa: UP042 - how older libraries still write it
    RED = "red"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.zeros(3), "<ndarray>"),
        ((1, [2.0, None]), [1, [2.0, None]]),
        (Path("a") / "b", str(Path("a") / "b")),
        (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02 00:00:00+00:00"),
        (math.nan, "nan"),
        (-math.inf, "-inf"),
        ({1: b"bytes"}, {"1": "<bytes>"}),
        ("a\ud800b", "a\ufffdb"),
        (10**400, "<int>"),
        (2**63 - 1, 2**63 - 1),
        (len, "<builtin_function_or_method>"),
    ],
)
def test_values_become_json(value: object, expected: object) -> None:
    made = as_json(value)
    assert made == expected
    assert type(made) is type(expected)


def test_subclasses_of_plain_types_become_plain() -> None:
    assert type(as_json(np.float64(1))) is float
    assert type(as_json(Colour.RED)) is str


def test_what_contains_itself_ends() -> None:
    loop: list[object] = []
    loop.append(loop)
    assert "…" in str(as_json(loop))


def test_figures_that_are_no_numbers_are_left_out() -> None:
    figures = {"loss": math.nan, "steps": 3, "huge": 10**400}
    curve = [(0, 1.0), (1, math.inf), (math.nan, 2.0), (3, 0.5)]
    sealed = seal({"metrics": figures, "series": {"loss": curve}}, {})
    assert sealed == {"metrics": {"steps": 3}, "series": {"loss": [[0, 1.0], [3, 0.5]]}}
