"""The cell of a run, so that it can be run again."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from fmagic.errors import LogError

if TYPE_CHECKING:
    from fmagic.runs.record import RunRecord

_MADE = "(?:prompt|evaluate|embed|finetune)"
_CELL_MAGIC = re.compile(rf"(?P<name>\s*%%{_MADE}\b)(?P<line>[^\n]*)")
_LINE_MAGIC = re.compile(
    rf"^(?P<name>[ \t]*(?:\w+[ \t]*=[ \t]*)?%{_MADE}\b)(?P<line>[^\n]*)", re.MULTILINE
)


def again(record: RunRecord) -> str:
    """Return the source of a run's cell, with the model and the seed of the run in its magic's line.

    A cell without one, or with several, comes back as it is.

    Raises:
        LogError: the source was not kept, or not all of it.
    """
    source = record.cell.source if record.cell is not None else None
    if not source:
        raise LogError(f"Run {record.short_id} has no cell: it was made outside of a notebook.")
    if record.cell_is_cut:
        raise LogError(
            f"The cell of run {record.short_id} was too long for the log and was cut, so it cannot "
            "be put back."
        )
    if source.lstrip().startswith("%%"):
        found = _CELL_MAGIC.match(source)
        magics = [found] if found else []
    else:
        magics = [*_LINE_MAGIC.finditer(source)]
    if len(magics) != 1:
        return source
    (match,) = magics
    options = []
    model = _model_of(record)
    if model is not None and not _has(match["line"], "--model"):
        options.append(f"--model {shlex.quote(model)}")
    if record.seed is not None and not _has(match["line"], "--seed"):
        options.append(f"--seed {record.seed}")
    start = match.end("name")
    return " ".join([source[:start], *options]) + source[start:]


def _model_of(record: RunRecord) -> str | None:
    """Return the name of the very model of a run; `None` if no name has its adapter."""
    model = record.model
    if model is None:
        return None
    made = record.parents[0] if record.parents else None
    if made is not None and (model.adapter or model.revision == made):
        return f"{model.adapter or model.name}@{made}"
    return None if model.adapter else model.name


def _has(line: str, option: str) -> bool:
    return re.search(rf"(^|\s){option}(\s|=|$)", line) is not None
