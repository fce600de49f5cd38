"""What the log costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .harness import Measured, Row, Settings, alternate

if TYPE_CHECKING:
    from pathlib import Path

NAME = "log"
TITLE = "milliseconds of a logged run, and seconds to list 10,000 runs"
TARGET = "at most 5 ms a run; 10,000 runs in 0.3 s"

FEW, MANY = 500, 10_000
CELL = "%%prompt --data reviews --choices positive,negative -o scored\nuser:\n{{ text }}\n" * 3
ANSWERS = "A text of the size that a table of short answers comes to.\n" * 10


def run(settings: Settings) -> list[Row]:
    """Write runs as a session writes them, and list them as a new session would."""
    from fmagic.runs.journal import Journal
    from fmagic.runs.log import RunLog
    from fmagic.session import Session
    from fmagic.settings import Fmagic

    folder = settings.folder / "journal"
    notebook = settings.folder / "notebook.ipynb"
    notebook.write_text('{"cells": []}', encoding="utf-8")
    written = Journal(settings.folder / "written")
    log = RunLog(written)
    _write(log, notebook, 1)  # looks up versions and the commit once

    def write() -> None:
        _write(log, notebook, FEW)

    _write(RunLog(Journal(folder)), notebook, MANY)

    def list_all() -> None:
        found = Session(Fmagic(journal_dir=str(folder))).runs(notebook)
        assert len(found) == MANY, f"{len(found)} of {MANY} runs were found"
        assert repr(found)
        assert found._repr_html_()

    repeats = settings.repeats(5)
    run_seconds = alternate({"fmagic": write}, repeats)["fmagic"]
    list_seconds = alternate({"fmagic": list_all}, repeats)["fmagic"]
    return [
        _row("one run, begin and finish", run_seconds.times(1000 / FEW), "ms", "5 ms"),
        _row(f"list {MANY:,} runs of a notebook", list_seconds, "s", "0.3 s"),
    ]


def _row(work: str, value: Measured, unit: str, target: str) -> Row:
    note = (
        "two lines of a journal on this disk" if unit == "ms" else "read and shown by a new session"
    )
    return Row(work, "", None, value, unit, "lower", target, note)


def _write(log: object, notebook: Path, count: int) -> None:
    from fmagic.runs.log import RunLog

    assert isinstance(log, RunLog)
    for number in range(count):
        active = log.begin(
            "prompt",
            cell={"source": CELL, "execution_count": number + 1},
            notebook=notebook,
            model={"name": "tiny", "quant": "none", "dtype": "float32", "device": "cpu"},
            template="user:\n{{ text }}",
            params={"max_tokens": 256, "temperature": 0.0, "top_p": 1.0, "stop": []},
            seed=0,
            data={"name": "reviews", "rows": 100, "columns": ["text"], "sha256": "0" * 64},
        )
        active.add_metrics(input_tokens=2480, output_tokens=320, tokens_per_second=88.5)
        active.finish("ok", output={"text": ANSWERS})
