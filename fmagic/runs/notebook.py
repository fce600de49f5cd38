"""The records that travel in a notebook file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from fmagic.errors import LogError, did_you_mean
from fmagic.runs.reading import Skips, from_data, merge
from fmagic.runs.record import RUN_MIME

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fmagic.runs.record import RunRecord

__all__ = ["merge", "read_cells", "read_notebook"]


def read_notebook(path: Path) -> list[RunRecord]:
    """Return the runs in the outputs and in the metadata of a notebook, in order of their start.

    The file is read as plain JSON: a notebook that some tool left slightly invalid still tells
    its runs.

    Raises:
        LogError: there is no such notebook, or the file is none.
    """
    notebook = _read(path)
    skips = Skips()
    # Outputs come last: of two equally full records the one beside its cell is kept.
    found = [from_data(data, skips) for data in (*_in_metadata(notebook), *_in_outputs(notebook))]
    skips.warn(path.name)
    return merge(record for record in found if record is not None)


def read_cells(path: Path) -> dict[str, str]:
    """Return the source of each cell of a notebook by the id of the cell.

    Raises:
        LogError: as for `read_notebook`.
    """
    sources = {}
    for cell in _list(_read(path).get("cells")):
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


def _in_metadata(notebook: dict[str, Any]) -> Iterator[Any]:
    runs = _get(_get(notebook.get("metadata"), "fmagic"), "runs")
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
