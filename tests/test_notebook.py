"""What a notebook keeps: one bundle for each run, whatever happened on the way."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import pytest
from nbclient import NotebookClient

from tests.support.kernel import RUN_MIME, Kernel

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

QUICKSTART = Path(__file__).parents[1] / "notebooks" / "01-quickstart.ipynb"
OTHERS = sorted({*QUICKSTART.parent.glob("*.ipynb")} - {QUICKSTART})
BUNDLE = {RUN_MIME, "text/html", "text/plain"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("notebook")


@pytest.fixture(scope="module")
def kernel(folder: Path) -> Iterator[Kernel]:
    kernel = Kernel(folder)
    cell = kernel(f"""
import os
os.environ["FMAGIC_JOURNAL_DIR"] = {str(folder / "journal")!r}
%load_ext fmagic
%model tiny
texts = [{{"text": "I love it"}}, {{"text": "It broke"}}]
""")
    assert cell.error is None, cell
    assert "tiny" in kernel("%model").text
    yield kernel
    kernel.close()


def test_a_streaming_answer_ends_as_one_bundle(kernel: Kernel) -> None:
    cell = kernel("%prompt --max-tokens 20 Is this review positive or negative?  It's {great}!")
    assert cell.error is None, cell
    assert len(cell.outputs) == 1
    assert set(cell.outputs[0]) == BUNDLE
    record = cell.run()
    assert record["schema"] == "fmagic.run/1"
    assert record["status"] == "ok"
    assert record["template"] == "Is this review positive or negative?  It's {great}!"
    assert record["cell"]["source"].startswith("%prompt")
    assert record["output"]["text"] in cell.outputs[0]["text/plain"]
    assert "<script" not in cell.outputs[0]["text/html"]


def test_the_value_of_the_cell_is_the_result(kernel: Kernel) -> None:
    kernel("%%prompt --max-tokens 3\nhello")
    cell = kernel("print(_.text == _.run.output.text, type(_).__name__)")
    assert cell.streams == "True Answer\n"
    again = kernel("%prompt -o answer --max-tokens 3 hi")
    assert len(again.outputs) == 1
    shown = kernel("answer")
    assert set(shown.outputs[0]) == BUNDLE
    twin = kernel("import fmagic as fm\nfm.prompt('hi', max_tokens=3)")
    assert twin.error is None, twin
    assert len(twin.outputs) == 1
    assert kernel.value("fm.runs()[-1].kind") == "prompt"


def test_a_table_in_a_loop_and_in_a_function(kernel: Kernel) -> None:
    cell = kernel("""
def label(rows):
    return fm.prompt("{{ text }}", data=rows, choices=["good", "bad"]).texts
found = [label(texts) for _ in range(2)]
""")
    assert cell.error is None, cell
    assert kernel.value("found[0] == found[1]")
    assert len(cell.outputs) == 2


def test_a_failed_run_leaves_its_record_too(kernel: Kernel) -> None:
    kernel("long_text = 'word ' * 9000")
    cell = kernel("%%prompt\nuser:\n{{ long_text }}")
    assert cell.error == "ContextLengthError"
    assert cell.run()["status"] == "error"


def test_html_of_a_hostile_value_is_text(kernel: Kernel) -> None:
    kernel("evil = [{'text': '<img src=x onerror=alert(1)><script>alert(2)</script>'}]")
    cell = kernel("%%prompt --data evil --max-tokens 2\n{{ text }}")
    html = cell.outputs[0]["text/html"]
    assert "<script" not in html
    assert "<img src=x" not in html
    assert "&lt;script" in html


def test_settings_help_and_status(kernel: Kernel) -> None:
    assert kernel("%config Fmagic.max_tokens = 2").error is None
    assert kernel("%prompt hello").run()["params"]["max_tokens"] == 2
    assert "--max-tokens" in kernel("%prompt --help").streams
    assert "journal" in kernel("%fmagic").text
    assert "%%finetune" in kernel("%fmagic help").text
    assert "prompt" in kernel("%runs").text
    assert kernel("%config Fmagic.display = False").error is None
    quiet = kernel("x = fm.prompt('hello')")
    assert quiet.outputs == []
    kernel("%config Fmagic.display = True")


def test_one_run_whole(kernel: Kernel) -> None:
    record = kernel("%prompt --max-tokens 2 hello").run()
    cell = kernel(f"%runs show {record['id'][-8:]}")
    assert cell.error is None, cell
    assert record["id"] in cell.text or record["id"][-8:] in cell.text


def test_secrets_reach_no_record(kernel: Kernel) -> None:
    kernel("os.environ['MY_SERVICE_TOKEN'] = 'hunter2-and-more'")
    cell = kernel("%%prompt --max-tokens 2\nuser:\nUse hunter2-and-more please")
    assert "hunter2" not in json.dumps(cell.run())
    assert "hunter2" not in kernel("%runs").text


def test_a_killed_kernel_loses_nothing_that_had_finished(tmp_path: Path) -> None:
    kernel = Kernel(tmp_path)
    setup = f"""
