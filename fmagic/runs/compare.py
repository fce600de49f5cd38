"""What changed from one run to another, and how the figures moved."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from fmagic.intervals import Paired
from fmagic.runs.record import flat
from fmagic.views import Card, KeyValue, Stack, Table, Text, Words, number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fmagic.runs.record import RunRecord
    from fmagic.views import Block

LIKELY = 0.05  # what is as probable as that by chance proves nothing
LEAST = 0.001  # smaller probabilities are not told apart
PARTS = ("model", "data", "environment")
_ALIGN: tuple[Literal["left", "right"], ...] = ("left", "right", "right", "right", "right")


@dataclass(frozen=True, slots=True)
class Difference:
    """Two runs beside each other.

    Attributes:
        changed: fields whose values differ, `{"params.seed": (1, 2)}`; `None` stands for absent.
        metrics: figures of either run, `{"accuracy": (0.8, 0.9)}`.
        same: parts that are alike in both.
        same_output: whether the outputs are alike; `None` if one of them is not known.
        rows: what both did on the same rows, of two evaluations on the same data.
    """

    before: RunRecord
    after: RunRecord
    changed: Mapping[str, tuple[Any, Any]]
    metrics: Mapping[str, tuple[float | None, float | None]]
    same: tuple[str, ...]
    same_output: bool | None
    rows: Paired | None = None

    def block(self) -> Block:
        """Return it to be looked at."""
        titles = [f"{each.kind} {each.short_id}" for each in (self.before, self.after)]
        head = [] if self.rows is None else [KeyValue(_said(self.rows))]
        blocks, cell = self._words("template"), self._words("cell")
        if not (self.before.template or self.after.template):
            blocks += cell  # which holds the texts
        if self.changed:
            rows = [(name, _shown(a), _shown(b)) for name, (a, b) in self.changed.items()]
            blocks.append(Table(["what", *titles], rows))
        # A cell of options and a template tells nothing that is not said by now.
        blocks = blocks or cell
        if not blocks:
            blocks.append(Text("Nothing that is recorded changed between the two runs."))
        if self.metrics:
            figures = [
                (name.replace("_", " "), number(a), number(b), *_moved(a, b))
                for name, (a, b) in self.metrics.items()
            ]
            columns = ["figure", *titles, "change", "%"]
            blocks.append(Table(columns, figures, align=_ALIGN))
        said = {True: "the same", False: "differs", None: "not comparable"}[self.same_output]
        pairs: list[tuple[str, object]] = [("output", said)]
        if self.same:
            pairs.append(("the same in both", ", ".join(self.same)))
        blocks.append(KeyValue(pairs))
        return Card(f"{titles[0]} → {titles[1]}", [Stack([*head, *blocks])])

    def _words(self, title: str) -> list[Block]:
        """Return what changed in a text, nothing if it is the same."""
        texts = [_text(each, title) for each in (self.before, self.after)]
        return [Text(title, tone="muted"), Words(*texts)] if texts[0] != texts[1] else []


def compare(before: RunRecord, after: RunRecord) -> Difference:
    """Return what changed from one run to another."""
    before, after = before.sealed(), after.sealed()
    groups: dict[str, list[dict[str, Any]]] = {
        "options": [{**each.params, "seed": each.seed} for each in (before, after)]
    }
    for part in PARTS:
        found = [getattr(each, part) for each in (before, after)]
        groups[part] = [{} if each is None else flat(each) for each in found]
    changed: dict[str, tuple[Any, Any]] = {}
    for group, (old, new) in groups.items():
        for name in {**old, **new}:
            if old.get(name) != new.get(name):
                changed[f"{group}: {name.replace('_', ' ')}"] = old.get(name), new.get(name)
    if before.status != after.status:
        changed = {"status": (before.status, after.status), **changed}
    same = [part for part, (old, new) in groups.items() if old == new and any(old.values())]
    same += [title for title in ("template", "cell") if _alike(before, after, title)]
    metrics = {
        name: (before.metrics.get(name), after.metrics.get(name))
        for name in {**before.metrics, **after.metrics}
    }
    return Difference(
        before,
        after,
        changed,
        metrics,
        tuple(same),
        after.gave_the_same(before),
        _paired(before, after),
    )


def _paired(before: RunRecord, after: RunRecord) -> Paired | None:
    """Return what two evaluations did on the same rows; `None` if those or the task are not the same."""
    if _asked(before) is None or _asked(before) != _asked(after):
        return None
    marks = [_marks(before), _marks(after)]
    if len(marks[0]) != len(marks[1]) or not {*marks[0], *marks[1]} <= set("10-"):
        return None  # one of them is cut
    pairs = Counter(zip(*marks, strict=True))
    found = Paired(pairs["1", "1"], pairs["1", "0"], pairs["0", "1"], pairs["0", "0"])
    return found if found.count else None


def _asked(record: RunRecord) -> tuple[str, str] | None:
    """Return the fingerprints of the rows and of the answers that would be right; `None` if unknown."""
    rows = record.data.sha256 if record.data is not None else None
    right = record.output.expected_sha256 if record.output is not None else None
    return None if rows is None or right is None else (rows, right)


def _marks(record: RunRecord) -> str:
    return "".join((record.output.marks if record.output is not None else None) or ())


def _said(rows: Paired) -> list[tuple[str, object]]:
    low, high = (100 * end for end in rows.interval)
    if rows.first == rows.second:
        verdict = "no difference"
    elif rows.chance < LIKELY:
        verdict = f"{'better' if rows.gain > 0 else 'worse'}, and hardly by chance"
    else:
        verdict = "the difference may be chance"
    chance = f"= {rows.chance:.3f}" if rows.chance >= LEAST else f"< {LEAST}"
    alone = f"{rows.second:,} only after, {rows.first:,} only before"
    return [
        ("verdict", f"{verdict} (p {chance}, McNemar's test, mid-p)"),
        ("accuracy", f"{100 * rows.gain:+.1f} points (95% interval {low:+.1f} to {high:+.1f})"),
        ("right rows", f"{rows.both:,} in both, {alone}, {rows.neither:,} in neither"),
    ]


def _text(record: RunRecord, title: str) -> str:
    if title == "template":
        return record.template or ""
    return (record.cell.source or "") if record.cell is not None else ""


def _alike(before: RunRecord, after: RunRecord, title: str) -> bool:
    return bool(_text(before, title)) and _text(before, title) == _text(after, title)


def _shown(value: object) -> str:
    if value is None:
        return number(None)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _moved(before: float | None, after: float | None) -> tuple[str, str]:
    if before is None or after is None:
        return "", ""
    by = after - before
    share = f"{by / abs(before):+.1%}" if before else ""
    return (f"+{number(by)}" if by > 0 else number(by)), share if by else ""
