"""What can be asked of the log, without a model and without a kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import nbformat
import pytest

from fmagic.drive import Script
from fmagic.errors import LogError, OptionError
from fmagic.magics import Call
from fmagic.magics.runs import arguments, run
from fmagic.runs import log
from fmagic.runs.record import RUN_MIME, CellInfo, RunRecord
from fmagic.session import Session
from fmagic.settings import Fmagic

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Notebook(Script):
    """A front that has a notebook and keeps the cells that are put into it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.put: list[str] = []

    def notebook(self) -> str | None:
        return str(self.path)

    def put_cell(self, source: str) -> bool:
        self.put.append(source)
        return True


@pytest.fixture
def front(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Notebook:
    monkeypatch.chdir(tmp_path)
    return Notebook(tmp_path / "a.ipynb")


@pytest.fixture
def session(front: Notebook, tmp_path: Path) -> Session:
    return Session(Fmagic(journal_dir=str(tmp_path / "journal")), front)


@pytest.fixture
def magic(session: Session) -> Callable[[str], Any]:
    def call(line: str) -> Any:
        values = arguments().read(line)
        assert not isinstance(values, str)
        return run(Call(session, values, "", "runs"))

    return call


def add(session: Session, kind: str = "prompt", **fields: Any) -> RunRecord:
    metrics = fields.pop("metrics", {})
    output = fields.pop("output", "text")
    active = session.log.begin(kind, notebook="a.ipynb", **fields)
    active.add_metrics(**metrics)
    return active.finish(output=output)


def save(path: Path, *cells: Any) -> None:
    nbformat.write(nbformat.v4.new_notebook(cells=list(cells)), path)


def test_the_list_is_filtered_sorted_and_becomes_a_frame(
    session: Session, magic: Callable[[str], Any]
) -> None:
    for accuracy in (0.8, 0.9):
        add(session, "evaluate", metrics={"accuracy": accuracy})
    add(session)
    found = magic("--kind evaluate --sort accuracy")
    assert [record.metrics["accuracy"] for record in found] == [0.9, 0.8]
    assert "90.0%" in repr(found)
    frame = magic("list -o frame --kind evaluate")
    assert list(frame["metrics.accuracy"]) == [0.8, 0.9]
    assert len(magic("text")) == 3


def test_a_misspelt_verb_is_not_taken_for_a_search(magic: Callable[[str], Any]) -> None:
    with pytest.raises(OptionError, match="'export'"):
        magic("exprt csv")


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("show", "id of a run"),
        ("diff 1", "two runs"),
        ("note 1", "a text"),
        ("tag 1", "tags"),
        ("export", "where to"),
        ("recover 1", "no more words"),
        ("show 1 --kind prompt", "--kind"),
        ("--x rank", "--x"),
        ("plot --x rank", "--y"),
        ("tag 1 two,words", "one word"),
    ],
)
def test_lines_that_lack_something(
    session: Session, magic: Callable[[str], Any], line: str, hint: str
) -> None:
    add(session)
    with pytest.raises(OptionError, match=hint):
        magic(line)


def test_notes_and_tags_travel_in_the_output(
    session: Session, magic: Callable[[str], Any], front: Notebook
) -> None:
    record = add(session)
    magic("tag 1 #best baseline")
    noted = magic('note 1 "the good one"')
    data = noted._repr_mimebundle_()[RUN_MIME]
    assert (data["note"], data["tags"]) == ("the good one", ["best", "baseline"])
    cell = nbformat.v4.new_code_cell("%runs note")
    for each in (record.dump(), data):
        cell.outputs.append(nbformat.v4.new_output("display_data", {RUN_MIME: each}))
    save(front.path, cell)
    fresh = Session(Fmagic(journal_dir=str(front.path.parent / "elsewhere")))
    assert fresh.runs(front.path)[0].note == "the good one"
    assert magic('note 1 ""').data.note is None
    assert magic("tag 1 --remove best").data.tags == ["baseline"]


def test_the_page_of_a_run_draws_what_it_builds_on(session: Session) -> None:
    tuning = add(session, "finetune", params={"name": "lora"}, data={"name": "train", "rows": 9})
    add(session, "evaluate", parents=[tuning.id])
    assert f"└─ finetune {tuning.short_id} 'lora'" in repr(session.show_run("1"))
    assert "used by" in repr(session.show_run("2"))


def test_stale_runs_are_marked(session: Session, front: Notebook) -> None:
    old = nbformat.v4.new_code_cell("%%prompt\nnew", id="one")
    add(session, cell=CellInfo(id="one", source="%%prompt\nold"))
    add(session, cell=CellInfo(id="two", source="%%prompt\nkept"))
    assert "stale" not in repr(session.runs())
    save(front.path, old, nbformat.v4.new_code_cell("%%prompt\nkept", id="two"))
    assert "cell edited" in repr(session.runs()).splitlines()[2]
    assert "cell edited" not in repr(session.runs()).splitlines()[3]
    assert list(session.runs().frame["stale"]) == ["cell edited", ""]
    assert "cell edited" in repr(session.show_run("2"))


