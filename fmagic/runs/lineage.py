"""What a run builds on, and what builds on it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from fmagic.runs.record import DataInfo, ModelInfo, RunRecord

FINGERPRINT = 12
"""Characters of a digest that are shown."""


@dataclass(frozen=True, slots=True)
class Node:
    """One line of a chain, with what it builds on below it."""

    text: str
    below: Sequence[Node] = field(default=())

    def lines(self) -> list[str]:
        """Return the chain as a drawing, one line for each node."""
        drawn = [self.text]
        for place, node in enumerate(self.below):
            last = place == len(self.below) - 1
            first, *others = node.lines()
            drawn.append(f"{'└' if last else '├'}─ {first}")
            drawn += [f"{' ' if last else '│'}  {other}" for other in others]
        return drawn


def chain(record: RunRecord, records: Iterable[RunRecord]) -> Node:
    """Return a run over all that it builds on: runs, data and the revision of the base model."""
    return _node(record, {each.id: each for each in records}, {record.id})


def children(record: RunRecord, records: Iterable[RunRecord]) -> list[RunRecord]:
    """Return the runs that build on this one."""
    return [each for each in records if record.id in each.parents]


def _node(record: RunRecord, known: Mapping[str, RunRecord], seen: set[str]) -> Node:
    below: list[Node] = []
    for parent in record.parents:
        if parent in seen:  # a foreign record may name itself
            continue
        found = known.get(parent)
        if found is None:
            below.append(Node(f"run {parent[-8:]}, which is not in this log"))
        else:
            below.append(_node(found, known, {*seen, parent}))
    if record.data is not None:
        below.append(Node(_data(record.data)))
    if record.model is not None and not record.parents:
        below.append(Node(_model(record.model)))
    return Node(_run(record), below)


def _run(record: RunRecord) -> str:
    named = record.params.get("name")
    name = f" {named!r}" if record.kind == "finetune" and isinstance(named, str) else ""
    return f"{record.kind} {record.short_id}{name}"


def _data(data: DataInfo) -> str:
    rows = "" if data.rows is None else f", {data.rows:,} rows"
    print_ = f", sha256 {data.sha256[:FINGERPRINT]}" if data.sha256 else ""
    return f"data {data.name}{rows}{print_}"


def _model(model: ModelInfo) -> str:
    revision = f" at {model.revision[:FINGERPRINT]}" if model.revision else ""
    return f"model {model.name}{revision}"
