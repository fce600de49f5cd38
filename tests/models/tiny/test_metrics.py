"""Comparing answers."""

import pytest

from fmagic.models.tiny import metrics


def test_json_counts_by_value_and_field() -> None:
    wanted = '{"name": "Ann", "amount": "$5"}'
    assert metrics.same_json(wanted, '{"amount": "$5", "name": "Ann"}')
    assert not metrics.same_json(wanted, "Ann, $5")
    assert metrics.fields(wanted, '{"name": "Ann", "amount": "$6"}') == (1, 2)
    assert metrics.fields(wanted, "[1]") == metrics.fields(wanted, "{") == (0, 2)


def test_chrf_is_one_for_equal_texts_and_falls_with_the_difference() -> None:
    wanted = "Le chat noir dort."
    assert metrics.chrf([(wanted, wanted)]) == pytest.approx(1)
    near = metrics.chrf([(wanted, "Le chat noir mange.")])
    far = metrics.chrf([(wanted, "xyz")])
    assert far < 0.1 < near < 1
