from __future__ import annotations

from typing import Any

import pytest

from fmagic.errors import LogError
from fmagic.runs.record import SCHEMA
from fmagic.runs.upgrade import UPGRADES, upgrade, version_of


def rename(data: dict[str, Any]) -> dict[str, Any]:
    return {("figures" if key == "metrics" else key): value for key, value in data.items()}


def count(data: dict[str, Any]) -> dict[str, Any]:
    return {**data, "count": len(data["figures"])}


def test_steps_are_taken_from_the_records_own_version_on() -> None:
    old = {"schema": "fmagic.run/1", "metrics": {"a": 1}}
    assert upgrade(old, (rename, count)) == {
        "schema": "fmagic.run/3",
        "figures": {"a": 1},
        "count": 1,
    }
    middle = {"schema": "fmagic.run/2", "figures": {}}
    assert upgrade(middle, (rename, count)) == {
        "schema": "fmagic.run/3",
        "figures": {},
        "count": 0,
    }
    assert old == {"schema": "fmagic.run/1", "metrics": {"a": 1}}


def test_the_current_version_stays_as_it_is() -> None:
    assert version_of({"schema": SCHEMA}) == len(UPGRADES) + 1
    assert upgrade({"schema": SCHEMA, "x": 1}) == {"schema": SCHEMA, "x": 1}


def test_a_later_version_says_what_to_do() -> None:
    with pytest.raises(LogError, match=r"newer fmagic \(fmagic.run/9.*pip install -U fmagic"):
        upgrade({"schema": "fmagic.run/9"})


@pytest.mark.parametrize(
    "data", [{}, {"schema": 1}, {"schema": "fmagic.run/0"}, {"schema": "other/1"}]
)
def test_foreign_data_is_refused(data: dict[str, Any]) -> None:
    assert version_of(data) is None
    with pytest.raises(LogError, match="no record"):
        upgrade(data)


@pytest.mark.parametrize("data", [None, [], "fmagic.run/1", 3])
def test_what_is_not_even_an_object(data: object) -> None:
    assert version_of(data) is None
