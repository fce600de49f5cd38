from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fmagic.runs import staleness
from fmagic.runs.staleness import stale
from tests.runs.samples import made

if TYPE_CHECKING:
    import pytest


def cell(source: str, name: str = "a") -> dict[str, Any]:
    return {"id": name, "source": source}


def test_a_run_of_a_cell_that_was_edited() -> None:
    runs = [made(1, cell=cell("%%prompt\nold")), made(2, cell=cell("%%prompt\nnew"))]
    assert stale(runs) == {runs[0].id: ["cell edited"]}
    assert set(stale(runs, {"a": "%%prompt\nnewest"})) == {runs[0].id, runs[1].id}
    assert stale(runs[1:], {"a": "%%prompt\nnew\n", "b": "other"}) == {}


def test_masked_secrets_are_no_edit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_TOKEN", "sesame-open")
    source = "%%prompt\nsesame-open"
    run = made(1, cell=cell(source)).sealed()
    assert "sesame" not in str(run)
    assert stale([run], {"a": source}) == {}


def test_a_long_cell_that_the_log_cut_is_no_edit() -> None:
    source = "%%prompt\n" + "word " * 20_000
    assert stale([made(1, cell=cell(source)).sealed()], {"a": source}) == {}


def test_only_cells_that_differ_are_looked_at_as_the_log_writes_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sealed: list[str] = []

    def as_written(source: str) -> str:
        sealed.append(source)
        return source

    monkeypatch.setattr(staleness, "_as_written", as_written)
    runs = [made(number, cell=cell(text, text[0])) for number, text in enumerate(("a", "b", "b"))]
    runs.append(made(4, cell=cell("no id", "")))
    assert set(stale(runs, {"a": "a\n", "b": "bb", "c": "c"})) == {runs[1].id, runs[2].id}
    assert sealed == ["bb"]


def test_tables_without_a_name_need_not_be_the_same() -> None:
    runs = [
        made(number, data={"name": "(unnamed)", "sha256": f"{number}" * 64}) for number in (1, 2)
    ]
    assert stale(runs) == {}


def test_a_run_on_rows_that_changed() -> None:
    runs = [
        made(1, data={"name": "train", "sha256": "1" * 64}),
        made(2, data={"name": "test", "sha256": "2" * 64}),
        made(3, data={"name": "train", "sha256": "3" * 64}),
    ]
    assert stale(runs) == {runs[0].id: ["data changed"]}


def test_scores_of_a_model_that_was_tuned_anew() -> None:
    first = made(1, "finetune", params={"name": "lora"})
    score = made(2, "evaluate", parents=[first.id])
    again = made(3, "finetune", params={"name": "lora"})
    later = made(4, "evaluate", parents=[again.id])
    assert stale([first, score, again, later]) == {score.id: ["parent superseded"]}
    failed = made(3, "finetune", params={"name": "lora"}, status="error")
    assert stale([first, score, failed]) == {}
    stopped = made(
        3, "finetune", params={"name": "lora"}, status="interrupted", output={"sha256": "1" * 64}
    )
    later = made(4, "evaluate", parents=[stopped.id])
    assert stale([first, score, stopped, later]) == {score.id: ["parent superseded"]}


def test_what_builds_on_a_stale_run_is_stale() -> None:
    first = made(1, "finetune", params={"name": "lora"}, cell=cell("old"))
    score = made(2, "evaluate", parents=[first.id])
    assert stale([first, score], {"a": "new"}) == {
        first.id: ["cell edited"],
        score.id: ["parent stale"],
    }
