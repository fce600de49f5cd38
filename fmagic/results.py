"""What an operation hands back: plain values, the record of the run, and a display of their own.

The display of a result is the one bundle of its run (custom MIME, HTML, plain text). A result that
was shown while it came about, by the live display of the same cell, does not show itself again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, overload

from fmagic.runs.card import bundle, card, table, with_notices
from fmagic.views import Curve, Fold, KeyValue, Stack, Table, Text, number

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np
    import pandas as pd

    from fmagic.runs.record import RunRecord
    from fmagic.views import Block

PREVIEW_ROWS = 10
PREVIEW_COLUMNS = 6
PREVIEW_RUNS = 100
SURE = 0.999
# Which of several values a figure is; the curve above shows others.
EXACTLY = {
    "held_out_loss_after": "held out loss after (saved epoch)",
    "loss": "loss (mean of the last tenth)",
}


@dataclass(slots=True, eq=False)
class Result:
    """Base of all results.

    Attributes:
        run: the record of the run, as it stands in the log.
    """

    run: RunRecord
    _shown: Any = field(default=None, init=False, repr=False)

    def _body(self) -> Block:
        raise NotImplementedError

    def block(self) -> Block:
        """Return the result over the card of its run."""
        return with_notices(self.run, self._body(), card(self.run))

    def mimebundle(self) -> dict[str, Any]:
        """Return the display bundle: custom MIME, HTML and plain text."""
        return bundle(self.run, self.block())

    def shown(self, cell: object) -> None:
        """Note that this cell's output holds the result already."""
        self._shown = cell

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return self.mimebundle()

    def __str__(self) -> str:
        return str(self.mimebundle()["text/plain"])

    def _ipython_display_(self) -> None:
        from IPython.core.getipython import get_ipython
        from IPython.display import display

        shell = get_ipython()
        if self._shown is None or shell is None or shell.execution_count != self._shown:
            display(self.mimebundle(), raw=True)  # type: ignore[no-untyped-call]  # as above


@dataclass(slots=True, eq=False)
class Answer(Result):
    """One answer.

    Attributes:
        text: what the model wrote.
        probability: with choices, that of the answer among them.
    """

    text: str
    probability: float | None = None

    def __str__(self) -> str:
        return self.text

    def _body(self) -> Block:
        return Text(self.text or "(an empty answer)", tone="normal" if self.text else "muted")


@dataclass(slots=True, eq=False)
class Answers(Result):
    """One answer for each row of a table.

    Attributes:
        frame: the rows, in the caller's kind of frame, with the columns `answer` and, with
            choices, `probability`.
        texts: the answers alone; `None` where a row was skipped or not reached.
    """

    frame: Any
    texts: list[str | None] = field(repr=False)
    __iter__ = None  # over rows or columns? `.texts` and `.frame` say

    def __len__(self) -> int:
        return len(self.texts)

    def __getitem__(self, column: str) -> Any:
        """Return a column of the table, as `frame[column]` does."""
        return self.frame[column]

    def _body(self) -> Block:
        return frame_block(self.frame, added=2, first=self._first())

    def _first(self) -> list[int] | None:
        """Return the rows to show of a run that was ended early: those it came to.

        Rows are answered in the order of their lengths, so they are seldom the table's first.
        """
        if self.run.status == "ok":
            return None
        return [place for place, text in enumerate(self.texts) if text is not None] or None


