"""Several runs in one picture: their curves, or one figure against one option."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fmagic.errors import LogError, did_you_mean
from fmagic.runs.query import names_of, value_of
from fmagic.views import Curve

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fmagic.runs.record import RunRecord

MOST_CURVES = 12
"""More lines than these in one picture cannot be told apart."""


def curves(records: Sequence[RunRecord], series: str | None = None) -> Curve:
    """Draw the curves of runs over their steps.

    Args:
        records: the runs.
        series: name of the curves; all of them if not given.

    Raises:
        LogError: no run has such a curve, or there are too many to tell apart.
    """
    found = {
        f"{record.short_id} {name}": points
        for record in records
        for name, points in record.series.items()
        if points and series in (None, name)
    }
    if not found:
        known = list(dict.fromkeys(name for record in records for name in record.series))
        raise LogError(
            "None of these runs has a curve; %%finetune draws one."
            if not known
            else f"None of these runs has a curve {series!r}.{did_you_mean(series or '', known)} "
            f"They have: {', '.join(known)}."
        )
    if len(found) > MOST_CURVES:
        raise LogError(
            f"{len(found)} curves are too many for one picture: name at most {MOST_CURVES} runs, "
            "or one curve with --y."
        )
    return Curve(found, x_label="step", y_label=series or "loss")


def against(records: Sequence[RunRecord], x: str, y: str, log: Sequence[RunRecord] = ()) -> Curve:
    """Draw a figure of runs against an option, one dot a run.

    Values that are no numbers stand beside each other.

    Args:
        records: the runs; those that lack one of the two are left out.
        x: an option, a metric, or a field such as `seed`, `model` or `quant`. What a run has not
            is that of the run it builds on: the rank is an option of the tuning.
        y: a metric.
        log: where the runs are that these build on.

    Raises:
        LogError: no run has both.
    """
    by_id = {record.id: record for record in (*log, *records)}
    pairs = [
        (there, figure)
        for record in records
        if (there := _inherited(record, x, by_id)) is not None
        and isinstance(figure := value_of(record, y), int | float)
    ]
    if not pairs:
        known = names_of(by_id.values())
        missing = next((name for name in (y, x) if name not in known), y)
        raise LogError(f"No run has both {x!r} and {y!r}.{did_you_mean(missing, known)}")
    if all(isinstance(there, int | float) and not isinstance(there, bool) for there, _ in pairs):
        points = sorted((float(there), float(figure)) for there, figure in pairs)  # type: ignore[arg-type]  # numbers, see above
        return Curve({y: points}, x_label=x, y_label=y, dots=True)
    names = list(dict.fromkeys(str(there) for there, _ in pairs))
    places = [(float(names.index(str(there))), float(figure)) for there, figure in pairs]
    return Curve({y: sorted(places)}, x_label=x, y_label=y, dots=True, x_names=names)


def _inherited(record: RunRecord, name: str, by_id: Mapping[str, RunRecord]) -> object:
    """Return a value of a run, or of the nearest run it builds on that has one."""
    seen: set[str] = set()
    todo = [record]
    while todo:
        each = todo.pop(0)
        if (value := value_of(each, name)) is not None:
            return value
        seen.add(each.id)
        todo += [by_id[parent] for parent in each.parents if parent in by_id and parent not in seen]
    return None
