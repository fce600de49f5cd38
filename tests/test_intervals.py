from __future__ import annotations

import random

import pytest

from fmagic.intervals import Paired, wilson


def test_the_interval_is_wilsons() -> None:
    # The worked example of Newcombe 1998, Statistics in Medicine 17:857-872: 81 of 263.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert wilson(5, 5)[1] == 1.0
    assert wilson(0, 10)[0] == 0


def test_the_test_of_pairs_is_mcnemars() -> None:
    # Of ten who differ at most one: 11 of 1024 ways, twice, and the mid-p counts 10 of them once.
    assert Paired(0, 1, 9, 0).chance == pytest.approx(12 / 1024)
    assert Paired(7, 9, 1, 3).chance == Paired(0, 1, 9, 0).chance
    # An example of Fagerland et al. 2013: 1 and 7 pairs differ, exact p 0.0703, mid-p 0.0391.
    assert Paired(0, 1, 7, 0).chance == pytest.approx(0.0391, abs=5e-5)
    assert Paired(5, 0, 0, 5).chance == 1.0
    assert Paired(0, 3, 3, 0).chance == 1.0
    assert 0 <= Paired(0, 40_000, 60_000, 0).chance < 1e-300


def test_the_interval_of_pairs_is_that_of_bonett_and_price() -> None:
    paired = Paired(794, 150, 86, 570)
    assert paired.gain == pytest.approx(-0.04)
    low, high = paired.interval
    rows, first, second = 1602, 151 / 1602, 87 / 1602
    middle = second - first
    assert (low + high) / 2 == pytest.approx(middle)
    assert high - low == pytest.approx(
        2 * 1.96 * ((first + second - middle**2) / rows) ** 0.5, rel=1e-4
    )
    assert Paired(0, 1, 0, 0).interval[0] == -1


def test_the_interval_holds_the_gain_as_often_as_it_says() -> None:
    draws, rows, held = random.Random(1), 60, 0
    for _ in range(2000):
        kinds = draws.choices(range(4), (0.5, 0.1, 0.25, 0.15), k=rows)
        low, high = Paired(*(kinds.count(kind) for kind in range(4))).interval
        held += low <= 0.15 <= high
    assert 0.93 < held / 2000 < 0.98


def test_the_test_and_the_interval_say_the_same() -> None:
    tables = [
        Paired(count // 2, first, second, count - count // 2 - first - second)
        for count in (40, 100, 400)
        for first in range(10)
        for second in range(count // 2 - first)
    ]
    differ = [
        each for each in tables if (each.chance < 0.05) != (each.interval[0] * each.interval[1] > 0)
    ]
    assert len(differ) / len(tables) < 0.01
