from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from fmagic.runs.card import figure
from fmagic.views import duration, number, size

# The tests of the JupyterLab extension read these too.
SHARED = json.loads((Path(__file__).parents[1] / "fixtures" / "formats.json").read_text("utf-8"))


def test_what_the_extension_writes_alike() -> None:
    for write in (number, size, duration):
        for value, expected in SHARED[write.__name__]:
            assert write(value) == expected
    for name, value, expected in SHARED["figure"]:
        assert figure(name, value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, "0"),
        (0.0, "0"),
        (7, "7"),
        (2026, "2026"),
        (12345, "12,345"),
        (-1234567, "-1,234,567"),
        (0.1 + 0.2, "0.3"),
        (0.42129, "0.4213"),
        (1.5, "1.5"),
        (100.0, "100"),
        (9999.96, "10000"),
        (12345.6, "12,346"),
        (0.0003, "0.0003"),
        (3e-5, "3e-05"),
        (-2.5e-7, "-2.5e-07"),
        (1e20, "1e+20"),
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
        (np.float32(0.1), "0.1"),
        (np.int64(12345), "12,345"),
        (Fraction(1, 3), "0.3333"),
        (True, "True"),
        (None, "–"),  # noqa: RUF001 - the dash of what is not there
        ("text", "text"),
    ],
)
def test_number(value: object, expected: str) -> None:
    assert number(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (99_960, "100 kB"),
        (999_960, "1.0 MB"),
        (1.43e9, "1.4 GB"),
        (139e9, "139 GB"),
        (2.5e15, "2,500 TB"),
        (-1.43e9, "-1.4 GB"),
        (float("nan"), "–"),  # noqa: RUF001 - the dash of what is not there
    ],
)
def test_size(value: float, expected: str) -> None:
    assert size(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, "0 ms"),
        (0.0854, "85 ms"),
        (0.99949, "999 ms"),
        (0.9996, "1.0 s"),
        (4.2, "4.2 s"),
        (59.96, "1 min 00 s"),
        (185, "3 min 05 s"),
        (3599.9, "1 h 00 min"),
        (7440, "2 h 04 min"),
        (86399, "1 d 00 h"),
        (100_000, "1 d 04 h"),
        (-1, "–"),  # noqa: RUF001 - the dash of what is not there
        (float("inf"), "–"),  # noqa: RUF001 - as above
    ],
)
def test_duration(value: float, expected: str) -> None:
    assert duration(value) == expected
