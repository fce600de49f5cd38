"""Runs the quickstart notebook in a real kernel and shows each cell's result in the terminal."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fmagic.errors import FmagicError
from fmagic.views.formats import duration

if TYPE_CHECKING:
    from collections.abc import Iterator

NOTEBOOK = "01-quickstart.ipynb"
LONGEST_CELL = 900  # seconds


def run(folder: Path) -> int:
    """Execute the quickstart; write the executed notebook and an HTML copy into `folder`.

    Returns:
        0 if every cell worked, 1 if one failed.

    Raises:
        FmagicError: what runs notebooks is not installed.
    """
    try:
        import nbformat
        from nbclient import NotebookClient
        from nbclient.exceptions import CellExecutionError, CellTimeoutError
        from nbconvert import HTMLExporter
    except ModuleNotFoundError as error:
        raise FmagicError(
            f"The demo needs {error.name}. Install it with: pip install 'fmagic[lab]'"
        ) from None
    source = _source()
    notebook = nbformat.read(source, as_version=4)
    shutil.copytree(source.parent / "data", folder / "data", dirs_exist_ok=True)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    begun = time.perf_counter()

    def before(cell: Any, **_: Any) -> None:
        if cell.cell_type == "code":
            _say(f"\n[{cells.index(cell) + 1}/{len(cells)}] " + _indented(cell.source))

    def after(cell: Any, **_: Any) -> None:
        for text in _outputs(cell):
            _say(_indented(text))

    client = NotebookClient(
        notebook,
        timeout=LONGEST_CELL,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
        on_cell_start=before,
        on_cell_executed=after,
    )
    failed = None
    try:
        client.execute()
    except CellExecutionError as error:
        failed = f"{error.ename}: {error.evalue}"
    except CellTimeoutError:
        failed = (
            f"It took more than {duration(LONGEST_CELL)}: this machine is probably busy or slow. "
            "Try again when nothing else runs, or run the cells by hand in JupyterLab."
        )
    executed = folder / NOTEBOOK.replace(".ipynb", ".executed.ipynb")
    nbformat.write(notebook, executed)
    page = executed.with_suffix(".html")
    page.write_text(HTMLExporter().from_notebook_node(notebook)[0], encoding="utf-8")
    _say(f"\nExecuted notebook: {executed}\nAs a page:         {page}")
    if failed:
        _say(f"\nA cell failed. {failed}")
        return 1
    _say(f"\nAll {len(cells)} cells worked, in {time.perf_counter() - begun:.0f} seconds.")
    return 0


def _source() -> Path:
    package = Path(__file__).parent
    # In the wheel the notebooks lie inside the package, in a clone beside it.
    for folder in (package / "notebooks", package.parent / "notebooks"):
        if (folder / NOTEBOOK).is_file():
            return folder / NOTEBOOK
    raise FmagicError(f"{NOTEBOOK} is missing from this installation; install fmagic again.")


def _outputs(cell: Any) -> Iterator[str]:
    for output in cell.outputs:
        if output.output_type == "stream":
            yield output.text
        elif output.output_type == "error":
            yield f"{output.ename}: {output.evalue}"
        elif text := output.data.get("text/plain"):
            yield text


def _indented(text: str) -> str:
    return "\n    ".join(text.rstrip().splitlines())


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - the command's own output
