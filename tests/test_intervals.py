from __future__ import annotations

import pytest

from fmagic.intervals import wilson


def test_the_interval_is_wilsons() -> None:
    # The worked example of Newcombe 1998, Statistics in Medicine 17:857-872: 81 of 263.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert wilson(5, 5)[1] == 1.0
    assert wilson(0, 10)[0] == 0
