"""What can be asked of the log, and done to it: one method for each verb of `%runs`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fmagic.errors import OptionError
from fmagic.results import Recorded, Recovered, Runs, View
from fmagic.running import Running
from fmagic.runs.card import detail
from fmagic.runs.finding import find
from fmagic.runs.query import Query, select
from fmagic.runs.staleness import stale

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fmagic.runs.record import RunRecord


class Logbook(Running):
    """A session's log, as its user sees it.

    A run is named by the beginning or the end of its id, or by its place: `1` is the latest.
    """

    def runs(
        self,
        notebook: str | Path | None = None,
        *,
        kind: str | None = None,
        model: str | None = None,
        status: str | None = None,
        tags: Sequence[str] = (),
        since: str | None = None,
        text: str = "",
        sort: str | None = None,
        reverse: bool = False,
    ) -> Runs:
        """Return the runs of this notebook, or of a notebook file, oldest first.

        Args:
            notebook: path of another notebook.
            kind: only runs of this operation, such as `evaluate`.
            model: only runs of models whose name holds this.
            status: only runs that ended so: `ok`, `error`, `interrupted`.
            tags: only runs with all of these tags.
            since: only runs since `2026-11-21` or `2h`, `3d`, `1w` ago.
            text: only runs that hold all of these words.
            sort: a metric, or `started`, `seconds`, `kind`, `status`, `model`, `seed`; largest first.
            reverse: smallest first.

        Returns:
            `Runs`: a sequence of records with `.frame`, one row a run.

        Raises:
            LogError: no such notebook; no run at all has this kind, status, tag or metric.
            OptionError: `since` cannot be read.
        """
        records, cells = self._records_and_cells(notebook)
        query = Query(kind, model, status, tags, since, text, sort, reverse)
        return Runs(select(records, query), stale(records, cells), sort, len(records))

    def show_run(self, run: str) -> View:
        """Return one run whole, with what it builds on.

        Raises:
            LogError: no run or several are meant.
        """
        records, cells = self._records_and_cells()
        record = find(records, run)
        return View(detail(record, records, stale(records, cells).get(record.id, ())), record)

    def diff_runs(self, before: str, after: str) -> View:
        """Return what changed from one run to another, and how the figures moved.

        Raises:
            LogError: no run or several are meant.
        """
        from fmagic.runs.compare import compare

        records = self._records()
        difference = compare(find(records, before), find(records, after))
        return View(difference.block(), difference)

    def plot_runs(
        self, runs: Sequence[str] = (), *, x: str | None = None, y: str | None = None
    ) -> View:
        """Return the curves of runs in one picture, or a figure of them against an option.

        Args:
            runs: which; all of this notebook if none are named.
            x: an option, a metric or a field such as `seed`; the steps of the runs if not given.
            y: a metric, or without `x` the name of a curve.

        Raises:
            LogError: no run has what is asked for.
            OptionError: `x` without `y`.
        """
        from fmagic.runs.plot import against, curves

        log = self._records()
        records = _chosen(log, runs)
        if x is None:
            picture = curves(records, y)
        elif y is None:
            raise OptionError(
                "A plot against an option needs the figure too: --x rank --y accuracy"
            )
        else:
            picture = against(records, x, y, log)
        return View(picture, dict(picture.series))

    def note_run(self, run: str, note: str) -> Recorded:
        """Put a note on a run; an empty one takes it away.

        Raises:
            LogError: no run or several are meant.
        """
        return Recorded(self.log.annotate(self._find(run), note=note))

    def tag_run(self, run: str, *add: str, remove: Sequence[str] = ()) -> Recorded:
        """Put tags on a run, or take them off.

        Raises:
            LogError: no run or several are meant.
            OptionError: a tag is empty or holds white space or a comma.
        """
        tags = [tag.removeprefix("#") for tag in add]
        for tag in tags:
            if not tag or "," in tag or any(letter.isspace() for letter in tag):
                raise OptionError(f"{tag!r} is no tag: use one word, such as baseline.")
        gone = [tag.removeprefix("#") for tag in remove]
        return Recorded(self.log.annotate(self._find(run), add=tags, remove=gone))

    def adopt_edit(self, run: str, *, tags: Sequence[str], note: str, edited: str) -> None:
        """Take over what a front end changed of a run; of two changes the later holds.

        A run that is not known here is passed over: the notebook has the change too.

        Args:
            run: its whole id.
            tags: all that it has now.
            note: what it has now, empty for none.
            edited: when that was, as in a record.
        """
        record = next((each for each in self._records() if each.id == run), None)
        if record is not None and edited > (record.edited or ""):
            changes = {"tags": list(tags), "note": note or None, "edited": edited}
            self.log.keep(record.model_copy(update=changes))

    def rerun(self, run: str) -> View:
        """Put the cell of a run below this one, with the model and the seed of that run.

        When it is run, its card says whether the output is the same.

        Returns:
            A `View` whose `.data` is the source of the cell.

        Raises:
            LogError: no run or several are meant, or the cell was not kept.
        """
        from fmagic.runs.rerun import again
        from fmagic.views import Stack, Text

        record = self._find(run)
        source = again(record)
        self.repeated[source.strip()] = record
        placed = self.front.put_cell(source)
        head = "The cell is below; run it." if placed else "Run this again:"
        blocks = [
            Text(f"{head} Its card will say whether the output of {record.short_id} drifted.")
        ]
        return View(Stack(blocks if placed else [*blocks, Text(source, mono=True)]), source)

    def export_runs(self, to: str, target: str | None = None, *, runs: Sequence[str] = ()) -> View:
        """Write runs where another program reads them.

        Args:
            to: name of an exporter, such as `csv`, `jsonl`, `markdown` or `mlflow`.
            target: file, address or project; each exporter has a default.
            runs: which; all of this notebook if none are named.

        Raises:
            LogError: there are no runs, or they cannot be written there.
            OptionError: no such exporter, or its package is not installed.
        """
        from fmagic.runs.exporters import export
        from fmagic.views import Text

        said = export(to, _chosen(self._records(), runs), target)
        return View(Text(said), said)

    def recover_runs(self) -> Recovered:
        """Bring back runs that the journals have and the notebook file has not.

        These are runs of a kernel that was killed before the notebook was saved, or whose outputs
        were cleared. Their records become outputs of this cell.
        """
        from fmagic.runs.notebook import read_notebook

        path = self.front.notebook()
        there = Path(path) if path else None
        kept = {r.id for r in read_notebook(there)} if there and there.exists() else set[str]()
        own = {record.id for record in self.log.session()}
        # What still runs is the business of the kernel in which it does.
        lost = [r for r in self.log.written(path) if r.status != "running"]
        return Recovered([r for r in lost if r.id not in kept | own])

    def _records_and_cells(
        self, notebook: str | Path | None = None
    ) -> tuple[list[RunRecord], dict[str, str]]:
        if notebook is not None and not Path(notebook).exists():
            from fmagic.runs.notebook import read_notebook

            read_notebook(Path(notebook))  # says so, and names near ones
        return self.log.records_and_cells(notebook or self.front.notebook())

    def _records(self) -> list[RunRecord]:
        return self._records_and_cells()[0]

    def _find(self, run: str) -> RunRecord:
        return find(self._records(), run)


def _chosen(log: list[RunRecord], runs: Sequence[str]) -> list[RunRecord]:
    """Return the runs that are named, or all."""
    return [find(log, run) for run in runs] or log
