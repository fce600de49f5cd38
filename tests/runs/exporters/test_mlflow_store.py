from __future__ import annotations

import json
import os
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fmagic.errors import LogError, OptionError
from fmagic.runs.exporters import export
from fmagic.runs.record import ModelInfo, RunRecord

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    # Of MLflow's own tables under SQLAlchemy 2.1.
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy"),
]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The working folder; the store in it is the first export's to make, which takes a while."""
    folder = tmp_path_factory.mktemp("mlflow")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.chdir(folder)
        yield folder


@pytest.fixture
def uri(place: Path) -> str:
    return f"sqlite:///{place}/mlflow.db"


@pytest.fixture
def client(uri: str) -> Any:
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=uri)


def runs(client: Any, experiment: str) -> dict[str, Any]:
    """The runs of an experiment by the id that fmagic gave them."""
    found = client.search_runs([client.get_experiment_by_name(experiment).experiment_id])
    assert len({run.data.tags["fmagic.id"] for run in found}) == len(found)
    return {run.data.tags["fmagic.id"]: run for run in found}


def in_notebook(records: list[RunRecord], name: str) -> list[RunRecord]:
    for record in records:
        record.notebook = name
    return records


def artifact(client: Any, run: Any, name: str, folder: Path) -> str:
    path = client.download_artifacts(run.info.run_id, name, str(folder))
    return Path(path).read_text(encoding="utf-8")


def test_each_record_becomes_a_run(
    records: list[RunRecord], uri: str, client: Any, tmp_path: Path
) -> None:
    in_notebook(records, "deep/tour.ipynb")
    said = export("mlflow", records, uri)
    assert said == (
        f"Wrote {len(records)} runs ({len(records)} new) "
        f"to the MLflow experiment 'deep/tour' at {uri}."
    )
    made = runs(client, "deep/tour")
    assert set(made) == {record.id for record in records}
    status = {"ok": "FINISHED", "error": "FAILED", "interrupted": "KILLED", "running": "RUNNING"}
    for record in records:
        run = made[record.id]
        started = record.started_at.timestamp()
        assert run.info.status == status[record.status]
        assert run.info.start_time == pytest.approx(started * 1000, abs=1)
        assert run.info.run_name == f"{record.kind} {record.short_id}"
        if record.seconds is None:
            assert run.info.end_time is None
        else:
            assert run.info.end_time == pytest.approx((started + record.seconds) * 1000, abs=2)
        assert json.loads(artifact(client, run, "record.json", tmp_path)) == record.dump()
        if record.template is not None:
            assert artifact(client, run, "template.txt", tmp_path) == record.template


def test_options_figures_curves_and_tags_are_where_mlflow_shows_them(
    records: list[RunRecord], uri: str, client: Any
) -> None:
    records[0].note, records[0].tags = "a good start", ["first", "try"]
    export("mlflow", in_notebook(records, "shown.ipynb"), uri)
    made = runs(client, "shown")
    prompt = made[records[0].id].data
    assert prompt.params["max_tokens"] == "256"
    assert prompt.params["stop"] == "[]"
    assert prompt.params["model.quant"] == "nf4"
    assert prompt.metrics["output_tokens"] == 12
    assert prompt.tags["mlflow.note.content"] == prompt.tags["fmagic.note"] == "a good start"
    assert prompt.tags["fmagic.tags"] == "first, try"
    (child,) = [record for record in records if record.kind == "evaluate"]
    assert made[child.id].data.tags["fmagic.parents"] == ", ".join(child.parents)
    (trained,) = [record for record in records if len(record.series) > 1]
    history = client.get_metric_history(made[trained.id].info.run_id, "loss")
    assert [(point.step, point.value) for point in history] == trained.series["loss"]


def test_a_figure_is_shown_before_the_curve_of_its_name(uri: str, client: Any) -> None:
    record = RunRecord(
        kind="finetune",
        status="ok",
        seconds=2.0,
        notebook="both.ipynb",
        metrics={"loss": 0.25},
        series={"loss": [(0.0, 3.0), (10.0, 1.0)]},
    )
    export("mlflow", [record], uri)
    assert runs(client, "both")[record.id].data.metrics == {"loss": 0.25}


def test_exporting_twice_adds_nothing(records: list[RunRecord], uri: str, client: Any) -> None:
    in_notebook(records, "twice.ipynb")
    export("mlflow", records, uri)
    before = runs(client, "twice")
    assert f"({len(records)} unchanged)" in export("mlflow", records, uri)
    after = runs(client, "twice")
    assert {key: run.info.run_id for key, run in before.items()} == {
        key: run.info.run_id for key, run in after.items()
    }