def test_a_cell_is_put_back_with_its_seed(session: Session, front: Notebook) -> None:
    first = add(session, cell=CellInfo(source="%%prompt\nhello"), seed=7, model={"name": "tiny"})
    view = session.rerun("1")
    assert front.put == [view.data] == ["%%prompt --model tiny --seed 7\nhello"]
    assert session.repeated[view.data].id == first.id


def test_without_a_front_the_cell_is_shown(tmp_path: Path) -> None:
    session = Session(Fmagic(journal_dir=str(tmp_path / "journal")))
    add(session, cell=CellInfo(source="%%prompt\nhello"), seed=7)
    assert "%%prompt --seed 7\nhello" in repr(session.rerun("1"))


def test_runs_are_compared_and_drawn(session: Session, magic: Callable[[str], Any]) -> None:
    for seed in (1, 2):
        add(session, "evaluate", seed=seed, metrics={"accuracy": 0.5 + seed / 10})
    assert magic("diff 2 1").data.changed == {"options: seed": (1, 2)}
    assert magic("plot --x seed --y accuracy").data == {"accuracy": [(1, 0.6), (2, 0.7)]}
    with pytest.raises(LogError, match="no run 'zz'"):
        magic("diff 1 zz")


def test_a_question_reads_the_log_once(
    session: Session,
    magic: Callable[[str], Any],
    front: Notebook,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    for seed in (1, 2):
        add(session, "evaluate", seed=seed, metrics={"accuracy": 0.5})
    save(front.path, nbformat.v4.new_code_cell("%%prompt\nhello"))
    read: list[str] = []

    def counted(name: str) -> None:
        reader = getattr(log, name)

        def reading(*args: Any, **kwargs: Any) -> Any:
            read.append(name)
            return reader(*args, **kwargs)

        monkeypatch.setattr(log, name, reading)

    counted("read_folder")
    counted("read_runs_and_cells")
    for line in (
        "list",
        "show 1",
        "diff 2 1",
        "plot 1 2 --x seed --y accuracy",
        f"export csv 1 2 --to {tmp_path / 'runs.csv'}",
    ):
        magic(line)
        assert sorted(read) == ["read_folder", "read_runs_and_cells"], line
        read.clear()


def test_a_long_list_shows_the_latest_runs_and_says_so(session: Session) -> None:
    made = [add(session, metrics={"accuracy": step / 1000}).short_id for step in range(103)]
    lines = repr(session.runs()).splitlines()
    assert lines[0].startswith("The latest 100 of 103 runs.")
    assert [line.split()[0] for line in lines[3:]] == made[3:]
    best = repr(session.runs(sort="accuracy")).splitlines()
    assert best[0].startswith("The first 100 of 103 runs.")
    assert [line.split()[0] for line in best[3:]] == made[:2:-1]
    assert len(session.runs().frame) == 103
    assert "103 runs" not in repr(session.runs()[:100])


def test_runs_of_a_killed_kernel_are_brought_back_once(session: Session, front: Notebook) -> None:
    lost = add(session)
    kept = add(session)
    save(front.path)
    fresh = Session(session.settings, front)
    own = add(fresh)
    assert {record.id for record in fresh.recover_runs().data} == {lost.id, kept.id}
    cell = nbformat.v4.new_code_cell("")
    cell.outputs.append(nbformat.v4.new_output("display_data", {RUN_MIME: kept.dump()}))
    save(front.path, cell)
    assert [record.id for record in fresh.recover_runs().data] == [lost.id]
    assert own.id not in {record.id for record in fresh.recover_runs().data}


def test_another_notebook_must_exist(session: Session, front: Notebook) -> None:
    save(front.path)
    assert len(session.runs(front.path)) == 0
    with pytest.raises(LogError, match=r"no notebook aa.ipynb. Did you mean 'a.ipynb'"):
        session.runs(front.path.with_name("aa.ipynb"))


def test_what_a_front_end_changed_is_as_if_it_had_been_noted_here(
    session: Session, magic: Callable[[str], Any]
) -> None:
    record = add(session)
    later = "2199-01-01T00:00:00.000Z"
    session.adopt_edit(record.id, tags=["best"], note="good", edited=later)
    (found,) = session.runs(text="good")
    assert (found.tags, found.note, found.edited) == (["best"], "good", later)
    assert session.log.journal.read()[0].note == "good"
    # What was changed before is no news, and a run of another notebook no error.
    session.adopt_edit(record.id, tags=[], note="", edited="2026-01-01T00:00:00.000Z")
    session.adopt_edit("019aa000-0000-7000-8000-000000000000", tags=[], note="x", edited=later)
    assert [each.note for each in session.runs()] == ["good"]
    # A note of the user's still comes after it.
    assert magic("note 1 mine").data.edited > later
