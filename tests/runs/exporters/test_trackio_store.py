from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from fmagic.errors import LogError
from fmagic.runs.exporters import export
from fmagic.runs.record import RunRecord

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where Trackio keeps its projects: it reads the variable once, when it is imported."""
    place = tmp_path_factory.mktemp("trackio")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRACKIO_DIR", str(place))
        from trackio import sqlite_storage

        assert place == sqlite_storage.TRACKIO_DIR
        yield place


@pytest.fixture
def storage(folder: Path) -> Any:
    from trackio.sqlite_storage import SQLiteStorage

    return SQLiteStorage


def runs(project: str) -> dict[str, Any]:
    """The runs of a project as users of Trackio get them, by id."""
    import trackio

    found = list(trackio.Api().runs(project))
    assert len({run.id for run in found}) == len(found)
    return {run.id: run for run in found}


def rows(storage: Any, project: str, record: RunRecord) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = storage.get_logs(project, record.short_id, run_id=record.id)
    return found


def test_each_record_becomes_a_run(records: list[RunRecord], storage: Any) -> None:
    for record in records:
        record.notebook = "deep/tour.ipynb"
    said = export("trackio", records)
    assert said == (
        f"Wrote {len(records)} runs to the Trackio project 'deep-tour'; "
        "`trackio show --project deep-tour` shows them."
    )
    made = runs("deep-tour")
    assert set(made) == {record.id for record in records}
    for record in records:
        assert made[record.id].name == f"{record.kind} {record.short_id}"
    prompt = made[records[0].id].config
    assert prompt["params.max_tokens"] == 256
    assert prompt["model.name"] == "Qwen/Qwen3-0.6B"
    assert prompt["template"] == records[0].template
    (child,) = [record for record in records if record.kind == "evaluate"]
    assert made[child.id].config["parents"] == child.parents


def test_curves_come_step_by_step_and_figures_at_their_end(storage: Any) -> None:
    record = RunRecord(
        kind="finetune",
        status="ok",
        started="2026-11-21T08:05:00.000Z",
        seconds=2.0,
        notebook="curves.ipynb",
        metrics={"accuracy": 0.75, "step": 3},
        series={"loss": [(0.0, 3.0), (10.0, 1.0)], "held_out": [(10.0, 2.0)]},
    )
    export("trackio", [record])
    start, end = "2026-11-21T08:05:00.000Z", "2026-11-21T08:05:02.000Z"
    assert rows(storage, "curves", record) == [
        {"loss": 3.0, "timestamp": start, "step": 0},
        {"loss": 1.0, "held_out": 2.0, "timestamp": start, "step": 10},
        {"accuracy": 0.75, "__step": 3, "seconds": 2.0, "timestamp": end, "step": 10},
    ]


def test_exporting_twice_adds_nothing_and_brings_up_to_date(storage: Any) -> None:
    record = RunRecord(kind="finetune", notebook="twice.ipynb", series={"loss": [(0.0, 3.0)]})
    export("trackio", [record])
    before = rows(storage, "twice", record)
    export("trackio", [record, record])
    assert rows(storage, "twice", record) == before
    record.status, record.seconds = "ok", 4.0
    record.series["loss"].append((5.0, 1.0))
    export("trackio", [record])
    assert [row.get("loss") for row in rows(storage, "twice", record)] == [3.0, 1.0, None]
    (run,) = runs("twice").values()
    assert run.config["status"] == "ok"


def test_the_target_names_the_project(records: list[RunRecord], folder: Path) -> None:
    said = export("trackio", records, "All of them!")
    assert "project 'All-of-them'" in said
    assert set(runs("All-of-them")) == {record.id for record in records}


def test_each_notebook_has_its_project(folder: Path) -> None:
    records = [RunRecord(kind="prompt", notebook=name) for name in ("a.ipynb", "b.ipynb", None)]
    assert "projects 'a', 'b' and 'fmagic'" in export("trackio", records)
    for project, record in zip(("a", "b", "fmagic"), records, strict=True):
        assert set(runs(project)) == {record.id}


@pytest.mark.parametrize("name", ["my_system", "registry-a", "..", "über uns"])
def test_any_notebook_has_a_project(name: str, folder: Path) -> None:
    record = RunRecord(kind="prompt", notebook=f"{name}.ipynb")
    said = export("trackio", [record])
    project = said.partition("'")[2].partition("'")[0]
    assert record.id in runs(project)


def test_hostile_names_stay_names(hostile: RunRecord, storage: Any) -> None:
    hostile.notebook = "odd.ipynb"
    export("trackio", [hostile])
    *_, figures = rows(storage, "odd", hostile)
    assert figures["loss"] == 0.5
    assert figures[next(iter(hostile.metrics))] == 1.0
    assert runs("odd")[hostile.id].config["note"] == hostile.note


def test_a_run_that_is_open_stays_open_and_nothing_is_started(
    records: list[RunRecord], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trackio import context_vars

    # A place elsewhere that the environment names must not be asked.
    monkeypatch.setenv("TRACKIO_SERVER_URL", "http://127.0.0.1:9")
    mine = object()
    token = context_vars.current_run.set(mine)
    try:
        before = threading.enumerate()
        export("trackio", records, "quiet")
        assert context_vars.current_run.get() is mine
        assert threading.enumerate() == before
    finally:
        context_vars.current_run.reset(token)


def test_no_secret_and_no_path_of_this_machine_is_in_the_project(
    secretive: RunRecord, told: tuple[bytes, bytes], folder: Path
) -> None:
    export("trackio", [secretive])
    assert len(runs("secretive")) == 1
    files = [file.read_bytes() for file in folder.rglob("*") if file.is_file()]
    assert any(secretive.id.encode() in content for content in files)
    assert not any(each in content for content in files for each in told)


def test_a_storage_that_cannot_be_written_is_one_clear_line(
    records: list[RunRecord], storage: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "broken.db").write_text("no database, but longer than the head of one" * 9)
    for place in (tmp_path / "file", tmp_path):
        monkeypatch.setattr("trackio.sqlite_storage.TRACKIO_DIR", place)
        with pytest.raises(LogError, match="cannot") as caught:
            export("trackio", records, "broken")
        assert "\n" not in str(caught.value)