@dataclass(slots=True, eq=False)
class Scores(Answers):
    """How well answers met the expected ones.

    Attributes:
        scores: figures by name; `accuracy` comes with its 95% interval.
        labels: for each expected label `(label, rows, correct)`.
    """

    scores: dict[str, float]
    labels: list[tuple[str, int, int]]

    def _body(self) -> Block:
        low, high = self.scores.get("accuracy_low"), self.scores.get("accuracy_high")
        pairs: list[tuple[str, object]] = []
        if low is not None and high is not None:
            accuracy = self.scores["accuracy"]
            pairs.append(("accuracy", f"{accuracy:.1%} (95% interval {low:.1%} to {high:.1%})"))
        shown = {"accuracy", "accuracy_low", "accuracy_high"}
        named = {"rows" if name == "n" else name: value for name, value in self.scores.items()}
        pairs += [
            (name.replace("_", " "), f"{value:.1%}" if name != "rows" else number(value))
            for name, value in named.items()
            if name not in shown
        ]
        blocks: list[Block] = [KeyValue(pairs)]
        if self.labels:
            rows = [(name, n, right, f"{right / n:.1%}") for name, n, right in self.labels]
            blocks.append(Table(["label", "rows", "correct", "share"], rows))
        blocks.append(Fold("answers", frame_block(self.frame, added=3, first=self._first())))
        return Stack(blocks)


@dataclass(slots=True, eq=False)
class Vectors(Result):
    """Vectors of texts.

    Attributes:
        vectors: float32 of shape `(n, d)`, each of length 1.
        frame: the source rows.
        texts: what was embedded.
    """

    vectors: np.ndarray
    frame: Any
    texts: Sequence[str]
    neighbours: Sequence[tuple[int, int, float]] = field(default=(), repr=False)

    def __len__(self) -> int:
        return len(self.texts)

    def _body(self) -> Block:
        count, size = self.vectors.shape
        head = Text(f"{count:,} vectors of {size:,} numbers", tone="muted")
        if not self.neighbours:
            return head
        rows = [
            (i + 1, self.texts[i], j + 1, self.texts[j], f"{cosine:.3f}")
            for i, j, cosine in self.neighbours
        ]
        columns = ["row", "text", "nearest", "its text", "cosine"]
        return Stack([head, Table(columns, rows, total=count)])


@dataclass(slots=True, eq=False)
class Tuned(Result):
    """A model that was tuned.

    Attributes:
        name: under which `%model` loads it; it is loaded and current already.
        folder: where it is saved.
        metrics: loss on the held-out rows before and after, speed, sizes.
    """

    name: str
    folder: Path
    metrics: Mapping[str, float]
    series: Mapping[str, Sequence[tuple[float, float]]] = field(default_factory=dict, repr=False)
    example: str = field(default="", repr=False)

    def _body(self) -> Block:
        pairs: list[tuple[str, object]] = [("model", self.name), ("folder", self.folder)]
        pairs += [
            (EXACTLY.get(key, key.replace("_", " ")), number(value))
            for key, value in self.metrics.items()
        ]
        blocks: list[Block] = [KeyValue(pairs)]
        if self.run.model is not None and self.run.status != "error":
            back = f"{self.name} is the current model now; %model {self.run.model.name} goes back."
            blocks.append(Text(back))
        if self.series:
            blocks.insert(0, Curve(self.series, x_label="step", y_label="loss"))
        if self.example:
            blocks.append(Fold("what is learned, on one example", Text(self.example, mono=True)))
        return Stack(blocks)


def frame_block(frame: Any, *, added: int, first: Sequence[int] | None = None) -> Block:
    """Show some rows of a pandas or polars frame, and of many columns the first and the last.

    Args:
        frame: what to show.
        added: number of its last columns, which are new and always shown.
        first: places of the rows to show, in place of those at the beginning.
    """
    columns = [str(name) for name in frame.columns]
    places = list(range(len(columns)))
    hidden = columns[PREVIEW_COLUMNS - added : -added] if len(places) > PREVIEW_COLUMNS else []
    if hidden:
        places = places[: PREVIEW_COLUMNS - added] + places[-added:]
    if first is None:
        head = frame.head(PREVIEW_ROWS)
    else:
        chosen = list(first[:PREVIEW_ROWS])
        head = frame.iloc[chosen] if hasattr(frame, "iloc") else frame[chosen]
    if hasattr(head, "itertuples"):
        rows = [tuple(row) for row in head.itertuples(index=False, name=None)]
    else:
        rows = list(head.iter_rows())
    table = Table(
        [columns[place] for place in places],
        [[_cell(row[place], columns[place]) for place in places] for row in rows],
        caption="" if first is None else "rows that were answered",
        total=len(frame),
    )
    if not hidden:
        return table
    names = ", ".join(hidden[:PREVIEW_COLUMNS]) + (", …" if len(hidden) > PREVIEW_COLUMNS else "")
    return Stack([table, Text(f"not shown: {names}", tone="muted")])


