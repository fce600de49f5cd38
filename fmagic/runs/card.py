"""Records as blocks to look at: the card under a result, the list of runs, one run whole."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fmagic.data import UNNAMED
from fmagic.runs.lineage import chain, children
from fmagic.runs.record import RUN_MIME, ModelInfo, RunRecord, flat
from fmagic.views import (
    Card,
    Chips,
    Curve,
    Fold,
    KeyValue,
    Stack,
    Table,
    Text,
    duration,
    number,
    size,
)
from fmagic.views import bundle as plain_bundle

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Literal

    from pydantic import BaseModel

    from fmagic.runs.record import RerunInfo
    from fmagic.views import Block

# The figure that says most about a run: the first of these that it has.
MAIN_METRICS = (
    "accuracy",
    "f1",
    "exact_match",
    "held_out_loss_after",
    "eval_loss",
    "held_out_loss",
    "perplexity",
    "loss",
    "rows_per_second",
)
# What a row of the list tells. The rest, which is most of a record, need not be sealed for it.
_IN_A_ROW = (
    *("id", "kind", "status", "started", "seconds"),
    *("model", "metrics", "data", "tags", "note"),
)
_SHORT = 160
# Front ends that have cards of their own take this one out of the output.
CARD_MARK = "run-card"


@dataclass(frozen=True, slots=True)
class _Folded:
    """A fold that plain text, which cannot fold, replaces by the way to its content."""

    fold: Fold
    hint: str

    def plain(self) -> str:
        return self.hint

    def html(self) -> str:
        return self.fold.html()


def bundle(record: RunRecord, block: Block) -> dict[str, Any]:
    """Return the display bundle of a run: its record, and the block for readers without fmagic."""
    return {RUN_MIME: record.dump(), **plain_bundle(block)}


def with_notices(record: RunRecord, *blocks: Block) -> Block:
    """Return blocks under what the user should know of the run."""
    return Stack([*_notices(record.sealed()), *blocks])


def _notices(record: RunRecord) -> list[Block]:
    return [Text(f"Note: {notice}", tone="muted") for notice in record.notices]


def card(record: RunRecord) -> Block:
    """Return the compact card of a run; what was asked and where it ran is folded away."""
    record = record.sealed()
    blocks: list[Block] = [Chips(_chips(record))]
    if record.error is not None:
        blocks.append(Text(f"{record.error.type}: {_brief(record.error.message)}", tone="bad"))
    if record.rerun is not None:
        blocks.append(_rerun(record, record.rerun))
    details = _details(record)
    if details:
        fold = Fold("template, options, data, environment", Stack(details))
        blocks.append(_Folded(fold, f"more: %runs show {record.short_id}"))
    title = f"{record.kind} {record.short_id}"
    return Card(title, blocks, tone=_tone(record), mark=CARD_MARK)


def table(
    records: Sequence[RunRecord],
    stale: Mapping[str, Sequence[str]] | None = None,
    sort: str | None = None,
    caption: str = "",
) -> Block:
    """Return the list of runs, in the order given.

    Args:
        records: the runs.
        stale: why runs are stale, by id.
        sort: the metric by which they were sorted; it is shown in place of the usual one.
        caption: a line above them.
    """
    if not records:
        return Text("No runs yet. %%prompt makes one.", tone="muted")
    columns = [
        *("run", "started (UTC)", "kind", "status"),
        *("model", "time", "figure", "data", "note"),
    ]
    align: list[Literal["left", "right"]] = ["left"] * len(columns)
    align[columns.index("time")] = "right"
    rows = [_row(record, sort) for record in records]
    marks = [", ".join((stale or {}).get(record.id, ())) for record in records]
    if any(marks):
        columns.append("stale")
        rows = [[*row, mark] for row, mark in zip(rows, marks, strict=True)]
        align.append("left")
    return Table(columns, rows, align=align, caption=caption)


def detail(record: RunRecord, others: Sequence[RunRecord] = (), stale: Sequence[str] = ()) -> Block:
    """Return everything that the log knows of a run.

    Args:
        record: the run.
        others: the runs among which are those that it builds on, and those that build on it.
        stale: why the run is stale.
    """
    record = record.sealed()
    blocks: list[Block] = [Chips(_chips(record))]
    blocks.append(KeyValue(_about(record, others, stale)))
    if record.error is not None:
        blocks.append(Text(f"{record.error.type}: {record.error.message}", tone="bad"))
    blocks += _notices(record)
    lineage = chain(record, others).lines()
    if len(lineage) > 1:
        blocks.append(Fold("builds on", Text("\n".join(lineage), mono=True), open=True))
    if record.output is not None and record.output.text:
        blocks.append(Fold("output", Text(record.output.text), open=True))
    if record.output is not None and record.output.table:
        outline = [(_words(key), _value(value)) for key, value in record.output.table.items()]
        blocks.append(Fold("output table", KeyValue(outline), open=True))
    if record.metrics:
        figures = [(_words(key), figure(key, value)) for key, value in record.metrics.items()]
        blocks.append(Fold("figures", KeyValue(figures), open=True))
    blocks += [
        Fold(_words(name), Curve({name: points}, x_label="step", y_label=_words(name)), open=True)
        for name, points in record.series.items()
        if points
    ]
    if record.cell is not None and record.cell.source:
        blocks.append(Fold("cell", Text(record.cell.source, mono=True)))
    blocks += _details(record)
    return Card(f"{record.kind} {record.short_id}", blocks, tone=_tone(record))


def main_metric(metrics: Mapping[str, float]) -> str | None:
    """Return the name of the figure that says most about a run; `None` if it has none such."""
    return next((name for name in MAIN_METRICS if name in metrics), None)


def figure(name: str, value: float) -> str:
    """Return a metric as it is read: bytes, seconds and accuracies in their units."""
    if name.endswith("_bytes") and value >= 0:
        return size(int(value))
    if name.endswith("seconds") and value >= 0:
        return duration(value)
    if name.startswith("accuracy") and 0 <= value <= 1:
        return f"{value:.1%}"
    return number(value)


def _about(
    record: RunRecord, others: Sequence[RunRecord], stale: Sequence[str]
) -> list[tuple[str, object]]:
    used = ", ".join(f"{each.kind} {each.short_id}" for each in children(record, others))
    pairs: list[tuple[str, object]] = [
        ("id", record.id),
        ("started", record.started),
        ("notebook", record.notebook),
        ("used by", used),
        ("rerun of", record.rerun and record.rerun.of[-8:]),
        ("stale", ", ".join(stale)),
        ("tags", ", ".join(record.tags)),
        ("note", record.note),
    ]
    return [(name, value) for name, value in pairs if value]


def _rerun(record: RunRecord, rerun: RerunInfo) -> Text:
    first = rerun.of[-8:]
    if rerun.same_output is False:
        hint = f"%runs diff {first} {record.short_id}"
        return Text(f"rerun of {first}: its output drifted; {hint}", tone="bad")
    said = "the same output" if rerun.same_output else "no text to compare"
    return Text(f"rerun of {first}: {said}", tone="muted")


def _chips(record: RunRecord) -> list[tuple[str, str]]:
    chips: list[tuple[str, str]] = [("status", record.status)]
    if record.model is not None:
        how = " ".join(filter(None, (_precision(record.model), record.model.device)))
        chips.append(("model", record.model.name))
        if how:
            chips.append(("on", how))
    if record.seconds is not None:
        chips.append(("time", duration(record.seconds)))
    speed = record.metrics.get("tokens_per_second")
    if speed is not None:
        chips.append(("tokens/s", number(speed)))
    name = main_metric(record.metrics)
    if name is not None:
        chips.append((_words(name), figure(name, record.metrics[name])))
    if record.data is not None and record.data.rows is not None:
        chips.append(("rows", number(record.data.rows)))
    return chips


def _details(record: RunRecord) -> list[Block]:
    blocks: list[Block] = []
    if record.template:
        blocks.append(Fold("template", Text(record.template, mono=True)))
    options: list[tuple[str, object]] = [
        (_words(name), _value(value)) for name, value in record.params.items()
    ]
    if record.seed is not None:
        options.append(("seed", record.seed))
    if options:
        blocks.append(Fold("options", KeyValue(options)))
    parts = {"model": record.model, "data": record.data, "environment": record.environment}
    for title, part in parts.items():
        pairs = [] if part is None else _pairs(part)
        if pairs:
            blocks.append(Fold(title, KeyValue(pairs)))
    return blocks


def _pairs(part: BaseModel) -> list[tuple[str, object]]:
    pairs: list[tuple[str, object]] = [
        (_words(name), _value(value)) for name, value in flat(part).items() if value is not None
    ]
    conditions = part.license.conditions if isinstance(part, ModelInfo) and part.license else None
    return [*pairs, ("the licence asks", conditions)] if conditions else pairs


def _row(record: RunRecord, sort: str | None = None) -> list[object]:
    record = RunRecord(**{name: getattr(record, name) for name in _IN_A_ROW}).sealed()
    wanted = (sort, main_metric(record.metrics), "tokens_per_second")
    name = next((each for each in wanted if each in record.metrics), None)
    model = record.model
    return [
        record.short_id,
        record.started[:16].replace("T", " "),
        record.kind,
        record.status,
        "" if model is None else " ".join(filter(None, (model.name, _precision(model)))),
        "" if record.seconds is None else duration(record.seconds),
        "" if name is None else f"{_words(name)} {figure(name, record.metrics[name])}",
        "" if record.data is None or record.data.name == UNNAMED else record.data.name,
        " ".join([*(f"#{tag}" for tag in record.tags), record.note or ""]).strip(),
    ]


def _precision(model: ModelInfo) -> str | None:
    return model.dtype if model.quant in (None, "none") else model.quant


def _tone(record: RunRecord) -> Literal["normal", "muted", "good", "bad"]:
    if record.status == "ok":
        return "good"
    return "bad" if record.status == "error" else "muted"


def _value(value: object) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def _words(name: str) -> str:
    return name.replace("_", " ")


def _brief(text: str) -> str:
    line = text.strip().partition("\n")[0]
    return line if len(line) <= _SHORT else f"{line[: _SHORT - 1]}…"