@pytest.mark.parametrize("store", ["database", "folder"])
def test_a_run_that_went_on_is_brought_up_to_date(
    store: str, uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient

    if store == "folder":  # which, other than a database, would keep a point twice
        monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
        uri = (tmp_path / "mlruns").as_uri()
    client = MlflowClient(tracking_uri=uri)
    record = RunRecord(
        kind="finetune",
        notebook="later.ipynb",
        model=ModelInfo(name="tiny"),
        params={"rank": 8},
        note="going",
        series={"loss": [(0.0, 3.0)]},
    )
    export("mlflow", [record], uri)
    record.status, record.seconds, record.note = "ok", 4.0, None
    record.series["loss"].append((5.0, 1.0))
    record.metrics["accuracy"] = 0.75
    assert "(1 changed)" in export("mlflow", [record], uri)
    (run,) = runs(client, "later").values()
    assert run.info.status == "FINISHED"
    assert run.info.end_time - run.info.start_time == 4000
    assert run.data.metrics == {"loss": 1.0, "accuracy": 0.75}
    assert run.data.params == {"rank": "8", "model.name": "tiny"}
    assert not {"fmagic.note", "mlflow.note.content"} & set(run.data.tags)
    history = client.get_metric_history(run.info.run_id, "loss")
    assert [(point.step, point.value) for point in history] == [(0, 3.0), (5, 1.0)]


def test_an_export_that_broke_off_is_completed(
    uri: str, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    record = RunRecord(kind="prompt", notebook="broken.ipynb", status="ok", seconds=1.0)
    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "log_text", full)
        with pytest.raises(LogError, match="No space left"):
            export("mlflow", [record], uri)
    export("mlflow", [record], uri)
    assert runs(client, "broken")[record.id].info.status == "FINISHED"


def test_long_and_strange_names_and_values_fit(hostile: RunRecord, uri: str, client: Any) -> None:
    hostile.notebook = "odd.ipynb"
    hostile.params |= {"n" * 300: "v" * 10_000, "n" * 300 + "b": 1, "many": list(range(900))}
    hostile.params |= {f"option {number}": number for number in range(150)}
    hostile.note = "v" * 10_000
    hostile.series["fine"] = [(float(step), 1.0) for step in range(500)]
    hostile.series["finer"] = [(float(step), 1.0) for step in range(500)]
    export("mlflow", [hostile], uri)
    (run,) = runs(client, "odd").values()
    # a?b and a!b become one name, and both are kept.
    assert {run.data.params["a_b"], run.data.params["a_b_2"]} == {"1", "2"}
    assert run.data.params["option 149"] == "149"
    assert max(map(len, run.data.params)) <= 250
    history = client.get_metric_history(run.info.run_id, "finer")
    assert [point.step for point in history] == list(range(len(history)))
    assert "(1 unchanged)" in export("mlflow", [hostile], uri)


def test_without_a_target_mlflow_decides(place: Path, client: Any) -> None:
    record = RunRecord(kind="prompt")
    said = export("mlflow", [record])
    assert f"experiment 'fmagic' at sqlite:///{place}/mlflow.db" in said
    assert set(runs(client, "fmagic")) == {record.id}


def test_no_secret_and_no_path_of_this_machine_is_in_the_store(
    secretive: RunRecord, told: tuple[bytes, bytes], uri: str, client: Any, place: Path
) -> None:
    export("mlflow", [secretive], uri)
    assert len(runs(client, "secretive")) == 1
    files = [file.read_bytes() for file in place.rglob("*") if file.is_file()]
    assert any(secretive.id.encode() in content for content in files)
    assert not any(each in content for content in files for each in told)


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("sqlite:///{}", "unable to open"),
        ("sqlite:///{}/file/mlflow.db", ""),
        ("sqlite:///{}/file", "not a database"),
        ("{}/mlruns", "maintenance mode"),
        ("nonsense://ann:hunter22@host", "nonsense://ann:•••@host"),
    ],
)
def test_a_store_that_cannot_be_written_is_one_clear_line(
    target: str, reason: str, tmp_path: Path, place: Path
) -> None:
    (tmp_path / "file").write_text("no database, but longer than the head of one" * 9)
    with pytest.raises(LogError, match="cannot") as caught:
        export("mlflow", [RunRecord(kind="prompt")], target.format(tmp_path))
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "hunter22" not in str(caught.value)


@pytest.mark.parametrize("target", ["http://[", "http://localhost:port"])
def test_what_is_no_uri_is_said_so(target: str, place: Path) -> None:
    with pytest.raises(OptionError, match="is no tracking URI: "):
        export("mlflow", [RunRecord(kind="prompt")], target)


def test_a_server_that_is_not_there_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    monkeypatch.setattr("fmagic.runs.exporters.mlflow_store.getproxies", dict)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://ann:hunter22@127.0.0.1:{port}")
    with pytest.raises(LogError, match=rf"ann:•••@127.0.0.1:{port}: .*refused"):
        export("mlflow", [RunRecord(kind="prompt")])


def test_an_export_does_not_report_the_use_of_mlflow(monkeypatch: pytest.MonkeyPatch) -> None:
    from fmagic.runs.exporters.mlflow_store import _without_report

    monkeypatch.delenv("MLFLOW_DISABLE_TELEMETRY", raising=False)
    for loaded in (True, False):
        with monkeypatch.context() as patch:
            patch.delitem(sys.modules, "mlflow", raising=False)
            if loaded:
                patch.setitem(sys.modules, "mlflow", sys)
            with _without_report():
                assert ("MLFLOW_DISABLE_TELEMETRY" in os.environ) is not loaded
            assert "MLFLOW_DISABLE_TELEMETRY" not in os.environ
