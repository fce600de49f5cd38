from __future__ import annotations

import json
import math
from itertools import pairwise
from typing import TYPE_CHECKING

import nbformat
import pytest

from fmagic.errors import FmagicWarning, TemplateError
from fmagic.runs.curve import Curve
from fmagic.runs.environment import Surroundings
from fmagic.runs.finding import find
from fmagic.runs.journal import Journal
from fmagic.runs.log import RunLog, notebook_name
from fmagic.runs.reading import merge
from fmagic.runs.record import RUN_MIME, DataInfo

if TYPE_CHECKING:
    from pathlib import Path


def again(log: RunLog) -> RunLog:
    """A later kernel in the same place."""
    return RunLog(Journal(log.journal.folder), surroundings=log.surroundings)


def test_a_run_is_in_the_journal_before_it_works_and_whole_after(log: RunLog) -> None:
    active = log.begin(
        "prompt",
        cell={"source": "%%prompt\nhi", "execution_count": 3},
        notebook="a.ipynb",
        model={"name": "tiny", "quant": "none"},
        device_name="A fast one",
        template="hi",
        params={"max_tokens": 8},
        seed=0,
        data=DataInfo(name="d", rows=2),
        parents=["x"],
    )
    (line,) = log.journal.path.read_text(encoding="utf-8").splitlines()
    assert json.loads(line) == active.record.dump()
    assert json.loads(line)["status"] == "running"
    active.add_metrics(input_tokens=3, ttft_seconds=0.5, loss=math.nan, peak_memory_bytes=None)
    active.add_point("loss", 0, 1.0)
    active.parents.append("y")
    record = active.finish(output="hello")
    assert record is active.record
    assert log.journal.read() == log.records() == [record]
    assert record.status == "ok"
    assert record.seconds is not None
    assert record.metrics == {"input_tokens": 3, "ttft_seconds": 0.5}
    assert record.series == {"loss": [(0.0, 1.0)]}
    assert record.parents == ["x", "y"]
    assert record.output is not None
    assert record.output.text == "hello"
    assert record.model is not None
    assert record.model.model_dump(exclude_none=True) == {"name": "tiny", "quant": "none"}
    assert record.environment is not None
    assert record.environment.device_name == "A fast one"


def test_an_error_is_kept_by_its_name(log: RunLog) -> None:
    record = log.begin("prompt").finish("error", error=TemplateError("no 'x'"))
    assert record.error is not None
    assert (record.error.type, record.error.message) == ("TemplateError", "no 'x'")


def test_a_second_end_changes_nothing(log: RunLog) -> None:
    active = log.begin("prompt")
    first = active.finish("interrupted")
    assert active.finish("ok") is first
    assert len(log.journal.path.read_text().splitlines()) == 2


