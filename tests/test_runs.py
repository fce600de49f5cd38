"""`%runs` in a real kernel: notes, the cell that is put back, and a kernel that was killed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.kernel import RUN_MIME, Kernel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

START = """
import os
os.environ["FMAGIC_JOURNAL_DIR"] = {journal!r}
os.environ["JPY_SESSION_NAME"] = {notebook!r}
%load_ext fmagic
%model tiny
import fmagic as fm
"""


def started(folder: Path) -> Kernel:
    kernel = Kernel(folder)
    code = START.format(journal=str(folder / "journal"), notebook=str(folder / "a.ipynb"))
    cell = kernel(code)
    assert cell.error is None, cell
    return kernel


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    kernel = started(tmp_path_factory.mktemp("notebook"))
    yield kernel
    kernel.close()


def test_the_same_cell_gives_the_same_and_says_so(kernel: Kernel) -> None:
    first = kernel(
        "%%prompt --max-tokens 5 --temperature 0.9 --seed 3\nIs this review good?\nGreat!"
    )
    put = kernel("%runs rerun 1")
    assert put.error is None, put
    assert put.next_cell is not None
    assert put.next_cell.startswith("%%prompt --model tiny --max-tokens 5")
    second = kernel(put.next_cell)
    run = second.run()
    assert run["rerun"] == {"of": first.run()["id"], "same_output": True}
    assert "the same output" in second.text
    edited = kernel(put.next_cell.replace("Great!", "Awful!"))
    assert "rerun" not in edited.run()


def test_drift_is_told_with_the_way_to_see_it(kernel: Kernel) -> None:
    kernel("word = 'Great!'")
    kernel("%%prompt --max-tokens 5\nIs this review good?\n{{ word }}")
    put = kernel("%runs rerun 1")
    kernel("word = 'Awful! It broke.'")
    assert put.next_cell is not None
    cell = kernel(put.next_cell)
    assert cell.run()["rerun"]["same_output"] is False, cell
    assert "%runs diff" in cell.text


def test_only_the_run_that_is_repeated_is_compared(kernel: Kernel) -> None:
    kernel("import fmagic as fm")
    kernel("a = fm.prompt('Is this good? Great!')\nb = fm.prompt('Is this bad? Awful!')")
    put = kernel("%runs rerun 2")
    assert put.next_cell is not None
    assert kernel(put.next_cell).error is None
    told = kernel("print(*(run.rerun and run.rerun.same_output for run in fm.runs()[-2:]))")
    assert told.text.split() == ["True", "None"]


def test_a_note_leaves_its_record_in_the_output(kernel: Kernel) -> None:
    kernel("%prompt --max-tokens 2 hi")
    cell = kernel('%runs note 1 "the good one"')
    assert cell.error is None, cell
    assert cell.run()["note"] == "the good one"
    assert "the good one" in kernel("%runs good one").text


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("%runs show zz", "LogError"),
        ("%runs --kind evalute", "LogError"),
        ("%runs --since yesterday", "OptionError"),
        ("%runs export exel", "OptionError"),
        ("%runs shw 1", "OptionError"),
        ("%runs plot 1", "LogError"),
    ],
)
def test_mistakes_fail_the_cell_in_a_line_or_two(kernel: Kernel, line: str, error: str) -> None:
    kernel("%prompt --max-tokens 2 hi")
    cell = kernel(line)
    assert cell.error == error, cell
    assert len("\n".join(cell.traceback).strip().splitlines()) <= 3


def test_the_runs_of_a_killed_kernel_come_back(tmp_path: Path) -> None:
    first = started(tmp_path)
    done = first("%prompt --max-tokens 2 hi").run()["id"]
    rows = "fm.prompt('{{ t }}', data=[{'t': str(i)} for i in range(10_000)], max_tokens=5)"
    request = first.client.execute(rows)
    for message in first.messages(request, rows):
        if message["msg_type"] == "update_display_data":
            break
    first.kill()
    second = started(tmp_path)
    try:
        cell = second("%runs recover")
        assert cell.error is None, cell
        found = {o[RUN_MIME]["id"]: o[RUN_MIME]["status"] for o in cell.outputs if RUN_MIME in o}
        assert found.pop(done) == "ok"
        assert list(found.values()) == ["interrupted"]
    finally:
        second.close()
