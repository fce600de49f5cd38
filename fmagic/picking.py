"""What can be picked, as a table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fmagic.results import View
from fmagic.views import Stack, Table, Text, size

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fmagic.models.choices import Choice, Wanted
    from fmagic.shelf import Shelf

COLUMNS = ("model", "task", "size", "memory", "licence", "where", "on disk", "good at")
_MILLION, _BILLION = 10**6, 10**9
_HUNDRED = 100


def models_view(shelf: Shelf, wanted: Wanted, *, hub: bool = False) -> View:
    """Show what can be picked.

    Args:
        shelf: with what is loaded.
        wanted: which models to show.
        hub: search the hub as well.
    """
    from fmagic.models.choices import choices, of_hub
    from fmagic.models.devices import detect

    device = detect(shelf.settings.device)
    found = choices(Path(shelf.settings.models_dir), device, wanted)
    if hub:
        names = {each.name.lower() for each in found}
        found += [
            each for each in of_hub(wanted.query, device, wanted) if each.name.lower() not in names
        ]
    if not found:
        more = "" if hub else " `%models QUERY --hub` searches the Hugging Face Hub."
        return View(Text(f"No model is like that. `%models` lists all.{more}"), [])
    loaded = {str(model.spec): name for name, model in shelf.by_name.items()}
    rows = list(_rows(found, loaded))
    free = f"{size(device.free_bytes)} of {size(device.total_bytes)} are free on {device.name}."
    block = Stack([Text(free, tone="muted"), Table(COLUMNS, rows, total=len(rows))])
    return View(block, found)


def _rows(found: Sequence[Choice], loaded: Mapping[str, str]) -> Iterator[tuple[object, ...]]:
    for each in found:
        where = f"loaded as {loaded[each.name]}" if each.name in loaded else each.where
        if each.gated and not each.is_here:
            where += ", asks for consent"
        yield (
            each.name,
            each.task,
            count_said(each.parameters),
            each.advice,
            each.license.id if each.license.kind == "open" else each.license.said,
            where,
            size(each.disk_bytes) if each.disk_bytes else "",
            each.good_at,
        )


def count_said(parameters: int) -> str:
    """Return a number of parameters for people: `0.6B`, `135M`; empty for 0."""
    if parameters >= _BILLION // 2:
        return f"{parameters / _BILLION:.{1 if parameters < _HUNDRED * _BILLION else 0}f}B"
    return f"{parameters / _MILLION:.0f}M" if parameters else ""
