from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import nbformat
import pytest

from fmagic.errors import FmagicWarning, LogError
from fmagic.runs.notebook import merge, read_notebook
from fmagic.runs.record import RUN_MIME, RunRecord

if TYPE_CHECKING:
    from pathlib import Path


def run(number: int, **fields: Any) -> RunRecord:
    started = f"2026-11-21T08:0{number}:00.000Z"
    base = {"kind": "prompt", "status": "ok", "seconds": 1.0, "started": started}
    return RunRecord(**{**base, **fields}).sealed()


def write(path: Path, outputs: list[Any], index: Any = None) -> Path:
    notebook = nbformat.v4.new_notebook()
    for data in outputs:
        cell = nbformat.v4.new_code_cell("%%prompt\nhi")
        cell.outputs.append(nbformat.v4.new_output("stream", text="working"))
        bundle = {RUN_MIME: data, "text/html": "<b>x</b>", "text/plain": "x"}
        cell.outputs.append(nbformat.v4.new_output("display_data", bundle))
        notebook.cells.append(cell)
    notebook.cells.append(nbformat.v4.new_markdown_cell("# text"))
    if index is not None:
        notebook.metadata["fmagic"] = {"runs": index}
    nbformat.write(notebook, path)
    return path


def test_runs_in_outputs_and_in_the_index_are_united(tmp_path: Path) -> None:
    first, second, third = run(1, note="whole"), run(2), run(3)
    compact = {key: first.dump()[key] for key in ("schema", "id", "kind", "status", "started")}
    path = write(
        tmp_path / "a.ipynb", [third.dump(), first.dump()], [compact, second.dump(), third.dump()]
    )
    assert read_notebook(path) == [first, second, third]


def test_an_index_by_id(tmp_path: Path) -> None:
    record = run(1)
    path = write(tmp_path / "a.ipynb", [], {record.id: record.dump()})
    assert read_notebook(path) == [record]


def test_a_note_of_a_compact_record_joins_the_whole_one(tmp_path: Path) -> None:
    whole = run(1, template="long", series={"loss": [(0.0, 1.0), (1.0, 0.5)]}, note="old")
    first, last = "2026-11-22T08:00:00.000Z", "2026-11-22T08:00:00.001Z"
    compact = run(1, id=whole.id, note="new", tags=["best"], edited=last)
    path = write(tmp_path / "a.ipynb", [whole.dump()], [compact.dump()])
    (found,) = read_notebook(path)
    assert (found.note, found.tags, found.edited) == ("new", ["best"], last)
    assert found.series == whole.series
    # A note that was taken away stays away.
    gone = compact.model_copy(update={"note": None, "tags": []})
    before = whole.model_copy(update={"edited": first})
    for pair in ([gone], [before]), ([before], [gone]):
        (found,) = merge(*pair)
        assert (found.note, found.tags, found.template) == (None, [], "long")


def test_a_log_of_a_later_format_is_left_alone_with_one_warning(tmp_path: Path) -> None:
    record = run(1)
    path = write(tmp_path / "a.ipynb", [record.dump()], [run(2).dump()])
    content = json.loads(path.read_text())
    content["metadata"]["fmagic"]["schema"] = "fmagic.log/2"
    path.write_text(json.dumps(content))
    with pytest.warns(FmagicWarning, match="1 of a newer fmagic"):
        assert read_notebook(path) == [record]
    content["metadata"]["fmagic"]["schema"] = "fmagic.log/1"
    path.write_text(json.dumps(content))
    assert len(read_notebook(path)) == 2


def test_what_is_no_record_is_skipped_with_one_warning(tmp_path: Path) -> None:
    record = run(1)
    newer = {**run(2).dump(), "schema": "fmagic.run/3"}
    path = write(tmp_path / "a.ipynb", [{"x": 1}, record.dump(), newer, {"schema": []}], [None, 3])
    with pytest.warns(FmagicWarning) as seen:
        assert read_notebook(path) == [record]
    assert [str(each.message) for each in seen] == [
        (
            "Skipped in a.ipynb: 4 not a record of a run, 1 of a newer fmagic; "
            "update with: pip install -U fmagic."
        )
    ]


@pytest.mark.parametrize(
    "content", [{}, {"cells": 3}, {"cells": [1, {"outputs": [None]}], "metadata": []}]
)
def test_a_notebook_of_no_form_has_no_runs(tmp_path: Path, content: Any) -> None:
    path = tmp_path / "a.ipynb"
    path.write_text(json.dumps(content))
    assert read_notebook(path) == []


def test_what_is_no_notebook_says_so(tmp_path: Path) -> None:
    path = write(tmp_path / "lesson.ipynb", [])
    with pytest.raises(LogError, match=r"no notebook leson.ipynb. Did you mean 'lesson.ipynb'"):
        read_notebook(tmp_path / "leson.ipynb")
    path.write_bytes(b"\xff{")
    with pytest.raises(LogError, match="not JSON"):
        read_notebook(path)
    path.write_text("[]")
    with pytest.raises(LogError, match="no cells"):
        read_notebook(path)
    with pytest.raises(LogError, match="cannot be read"):
        read_notebook(tmp_path)


def test_the_fuller_of_two_records_wins_whatever_the_order() -> None:
    begun = run(1, status="running", seconds=None, params={"a": 1, "b": 2, "c": 3}, note="n")
    guessed = begun.model_copy(update={"status": "interrupted"})
    compact = begun.model_copy(update={"status": "ok", "seconds": 1.0, "params": {}, "note": None})
    whole = compact.model_copy(update={"note": "n"})
    steps = [begun, guessed, compact, whole]
    for index, fuller in enumerate(steps):
        for other in steps[:index]:
            assert merge([fuller], [other]) == merge([other], [fuller]) == [fuller]


def test_of_two_equal_ones_the_later_wins() -> None:
    first = run(1, note="a")
    second = first.model_copy(update={"note": "b"})
    assert merge([first], [second]) == [second]
