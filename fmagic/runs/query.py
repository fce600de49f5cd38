"""Which runs are meant, and in which order."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from fmagic.errors import LogError, OptionError, did_you_mean
from fmagic.runs.identity import utc_now
from fmagic.runs.record import flat

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from fmagic.runs.record import RunRecord

_AGO = re.compile(r"(\d+(?:\.\d+)?)\s*([mhdw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_FIELDS: dict[str, Callable[[RunRecord], str | float | None]] = {
    "started": lambda record: record.started,
    "seconds": lambda record: record.seconds,
    "kind": lambda record: record.kind,
    "status": lambda record: record.status,
    "model": lambda record: record.model.name if record.model else None,
    "seed": lambda record: record.seed,
}


@dataclass(frozen=True, slots=True)
class Query:
    """What to look for; a field that is not given matches every run.

    Attributes:
        kind: the operation, `evaluate`.
        model: a part of the model's or the adapter's name.
        status: `ok`, `error`, `interrupted` or `running`.
        tags: all of them are on the run.
        since: `2026-11-21`, `2026-11-21T08:00` (both UTC), or as long ago as `30m`, `2h`, `3d`,
            `1w`.
        text: words, all of which occur somewhere in the run.
        sort: a metric, `started`, `seconds`, `kind`, `status`, `model` or `seed`; the largest
            first, runs without it last.
        reverse: the smallest first.
    """

    kind: str | None = None
    model: str | None = None
    status: str | None = None
    tags: Sequence[str] = ()
    since: str | None = None
    text: str = ""
    sort: str | None = None
    reverse: bool = False


def select(records: Sequence[RunRecord], query: Query) -> list[RunRecord]:
    """Return the runs that match, in the order asked for, else oldest first.

    Raises:
        LogError: no run at all has this kind, status, tag or metric; near ones are named.
        OptionError: `since` cannot be read.
    """
    _known(query.kind, "kind", (record.kind for record in records))
    _known(query.status, "status", (record.status for record in records))
    for tag in query.tags:
        _known(tag, "tag", (each for record in records for each in record.tags))
    first = None if query.since is None else since(query.since)
    words = query.text.casefold().split()
    found = [
        record
        for record in records
        if query.kind in (None, record.kind)
        and query.status in (None, record.status)
        and set(query.tags) <= set(record.tags)
        and (first is None or record.started_at >= first)
        and _named(record, query.model)
        and (not words or _holds(record, words))
    ]
    return found if query.sort is None else _sorted(found, query.sort, reverse=query.reverse)


def since(text: str) -> datetime:
    """Return a time in UTC from `2h`, `3d`, `2026-11-21` or `2026-11-21T08:00`.

    Raises:
        OptionError: it is none of these.
    """
    match = _AGO.fullmatch(text.strip().lower())
    try:
        if match:
            return utc_now() - timedelta(**{_UNITS[match[2]]: float(match[1])})
        time = datetime.fromisoformat(text.strip())
    except (ValueError, OverflowError):
        raise OptionError(
            f"--since cannot be {text!r}: give a date such as 2026-11-21 or 2026-11-21T08:00 "
            "(in UTC), or how long ago, such as 30m, 2h, 3d or 1w."
        ) from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def value_of(record: RunRecord, name: str) -> object:
    """Return a metric, an option or a field of a run by its name; `None` if it has none such."""
    if name in record.metrics:
        return record.metrics[name]
    if name in record.params:
        return record.params[name]
    if name in _FIELDS:
        return _FIELDS[name](record)
    for part in (record.model, record.data):
        if part is not None and name in (fields := flat(part)):
            return fields[name]
    return None


def names_of(records: Iterable[RunRecord]) -> list[str]:
    """Return the names of all metrics and options of these runs."""
    found: dict[str, None] = {}
    for record in records:
        found.update(dict.fromkeys([*record.metrics, *record.params]))
    return list(found)


def _known(value: str | None, what: str, values: Iterable[str]) -> None:
    if value is None:
        return
    there = list(dict.fromkeys(values))
    if value not in there:
        here = f" Here are: {', '.join(there)}." if there else ""
        raise LogError(f"No run has the {what} {value!r}.{did_you_mean(value, there)}{here}")


def _named(record: RunRecord, name: str | None) -> bool:
    if name is None:
        return True
    if record.model is None:
        return False
    names = (record.model.name, record.model.adapter or "")
    return any(name.casefold() in each.casefold() for each in names)


def _holds(record: RunRecord, words: Sequence[str]) -> bool:
    texts = [record.id, record.kind, record.status, record.template, record.note, record.notebook]
    texts += record.tags
    if record.cell is not None:
        texts.append(record.cell.source)
    if record.model is not None:
        texts += [record.model.name, record.model.adapter]
    if record.data is not None:
        texts.append(record.data.name)
    if record.output is not None:
        texts.append(record.output.text)
    if record.error is not None:
        texts += [record.error.type, record.error.message]
    whole = "\n".join(filter(None, texts)).casefold()
    return all(word in whole for word in words)


def _sorted(records: list[RunRecord], name: str, *, reverse: bool) -> list[RunRecord]:
    having = [(value_of(record, name), record) for record in records]
    valued = [(value, record) for value, record in having if isinstance(value, str | int | float)]
    if records and not valued:
        known = [*_FIELDS, *names_of(records)]
        raise LogError(f"No run has {name!r} to sort by.{did_you_mean(name, known)}")
    # Text and numbers do not compare with each other.
    valued.sort(key=lambda pair: (isinstance(pair[0], str), pair[0]), reverse=not reverse)
    rest = [record for value, record in having if not isinstance(value, str | int | float)]
    return [*(record for _, record in valued), *rest]