import os
os.environ["FMAGIC_JOURNAL_DIR"] = {str(tmp_path / "journal")!r}
%load_ext fmagic
%model tiny
rows = [{{"text": f"row {{i}}"}} for i in range(5000)]
"""
    assert kernel(setup).error is None
    first = kernel("%prompt --max-tokens 2 hello").run()["id"]
    request = kernel.client.execute("%%prompt --data rows --max-tokens 9\nuser:\n{{ text }}")
    while True:
        message = kernel.client.get_iopub_msg(timeout=120)
        if (
            message["parent_header"].get("msg_id") == request
            and message["msg_type"] == "display_data"
        ):
            break
    assert kernel.manager.provisioner is not None
    os.kill(kernel.manager.provisioner.pid, signal.SIGKILL)  # type: ignore[attr-defined]  # a local process has a pid
    kernel.close()
    from fmagic.runs.journal import read_folder

    found = {record.id: record.status for record in read_folder(tmp_path / "journal")}
    assert found.pop(first) == "ok"
    assert list(found.values()) == ["interrupted"]


def test_the_quickstart_runs_and_tells_a_true_story(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fmagic.demo import run

    monkeypatch.setenv("FMAGIC_MODELS_DIR", "fmagic-models")
    assert run(tmp_path / "demo") == 0
    notebook = nbformat.read(tmp_path / "demo" / "01-quickstart.executed.ipynb", as_version=4)
    assert len(notebook.cells) <= 15
    runs = [
        output.data[RUN_MIME]
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if RUN_MIME in output.get("data", {})
    ]
    kinds = [run["kind"] for run in runs]
    assert kinds == ["prompt", "prompt", "evaluate", "finetune", "evaluate", "embed"]
    before, after = (run["metrics"]["accuracy"] for run in runs if run["kind"] == "evaluate")
    assert after > before + 0.2
    assert runs[4]["parents"] == [runs[3]["id"]]
    page = (tmp_path / "demo" / "01-quickstart.executed.html").read_text(encoding="utf-8")
    assert "reply-lora" in page
    assert "better, and hardly by chance" in page


def test_a_bad_cell_stops_a_notebook() -> None:
    notebook = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_code_cell("%load_ext fmagic"),
            nbformat.v4.new_code_cell("%%prompt\n{{ nothing }}"),
            nbformat.v4.new_code_cell("print('not reached')"),
        ]
    )
    from nbclient.exceptions import CellExecutionError

    with pytest.raises(CellExecutionError, match=r"ModelNotFoundError|TemplateError"):
        NotebookClient(notebook, kernel_name="python3", timeout=120).execute()
    assert notebook.cells[2].outputs == []


@pytest.mark.parametrize("path", OTHERS, ids=lambda path: path.stem)
def test_the_other_notebooks_run(path: Path, tmp_path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, resources={"metadata": {"path": str(tmp_path)}}, timeout=300).execute()
    stored = nbformat.read(path, as_version=4)
    for now, then in zip(notebook.cells, stored.cells, strict=True):
        kinds = [[output.output_type for output in cell.get("outputs", ())] for cell in (now, then)]
        assert kinds[0] == kinds[1], now.source
