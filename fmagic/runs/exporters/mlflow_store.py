"""Runs of an MLflow tracking store, on this disk or on a server."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import sqlite3
import sys
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import getproxies

from fmagic.errors import LogError, OptionError
from fmagic.runs.exporters._fields import by_notebook, end_ns, start_ns, title
from fmagic.runs.exporters._messages import brief, quoted, runs, shown
from fmagic.runs.exporters._mlflow_content import DIGEST_TAG, ID_TAG, NOTE_TAG, Content
from fmagic.runs.limits import to_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fmagic.runs.exporters._fields import Dump
    from fmagic.runs.record import RunRecord

NAME = "mlflow"
TITLE = "runs of an MLflow experiment, at the tracking URI given or MLflow's own"
NEEDS: str | None = "fmagic[trackers]"

_STATUS = {"running": "RUNNING", "ok": "FINISHED", "error": "FAILED", "interrupted": "KILLED"}
# What one request may hold.
_PARAMS_BATCH = 100
_POINTS_BATCH = 1_000
_PORTS = {"http": 80, "https": 443}
_CONNECT_SECONDS = 5.0
_UNREPORTED = "MLFLOW_DISABLE_TELEMETRY"


def export(records: Sequence[RunRecord], target: str | None) -> str:
    """Write one MLflow run for each record, in the experiment named after its notebook.

    A run that was exported before is found by its tag `fmagic.id` and brought up to date.

    Args:
        records: the runs.
        target: the tracking URI; by default the one that MLflow is set to.

    Raises:
        OptionError: the target is no URI.
        LogError: the store cannot be opened or written.
    """
    with _without_report():
        import mlflow
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import SQLAlchemyError

    uri = target or mlflow.get_tracking_uri()
    groups = by_notebook(records)
    counts = {"new": 0, "changed": 0, "unchanged": 0}
    try:
        _check(uri)
        client = mlflow.MlflowClient(tracking_uri=uri)
        for name, dumps in groups.items():
            writer = _Writer(client, name)
            for dump in dumps:
                counts[writer.write(dump)] += 1
    except (MlflowException, SQLAlchemyError, sqlite3.Error, OSError) as error:
        raise LogError(f"MLflow cannot write the runs to {shown(uri)}: {brief(error)}.") from error
    counted = ", ".join(f"{count:,} {what}" for what, count in counts.items() if count)
    experiments = f"experiment{'s' if len(groups) > 1 else ''} {quoted(groups)}"
    return f"Wrote {runs(records)} ({counted}) to the MLflow {experiments} at {shown(uri)}."


class _Writer:
    """Writes runs into one experiment."""

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        found = client.get_experiment_by_name(name)
        self._experiment = client.create_experiment(name) if found is None else found.experiment_id
        self._known = {run.data.tags[ID_TAG]: run for run in self._search()}

    def write(self, dump: Dump) -> str:
        """Write a run and return whether it was `new`, `changed` or `unchanged`."""
        known = self._known.get(dump["id"])
        digest = hashlib.sha256(to_bytes(dump)).hexdigest()
        if known is not None and known.data.tags.get(DIGEST_TAG) == digest:
            return "unchanged"
        run = known or self._client.create_run(
            self._experiment,
            start_time=start_ns(dump) // 10**6,
            tags={ID_TAG: dump["id"]},
            run_name=title(dump),
        )
        self._fill(run, dump)
        # Last, so that an export that was broken off is done again.
        self._client.set_tag(run.info.run_id, DIGEST_TAG, digest)
        self._known[dump["id"]] = self._client.get_run(run.info.run_id)
        return "changed" if known else "new"

    def _fill(self, run: Any, dump: Dump) -> None:
        from mlflow.entities import Metric, Param, RunTag

        client, run_id, content = self._client, run.info.run_id, Content.of(dump)
        params = [
            Param(name, value)
            for name, value in content.params.items()
            if name not in run.data.params  # MLflow lets none be changed, and a run changes none
        ]
        for batch in _batches(params, _PARAMS_BATCH):
            client.log_batch(run_id, params=batch)
        known = {
            (point.key, point.value, point.timestamp, point.step)
            for name in {name for name, *_ in content.points} & set(run.data.metrics)
            for point in client.get_metric_history(run_id, name)
        }
        points = [Metric(*point) for point in content.points if point not in known]
        for batch in _batches(points, _POINTS_BATCH):
            client.log_batch(run_id, metrics=batch)
        client.log_batch(run_id, tags=[RunTag(name, value) for name, value in content.tags.items()])
        for name in run.data.tags:
            ours = name == NOTE_TAG or (name.startswith("fmagic.") and name != DIGEST_TAG)
            if ours and name not in content.tags:
                client.delete_tag(run_id, name)
        if "template" in dump:
            client.log_text(run_id, dump["template"], "template.txt")
        client.log_text(run_id, json.dumps(dump, ensure_ascii=False, indent=2), "record.json")
        end = end_ns(dump)
        if dump["status"] == "running" or end is None:
            client.update_run(run_id, status=_STATUS[dump["status"]])
        else:
            client.set_terminated(run_id, status=_STATUS[dump["status"]], end_time=end // 10**6)

    def _search(self) -> Iterator[Any]:
        token = None
        while True:
            page = self._client.search_runs(
                [self._experiment], filter_string=f"tags.`{ID_TAG}` != ''", page_token=token
            )
            yield from page
            token = page.token
            if not token:
                return


def _batches(items: list[Any], most: int) -> Iterator[list[Any]]:
    for start in range(0, len(items), most):
        yield items[start : start + most]


def _check(uri: str) -> None:
    """Fail at once where MLflow would try again for minutes.

    Raises:
        OptionError: this is no URI.
        sqlite3.Error: the database cannot be written.
        OSError: the server does not answer.
    """
    try:
        parts = urlsplit(uri)
        address = parts.hostname, parts.port or _PORTS.get(parts.scheme)
    except ValueError as error:
        raise OptionError(f"{shown(uri)!r} is no tracking URI: {brief(error)}.") from error
    if parts.scheme in _PORTS and parts.hostname and not getproxies():
        socket.create_connection(address, _CONNECT_SECONDS).close()
    path = uri.partition("?")[0].removeprefix("sqlite:///")
    # A folder that is missing is MLflow's to make.
    if uri.startswith("sqlite:///") and path and Path(path).parent.is_dir():
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("BEGIN IMMEDIATE")


@contextmanager
def _without_report() -> Iterator[None]:
    """Keep an import of MLflow that only fmagic asked for from reporting its use over the net."""
    if "mlflow" in sys.modules or _UNREPORTED in os.environ:
        yield
        return
    os.environ[_UNREPORTED] = "true"
    try:
        yield
    finally:
        os.environ.pop(_UNREPORTED, None)
