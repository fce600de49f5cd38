"""A report in Markdown that a colleague reads."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from fmagic.runs.card import figure, main_metric
from fmagic.runs.exporters._fields import as_text, dotted, flatten, title
from fmagic.runs.exporters._files import write
from fmagic.runs.exporters._messages import runs
from fmagic.views import duration, number

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from fmagic.runs.exporters._fields import Dump
    from fmagic.runs.record import RunRecord

NAME = "markdown"
TITLE = "a report to read: a table of the runs, then each of them"
NEEDS: str | None = None
DEFAULT = "runs.md"

_COLUMNS = ("run", "started (UTC)", "kind", "status", "model", "time", "figure", "data")
_SAME = {True: ", with the same text", False: ", with another text", None: ""}
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;"})
# An underscore inside a word, as most names have, is no mark.
_MARKS = re.compile(r"[\\`*\[\]~$#]|(?<![^\W_])_|_(?![^\W_])")
_BACKTICKS = re.compile(r"`+")


def export(records: Sequence[RunRecord], target: str | None) -> str:
    """Write the report.

    Args:
        records: the runs, in the order in which they are told.
        target: the file, by default `runs.md`.
    """
    place = write(text(records), target, DEFAULT)
    return f"Wrote a report of {runs(records)} to {place}."


def text(records: Sequence[RunRecord]) -> str:
    """Return the report."""
    return "\n\n".join(_report([record.dump() for record in records])) + "\n"


def escape(words: str) -> str:
    """Return a text on one line, as content of a paragraph, a heading or a cell of a table."""
    line = " ".join(words.split())
    return _MARKS.sub(r"\\\g<0>", line).translate(_ENTITIES)


def fence(words: str) -> str:
    """Return a text in a fence that no run of backticks in it can close."""
    longest = max(map(len, _BACKTICKS.findall(words)), default=0)
    marks = "`" * max(3, longest + 1)
    body = words.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n")
    return f"{marks}text\n{body}\n{marks}"


def _report(dumps: list[Dump]) -> Iterator[str]:
    notebooks = {dump.get("notebook") for dump in dumps}
    (notebook,) = notebooks if len(notebooks) == 1 else (None,)
    yield f"# Runs of {escape(notebook)}" if notebook else "# Runs"
    times = sorted(map(_when, dumps))
    span = times[0] if times[0] == times[-1] else f"{times[0]} to {times[-1]}"
    yield f"{runs(dumps)}, {span} UTC."
    yield _table(_COLUMNS, map(_row, dumps))
    titles = {dump["id"]: title(dump) for dump in dumps}
    for dump in dumps:
        yield from _section(dump, titles)


def _row(dump: Dump) -> list[str]:
    metrics = dump.get("metrics", {})
    name = main_metric(metrics)
    seconds = dump.get("seconds")
    return [
        _link(title(dump)),
        _when(dump),
        dump["kind"],
        dump["status"],
        escape(dump.get("model", {}).get("name", "")),
        "" if seconds is None else duration(seconds),
        "" if name is None else f"{escape(name)} {figure(name, metrics[name])}",
        escape(dump.get("data", {}).get("name", "")),
    ]


def _section(dump: Dump, titles: Mapping[str, str]) -> Iterator[str]:
    yield f"## {title(dump)}"
    facts = {name: value for name, value in _facts(dump, titles).items() if value}
    yield "\n".join(f"- **{name}:** {value}" for name, value in facts.items())
    asked = dump.get("template") or dump.get("cell", {}).get("source")
    output = dump.get("output", {})
    for heading, words in (("Asked", asked), ("Answer", output.get("text"))):
        if words:
            yield f"**{heading}**"
            yield fence(words)
    if "error" in dump:
        yield f"**Error:** {escape(dump['error']['type'])}"
        if dump["error"].get("message"):
            yield fence(dump["error"]["message"])
    if output.get("table"):
        yield "**Output table**"
        yield _table(("field", "value"), _pairs(output["table"]))
    if dump.get("metrics"):
        figures = [(escape(name), figure(name, value)) for name, value in dump["metrics"].items()]
        yield "**Figures**"
        yield _table(("figure", "value"), figures)
    if dump.get("series"):
        yield "**Curves**"
        yield _table(("curve", "points", "first", "last"), map(_curve, dump["series"].items()))


def _facts(dump: Dump, titles: Mapping[str, str]) -> dict[str, str]:
    seconds = dump.get("seconds")
    taken = "" if seconds is None else f", {duration(seconds)}"
    data = dict(dump.get("data", {}))
    if "columns" in data:
        data["columns"] = ", ".join(map(as_text, data["columns"]))
    parents = [_run(each, titles) for each in dump.get("parents", [])]
    rerun = dump.get("rerun", {})
    return {
        "run": dump["id"],
        "status": f"{dump['status']}{taken}",
        "started": f"{dump['started'][:19].replace('T', ' ')} UTC",
        "notebook": escape(dump.get("notebook", "")),
        "model": _named(dump.get("model", {})),
        "data": _named(data),
        "options": _list(dump.get("params", {})),
        "seed": as_text(dump["seed"]) if "seed" in dump else "",
        "note": escape(dump.get("note", "")),
        "tags": ", ".join(escape(as_text(tag)) for tag in dump.get("tags", [])),
        "builds on": ", ".join(parents),
        "repeats": f"{_run(rerun['of'], titles)}{_SAME[rerun.get('same_output')]}" if rerun else "",
        "environment": _list(dump.get("environment", {})),
    }


def _run(run_id: str, titles: Mapping[str, str]) -> str:
    return _link(titles[run_id]) if run_id in titles else escape(run_id)


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _pairs(data: Mapping[str, Any]) -> list[tuple[str, str]]:
    values = dict(flatten(data))
    return [(escape(name), escape(as_text(values[path]))) for path, name in dotted(values).items()]


def _list(data: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in _pairs(data))


def _named(part: Mapping[str, Any]) -> str:
    rest = _list({name: value for name, value in part.items() if name != "name"})
    return ", ".join(filter(None, (escape(part.get("name", "")), rest)))


def _curve(item: tuple[str, list[list[float]]]) -> list[str]:
    name, points = item
    ends = [number(points[place][1]) if points else "" for place in (0, -1)]
    return [escape(name), str(len(points)), *ends]


def _link(heading: str) -> str:
    return f"[{heading}](#{heading.replace(' ', '-')})"


def _when(dump: Dump) -> str:
    minute: str = dump["started"][:16].replace("T", " ")
    return minute