def _cell(value: object, column: str) -> object:
    if column == "probability" and isinstance(value, float) and 0 <= value <= 1:
        # A whole 1 would pass for certainty.
        return f"{value:.3f}" if value < SURE else f">{SURE}"
    return number(value) if isinstance(value, float) else value


class View:
    """A display with its data: what a magic that makes no run hands back.

    Attributes:
        data: what is shown, as plain values.
    """

    def __init__(self, block: Block, data: Any) -> None:
        self._block = block
        self.data = data

    def __repr__(self) -> str:
        return self._block.plain()

    def _repr_html_(self) -> str:
        return self._block.html()


class Recorded(View):
    """A run as the log has it now, with its record in the output.

    Attributes:
        data: the record.
    """

    def __init__(self, record: RunRecord, block: Block | None = None) -> None:
        super().__init__(block or card(record), record)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return bundle(self.data, self._block)


class Recovered(View):
    """Runs that are brought back into the notebook: the record of each becomes an output.

    Attributes:
        data: the records, oldest first.
    """

    def __init__(self, records: Sequence[RunRecord]) -> None:
        text = "Nothing to bring back: all runs of the journal are in the notebook."
        super().__init__(table(records) if records else Text(text, tone="muted"), list(records))

    def _ipython_display_(self) -> None:
        from IPython.display import display

        display({"text/plain": repr(self), "text/html": self._repr_html_()}, raw=True)  # type: ignore[no-untyped-call]  # IPython has it without types
        for record in self.data:
            display(bundle(record, card(record)), raw=True)  # type: ignore[no-untyped-call]  # as above


class Runs(Sequence["RunRecord"]):
    """Records of runs, shown as a table of the latest, or of the first if they were sorted.

    Args:
        records: in the order in which they are shown.
        stale: why runs are stale, by id.
        sort: the metric by which they were sorted.
        among: number of runs from which these were chosen.
    """

    def __init__(
        self,
        records: Sequence[RunRecord],
        stale: Mapping[str, Sequence[str]] | None = None,
        sort: str | None = None,
        among: int = 0,
    ) -> None:
        self._records = list(records)
        self._stale = dict(stale or {})
        self._sort = sort
        self._among = among

    def __len__(self) -> int:
        return len(self._records)

    @overload
    def __getitem__(self, place: int) -> RunRecord: ...
    @overload
    def __getitem__(self, place: slice) -> Runs: ...
    def __getitem__(self, place: int | slice) -> RunRecord | Runs:
        if isinstance(place, slice):
            return Runs(self._records[place], self._stale, self._sort)
        return self._records[place]

    @property
    def frame(self) -> pd.DataFrame:
        """One row a run; nested fields and metrics have dotted names, `stale` has the reasons."""
        import pandas as pd

        frame = pd.json_normalize([record.dump() for record in self._records])
        if self._stale:
            frame["stale"] = [", ".join(self._stale.get(each.id, ())) for each in self._records]
        return frame

    def __repr__(self) -> str:
        return self._table.plain()

    def _repr_html_(self) -> str:
        return self._table.html()

    @cached_property
    def _table(self) -> Block:
        count = len(self._records)
        if not count and self._among:
            said = f"None of the {self._among:,} runs of this notebook matches. `%runs` lists them."
            return Text(said, tone="muted")
        few = self._records[:PREVIEW_RUNS] if self._sort else self._records[-PREVIEW_RUNS:]
        caption = (
            f"The {'first' if self._sort else 'latest'} {len(few):,} of {count:,} runs. Words and "
            "filters find others; `%runs -o NAME` and `fmagic runs --csv` give all."
        )
        return table(few, self._stale, self._sort, caption if len(few) < count else "")
