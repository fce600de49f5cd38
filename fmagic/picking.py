"""What can be picked, as a table."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from fmagic.operations.events import Started
from fmagic.results import View
from fmagic.views import Stack, Table, Text, size

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fmagic.drive import Watch
    from fmagic.models.choices import Choice, Wanted
    from fmagic.models.fit import Fit
    from fmagic.models.loaded import Loaded
    from fmagic.picker import Picking
    from fmagic.shelf import Shelf

COLUMNS = ("model", "task", "size", "memory", "licence", "where", "good at")
TASK_OF = {"causal": "text-generation", "seq2seq": "seq2seq", "encoder": "embedding"}
_MILLION, _BILLION = 10**6, 10**9
_HUNDRED = 100


def picking(shelf: Shelf) -> Picking:
    """Return the state of a picker that loads onto a shelf."""
    from fmagic.models.catalog import listing
    from fmagic.models.choices import Sizer, choices
    from fmagic.models.choices_hub import measured, of_hub
    from fmagic.models.devices import detect
    from fmagic.picker import Hub, Picking

    def search(wanted: Wanted) -> list[Choice]:
        device = detect(shelf.settings.device)
        return choices(Path(shelf.settings.models_dir), device, wanted)

    def search_hub(wanted: Wanted) -> list[Choice]:
        on_disk = [each.name for each in listing(Path(shelf.settings.models_dir))]
        return of_hub(detect(shelf.settings.device), wanted, without=on_disk)

    def measure(choice: Choice) -> Choice:
        return measured(choice, Sizer(detect(shelf.settings.device)))

    def load(name: str, method: str, watch: Watch) -> None:
        before = shelf.current
        model = shelf.load(name, quant=method, watch=watch)
        try:
            watch.event(Started("", None, ""))
        except KeyboardInterrupt:
            # Cancel came while the weights were read.
            is_current = shelf.current == model.name
            shelf.unload(model.name)
            if is_current and before in shelf.by_name:
                shelf.current = before
            raise

    return Picking(search, load, Hub(search_hub, measure))


def models_view(shelf: Shelf, wanted: Wanted, *, hub: bool = False) -> View:
    """Show what is loaded and what can be picked.

    Args:
        shelf: with what is loaded.
        wanted: which models to show.
        hub: search the hub as well.
    """
    from fmagic.models.choices import choices
    from fmagic.models.choices_hub import of_hub
    from fmagic.models.copies import listing
    from fmagic.models.devices import detect

    device = detect(shelf.settings.device)
    found = choices(Path(shelf.settings.models_dir), device, wanted)
    if hub:
        found += of_hub(device, wanted, without=[each.name for each in found])
    loaded = {str(model.spec): name for name, model in shelf.by_name.items()}
    listed = {each.name for each in found}
    others = [
        choice
        for choice in map(_loaded, shelf.by_name.values())
        if choice.name not in listed and wanted.takes(choice)
    ]
    found = [*others, *found]
    if not found:
        more = "" if hub else " `%models QUERY --hub` searches the Hugging Face Hub."
        return View(Text(f"No model is like that. `%models` lists all.{more}"), [])
    kept: Counter[str] = Counter()
    for copy in listing(Path(shelf.settings.cache_dir)):
        kept[copy.name] += copy.bytes
    rows = list(_rows(found, loaded, kept, wanted.tune))
    columns = tuple(
        f"to tune ({wanted.tune})" if wanted.tune and name == "memory" else name for name in COLUMNS
    )
    if wanted.task:  # the same in each row
        columns = tuple(name for name in columns if name != "task")
        rows = [(row[0], *row[2:]) for row in rows]
    free = f"{size(device.free_bytes)} of {size(device.total_bytes)} are free on {device.name}."
    if wanted.tune:
        free += f" Tuning is reckoned with {rows_said()}; shorter rows or fewer take less."
    block = Stack([Text(free, tone="muted"), Table(columns, rows, total=len(rows))])
    return View(block, found)


def _loaded(model: Loaded) -> Choice:
    """Return a loaded model as a choice: one of a folder or a server is on no other list."""
    from fmagic.models.choices import Choice

    return Choice(
        name=str(model.spec) if model.spec.kind != "folder" else model.name,
        task=TASK_OF.get(model.kind, ""),
        license=model.license,
        parameters=model.parameters,
        context=model.context_length,
        good_at="",
        where=f"loaded as {model.name}",
        disk_bytes=0,
        gated=False,
        source="",
        fits={},
        best=model.quant,
        reason=model.quant_reason,
    )


def _rows(
    found: Sequence[Choice], loaded: Mapping[str, str], kept: Mapping[str, int], tune: str | None
) -> Iterator[tuple[object, ...]]:
    for each in found:
        where = f"loaded as {loaded[each.name]}" if each.name in loaded else each.where
        if each.disk_bytes:
            where += f", {size(each.disk_bytes)}"
        if copies := kept.get(each.name):
            where += f" + {size(copies)} quantized"
        if each.gated and not each.is_here:
            where += ", asks for consent"
        yield (
            each.name,
            each.task,
            count_said(each.parameters),
            tuning_said(each.tunings[tune]) if tune else each.brief,
            each.license.id if each.license.kind == "open" else each.license.said,
            where,
            each.good_at,
        )


def rows_said() -> str:
    """Return which rows the estimates of tuning are about."""
    from fmagic.models.fit import Training

    assumed = Training()
    return f"{assumed.batch} rows of {assumed.tokens} tokens at once"


def tuning_said(fit: Fit) -> str:
    """Return what a tuning takes, for people."""
    if not fit.fits:
        return f"{fit.said}, does not fit"
    return fit.said if fit.is_comfortable else f"{fit.said}, which is tight"


def count_said(parameters: int) -> str:
    """Return a number of parameters for people: `0.6B`, `135M`; empty for 0."""
    if parameters >= _BILLION // 2:
        return f"{parameters / _BILLION:.{1 if parameters < _HUNDRED * _BILLION else 0}f}B"
    return f"{max(1, round(parameters / _MILLION))}M" if parameters else ""
