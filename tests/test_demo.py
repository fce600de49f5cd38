"""The `fmagic demo` command; `test_notebook` runs it on the quickstart itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import nbformat
import pytest

from fmagic import demo

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "notebooks" / demo.NOTEBOOK
    (path.parent / "data").mkdir(parents=True)
    monkeypatch.setattr(demo, "_source", lambda: path)
    return path


def write(path: Path, *cells: str) -> None:
    made = [nbformat.v4.new_code_cell(cell) for cell in cells]
    nbformat.write(nbformat.v4.new_notebook(cells=made), path)


def test_a_failed_cell_is_told_and_what_was_done_is_written(
    sources: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(sources, "print('first')", "1 / 0", "print('never')")
    folder = tmp_path / "out"
    assert demo.run(folder) == 1
    said = capsys.readouterr().out
    assert "[2/3] 1 / 0" in said
    assert "A cell failed. ZeroDivisionError: division by zero" in said
    assert "never" not in said
    executed = nbformat.read(folder / "01-quickstart.executed.ipynb", as_version=4)
    assert executed.cells[0].outputs[0].text == "first\n"
    assert (folder / "01-quickstart.executed.html").is_file()


def test_a_cell_that_takes_too_long_is_told_without_a_stack(
    sources: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(demo, "LONGEST_CELL", 1)
    write(sources, "import threading\nthreading.Event().wait()")
    assert demo.run(tmp_path / "out") == 1
    assert (
        "A cell failed. It took more than 1.0 s: this machine is probably busy"
        in capsys.readouterr().out
    )