def test_the_finished_record_holds_no_secret(log: RunLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THE_TOKEN", "sesame-open")
    active = log.begin("prompt", template="say sesame-open", params={"api_key": "k"})
    record = active.finish(output="sesame-open")
    assert "sesame" not in repr(record)
    assert "sesame" not in log.journal.path.read_text(encoding="utf-8")


def test_an_id_that_was_made_before(log: RunLog) -> None:
    name = "01a1fbf2-0001-7c3e-9d41-5b0e7a1c0001"
    assert log.begin("finetune", run_id=name).finish().id == name


def test_runs_of_earlier_kernels_come_back_with_the_notebook(log: RunLog, tmp_path: Path) -> None:
    old = log.begin("prompt", notebook="a.ipynb").finish()
    log.begin("prompt", notebook="b.ipynb").finish()
    cleared = log.begin("embed", notebook="a.ipynb").finish()
    notebook = nbformat.v4.new_notebook()
    cell = nbformat.v4.new_code_cell("%%prompt")
    moved = cleared.model_copy(update={"id": "01a1fbf2-0001-7c3e-9d41-5b0e7a1c0001"})
    cell.outputs.append(nbformat.v4.new_output("display_data", {RUN_MIME: moved.dump()}))
    notebook.cells.append(cell)
    nbformat.write(notebook, tmp_path / "a.ipynb")
    later = again(log)
    assert later.records() == []
    new = later.begin("prompt", notebook=tmp_path / "a.ipynb").finish()
    assert {each.id for each in later.records()} == {old.id, cleared.id, moved.id, new.id}
    assert [each.notebook for each in later.records("b.ipynb")] == ["b.ipynb"]


def test_a_notebook_that_is_being_saved_hides_nothing_else(log: RunLog, tmp_path: Path) -> None:
    record = log.begin("prompt", notebook="a.ipynb").finish()
    (tmp_path / "a.ipynb").write_text('{"cells": [')
    with pytest.warns(FmagicWarning, match="not JSON"):
        assert log.records() == [record]


def test_the_log_goes_on_without_a_disk(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    log = RunLog(Journal(tmp_path / "file"), surroundings=Surroundings(tmp_path))
    with pytest.warns(FmagicWarning) as seen:
        record = log.begin("prompt", notebook="a.ipynb").finish(output="x")
    assert len(seen) == 1
    assert log.records() == [record]


def test_a_kept_record_replaces_the_old_one(log: RunLog) -> None:
    record = log.begin("prompt").finish()
    kept = log.keep(record.model_copy(update={"note": "the good one"}))
    assert log.records() == [kept]
    assert find(log.records(), record.id).note == "the good one"
    assert log.journal.read() == [kept]


def test_notes_and_tags_change_and_go_and_the_last_change_holds(log: RunLog) -> None:
    record = log.begin("prompt", notebook="a.ipynb").finish(output="x")
    noted = log.annotate(record, note=" the good one ", add=["best", "long"])
    assert (noted.note, noted.tags) == ("the good one", ["best", "long"])
    cleared = log.annotate(noted, note="", remove=["long"])
    assert (cleared.note, cleared.tags) == (None, ["best"])
    assert again(log).records("a.ipynb") == [cleared]
    # The cell's output, which nobody rewrote, is fuller and older.
    assert merge([noted], [cleared]) == merge([cleared], [noted]) == [cleared]


@pytest.mark.parametrize(("second", "same"), [("x", True), ("y", False), (None, None)])
def test_a_run_that_is_done_again_says_whether_it_drifted(
    log: RunLog, second: str | None, same: bool | None
) -> None:
    first = log.begin("prompt").finish(output="x")
    rerun = log.begin("prompt", repeated=first).finish(output=second).rerun
    assert rerun is not None
    assert (rerun.of, rerun.same_output) == (first.id, same)


@pytest.mark.parametrize("count", [1, 2, 499, 500, 501, 2_001, 10_000])
def test_a_curve_keeps_its_shape_in_500_points(count: int) -> None:
    curve = Curve()
    for step in range(count):
        curve.add(step, step / 7)
    points = curve.points
    assert len(points) == min(count, 500)
    assert points[0][0] == 0
    assert points[-1][0] == count - 1
    widest = max((after[0] - before[0] for before, after in pairwise(points)), default=0)
    assert widest <= 2 * count / 500 + 1
    assert points == sorted(set(points))


def test_a_curve_of_no_numbers_is_empty() -> None:
    curve = Curve()
    curve.add(1, math.nan)
    assert curve.points == []


def test_notebooks_are_named_from_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert notebook_name(tmp_path / "course" / "a.ipynb", tmp_path) == "course/a.ipynb"
    assert notebook_name("a.ipynb", tmp_path) == "a.ipynb"
    assert notebook_name(tmp_path.parent / "b.ipynb", tmp_path) == "b.ipynb"


def test_a_change_of_the_working_folder_loses_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "course").mkdir()
    monkeypatch.chdir(tmp_path / "course")
    notebook = tmp_path / "course" / "a.ipynb"
    log = RunLog(Journal(tmp_path / "journal"))
    log.begin("prompt", notebook=notebook).finish()
    monkeypatch.chdir(tmp_path)
    log.begin("prompt", notebook=notebook).finish()
    assert [record.notebook for record in log.records()] == ["a.ipynb"] * 2
    monkeypatch.chdir(tmp_path / "course")
    assert len(RunLog(Journal(tmp_path / "journal")).records(notebook)) == 2
