"""The records that travel in a notebook file."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from fmagic.errors import LogError, did_you_mean
from fmagic.runs.reading import Skips, bulk, from_data, merge
from fmagic.runs.record import RUN_MIME

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fmagic.runs.record import RunRecord

__all__ = ["merge", "read_notebook", "read_runs_and_cells"]

_SCHEMA = re.compile(r"fmagic\.log/([1-9]\d{0,3})")


def read_notebook(path: Path) -> list[RunRecord]:
    """Return the runs in the outputs and in the metadata of a notebook, in order of their start.

    The file is read as plain JSON: a notebook that some tool left slightly invalid still tells
    its runs.

    Raises:
        LogError: there is no such notebook, or the file is none.
    """
    return read_runs_and_cells(path)[0]


def read_runs_and_cells(path: Path) -> tuple[list[RunRecord], dict[str, str]]:
    """Return what `read_notebook` returns, and the source of each cell by the id of the cell.

    Raises:
        LogError: as for `read_notebook`.
    """
    notebook = _read(path)
    skips = Skips()
    with bulk():
        # Outputs come last: of two equally full records the one beside its cell is kept.
        data = (*_in_metadata(notebook, skips), *_in_outputs(notebook))
        found = [from_data(each, skips) for each in data]
    skips.warn(path.name)
    return merge(record for record in found if record is not None), _cells(notebook)


def _cells(notebook: dict[str, Any]) -> dict[str, str]:
    sources = {}
    for cell in _list(notebook.get("cells")):
        name, source = _get(cell, "id"), _get(cell, "source")
        if isinstance(source, list):
            source = "".join(line for line in source if isinstance(line, str))
        if isinstance(name, str) and isinstance(source, str):
            sources[name] = source
    return sources


def _read(path: Path) -> dict[str, Any]:
    try:
        notebook = json.loads(path.read_bytes())
    except FileNotFoundError:
        near = did_you_mean(path.name, (file.name for file in path.parent.glob("*.ipynb")))
        raise LogError(f"There is no notebook {path.name}.{near}") from None
    except OSError as error:
        raise LogError(f"{path.name} cannot be read: {error.strerror}.") from None
    except ValueError:
        raise LogError(f"{path.name} is not a notebook: its content is not JSON.") from None
    if not isinstance(notebook, dict):
        raise LogError(f"{path.name} is not a notebook: it has no cells.")
    return notebook


def _in_metadata(notebook: dict[str, Any], skips: Skips) -> Iterator[Any]:
    """Yield what a front end put into `metadata.fmagic`, see `labextension/src/log/book.ts`."""
    book = _get(notebook.get("metadata"), "fmagic")
    schema = _SCHEMA.fullmatch(str(_get(book, "schema")))
    if schema is not None and int(schema[1]) > 1:
        skips.newer += 1
        return
    runs = _get(book, "runs")
    if isinstance(runs, dict):  # by id
        runs = list(runs.values())
    if isinstance(runs, list):
        yield from runs


def _in_outputs(notebook: dict[str, Any]) -> Iterator[Any]:
    for cell in _list(notebook.get("cells")):
        for output in _list(_get(cell, "outputs")):
            data = _get(_get(output, "data"), RUN_MIME)
            if data is not None:
                yield data


def _get(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
