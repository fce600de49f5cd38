from __future__ import annotations

import dataclasses
import errno
import gc
import json
import os
import subprocess
import sys
import warnings
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from fmagic.errors import FmagicWarning
from fmagic.runs.identity import utc_now
from fmagic.runs.journal import Journal, Kernel, read_folder
from fmagic.runs.record import RunRecord

if TYPE_CHECKING:
    from pathlib import Path


def finished(**fields: Any) -> RunRecord:
    return RunRecord(**{"kind": "prompt", "status": "ok", "seconds": 1.0, **fields})


def a_dead_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_nothing_is_made_before_the_first_record(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "journal"
    journal = Journal(folder)
    assert journal.read() == read_folder(folder) == []
    assert not folder.exists()
    journal.append(finished())
    assert journal.path.exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_only_the_user_can_read_it(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        journal = Journal(tmp_path / "journal")
        journal.append(finished())
    finally:
        os.umask(before)
    assert journal.folder.stat().st_mode & 0o777 == 0o700
    assert journal.path.stat().st_mode & 0o777 == 0o600


def test_records_come_back_in_the_order_of_their_start(tmp_path: Path) -> None:
    one, two = Journal(tmp_path), Journal(tmp_path)
    assert one.path != two.path
    records = [finished(note=str(number)).sealed() for number in range(4)]
    for journal, record in zip([one, two, one, two], reversed(records), strict=True):
        journal.append(record)
    assert read_folder(tmp_path) == records
    assert one.read() == [records[1], records[3]]


def test_each_record_is_one_write_of_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []
    write = os.write

    def spy(descriptor: int, line: bytes) -> int:
        written.append(line)
        return write(descriptor, line)

    monkeypatch.setattr(os, "write", spy)
    journal = Journal(tmp_path)
    data = journal.append(finished(template="a\nb\u2028c", note="é"))
    assert len(written) == 1
    assert written[0].endswith(b"}\n")
    assert written[0].count(b"\n") == 1
    assert json.loads(journal.path.read_bytes()) == data


def test_the_end_replaces_the_beginning(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    record = RunRecord(kind="prompt")
    journal.append(record)
    (running,) = journal.read()
    assert running.status == "running"
    journal.append(record.model_copy(update={"status": "ok", "seconds": 2.0}))
    (ended,) = journal.read()
    assert (ended.status, ended.seconds) == ("ok", 2.0)


def test_a_changed_record_replaces_the_earlier_one(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    record = finished(note="first")
    journal.append(record)
    journal.append(record.model_copy(update={"note": "x"}))
    assert [each.note for each in journal.read()] == ["x"]


def test_a_run_of_a_process_that_is_gone_was_interrupted(tmp_path: Path) -> None:
    dead = dataclasses.replace(Kernel.here(), pid=a_dead_process())
    Journal(tmp_path, kernel=dead).append(RunRecord(kind="finetune", note="dead"))
    Journal(tmp_path).append(RunRecord(kind="finetune", note="alive"))
    assert {r.note: r.status for r in read_folder(tmp_path)} == {
        "dead": "interrupted",
        "alive": "running",
    }


def test_a_process_id_that_was_given_out_again_is_no_sign_of_life(tmp_path: Path) -> None:
    earlier = dataclasses.replace(Kernel.here(), started=utc_now() - timedelta(days=300))
    Journal(tmp_path, kernel=earlier).append(RunRecord(kind="prompt"))
    assert [record.status for record in read_folder(tmp_path)] == ["interrupted"]


@pytest.mark.skipif(not hasattr(os, "waitid"), reason="no zombies on this system")
def test_a_killed_process_that_nobody_has_asked_for_is_gone() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    kernel = dataclasses.replace(Kernel.here(), pid=process.pid, started=utc_now())
    assert kernel.is_alive()
    process.kill()
    # Returns once the process has ended, and leaves it unasked for.
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert not kernel.is_alive()
    process.communicate()


def test_the_end_that_was_seen_beats_the_one_that_was_guessed(tmp_path: Path) -> None:
    record = RunRecord(kind="prompt", params={"many": "things"}, note="long")
    dead = dataclasses.replace(Kernel.here(), pid=a_dead_process())
    Journal(tmp_path, kernel=dead).append(record)
    Journal(tmp_path).append(
        RunRecord(kind="prompt", id=record.id, started=record.started, status="ok", seconds=1.0)
    )
    assert [each.status for each in read_folder(tmp_path)] == ["ok"]


def test_damage_is_skipped_with_one_warning_that_counts(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    good = finished(note="good").sealed()
    journal.append(good)
    future = {**finished().dump(), "schema": "fmagic.run/2", "status": "paused"}
    wrong = {**finished().dump(), "seconds": "long"}
    lines = [b"", b'{"other": 1}', b"[]", *(json.dumps(x).encode() for x in (future, wrong))]
    torn = json.dumps(finished().dump()).encode()[:-30]
    with journal.path.open("ab") as file:
        file.write(b"\n".join([*lines, torn]))
    (tmp_path / "x.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.warns(FmagicWarning) as seen:
        assert read_folder(tmp_path) == [good]
    assert [str(each.message) for each in seen] == [
        (
            "Skipped in the journal: 2 cut off in the middle, 3 not a record of a run, "
            "1 of a newer fmagic; update with: pip install -U fmagic."
        )
    ]


def test_a_torn_end_leaves_the_beginning(tmp_path: Path) -> None:
    dead = dataclasses.replace(Kernel.here(), pid=a_dead_process())
    journal = Journal(tmp_path, kernel=dead)
    record = RunRecord(kind="prompt", model=None, params={"a": {"b": 1}})
    journal.append(record)
    ended = record.model_copy(update={"status": "ok", "seconds": 1.0})
    line = json.dumps(ended.dump(), separators=(",", ":"))
    for cut in ("}}", "}"):
        with journal.path.open("a") as file:
            file.write(line[: line.index(cut) + len(cut)] + "\n")
    with pytest.warns(FmagicWarning, match="cut off"):
        (found,) = read_folder(tmp_path)
    assert (found.id, found.status) == (record.id, "interrupted")


def refuse(*_: object, **__: object) -> int:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_disk_that_refuses_costs_one_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", refuse)
        with pytest.warns(FmagicWarning, match="No space left on device.*journal_dir") as seen:
            journal.append(finished())
        journal.append(finished())  # a second warning would be an error
    assert len(seen) == 1
    record = finished().sealed()
    journal.append(record)
    assert journal.read() == [record]


def test_a_folder_that_cannot_be_made_costs_one_warning(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    journal = Journal(tmp_path / "file" / "journal")
    with pytest.warns(FmagicWarning, match="Not a directory"):
        journal.append(finished())


def test_it_never_raises_even_where_warnings_are_errors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "write", refuse)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Journal(tmp_path).append(finished())


def test_half_a_line_does_not_spoil_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path)
    write = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda descriptor, line: write(descriptor, line[:40]))
        with pytest.warns(FmagicWarning, match="the disk is full"):
            journal.append(finished())
    record = finished().sealed()
    journal.append(record)
    with pytest.warns(FmagicWarning, match="1 cut off"):
        assert journal.read() == [record]


def test_one_notebook_in_one_folder(tmp_path: Path) -> None:
    here = Kernel.here()
    wanted = finished(notebook="a.ipynb").sealed()
    other = finished(notebook="b.ipynb", note='"notebook":"a.ipynb"')
    elsewhere = finished(notebook="a.ipynb").sealed()
    Journal(tmp_path, kernel=here).append(wanted)
    Journal(tmp_path, kernel=here).append(other)
    Journal(tmp_path, kernel=dataclasses.replace(here, place="0" * 8)).append(elsewhere)
    assert read_folder(tmp_path, notebook="a.ipynb", place=here.place) == [wanted]
    assert read_folder(tmp_path, notebook="a.ipynb") == [wanted, elsewhere]


def test_a_file_name_tells_its_kernel(tmp_path: Path) -> None:
    kernel = Kernel.here()
    told = Kernel.of(tmp_path / kernel.file_name())
    assert told == dataclasses.replace(kernel, started=kernel.started.replace(microsecond=0))
    assert Kernel.of(tmp_path / "copy of journal.jsonl") is None
    assert Kernel.of(tmp_path / "20269999T999999-00000000-00000000-1-00000000.jsonl") is None


def test_a_working_folder_that_was_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    journal = Journal(tmp_path / "journal")
    journal.append(finished())
    assert len(journal.read()) == 1


def test_what_is_read_is_not_looked_through_for_garbage(tmp_path: Path) -> None:
    Journal(tmp_path).append(finished())
    (record,) = read_folder(tmp_path)
    assert any(each is record for each in gc.get_objects(generation=2))


def test_reading_leaves_the_garbage_collector_as_it_was(tmp_path: Path) -> None:
    read_folder(tmp_path)
    assert gc.isenabled()
    gc.disable()
    try:
        read_folder(tmp_path)
        assert not gc.isenabled()
    finally:
        gc.enable()
