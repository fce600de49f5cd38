from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fmagic.errors import LogError
from fmagic.runs.finding import find

if TYPE_CHECKING:
    from fmagic.runs.log import RunLog


def test_runs_are_found_by_any_end_of_their_id_and_by_their_place(log: RunLog) -> None:
    first, second, third = (log.begin("prompt").finish() for _ in range(3))
    records = log.records()
    assert find(records, first.id) == first
    assert find(records, second.short_id) == second
    assert find(records, second.id[-6:].upper()) == second
    assert find(records, third.id.replace("-", "")) == third
    assert find(records, third.id[:23]) == third
    assert find(records, second.short_id[:6]) == second
    assert (find(records, "1"), find(records, "2"), find(records, "-1")) == (third, second, third)


def test_a_run_that_is_not_there_names_the_near_ones(log: RunLog) -> None:
    with pytest.raises(LogError, match="no runs yet"):
        find(log.records(), "1")
    for number in range(4):
        log.begin("prompt", run_id=f"01a1fbf2-000{number}-7c3e-9d41-5b0e7a1c12a{number}").finish()
    records = log.records()
    with pytest.raises(LogError, match=r"may be any of 4 runs: 7a1c12a1, 7a1c12a2, 7a1c12a3, ..."):
        find(records, "01a1")
    with pytest.raises(LogError, match=r"no run '7a1c12b1'. Did you mean '7a1c12"):
        find(records, "7a1c12b1")
    with pytest.raises(LogError, match=r"no run 'zzz'. The latest is '7a1c12a3'"):
        find(records, "zzz")
    with pytest.raises(LogError, match="no run '#3'"):
        find(records, "#3")
    with pytest.raises(LogError, match="no run ''"):
        find(records, "")
