"""Many writers at once, and writers that are killed: real processes on one folder."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from collections import Counter
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from fmagic.runs.journal import read_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

WRITER = """
import sys
from pathlib import Path
from fmagic.runs.environment import Surroundings
from fmagic.runs.journal import Journal
from fmagic.runs.log import RunLog

folder, count = Path(sys.argv[1]), int(sys.argv[2])
log = RunLog(Journal(folder), surroundings=Surroundings(folder))
for number in range(count):
    run = log.begin("prompt", notebook="a.ipynb", params={"number": number}, template="x" * 500)
    print("begun", run.record.id, flush=True)
    run.finish(output="an answer " * 50)
    print("done", run.record.id, flush=True)
"""
KILLS = 20
KERNELS, RUNS = 8, 1_000


def writer(folder: Path, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(folder), str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=folder)


def lines(process: subprocess.Popen[str]) -> Iterator[list[str]]:
    assert process.stdout is not None
    # What is killed in the middle of a word has not said it.
    return (line.split() for line in process.stdout if line.endswith("\n"))


def test_eight_kernels_at_once_lose_nothing(tmp_path: Path) -> None:
    with ExitStack() as running:
        processes = [running.enter_context(writer(tmp_path, RUNS)) for _ in range(KERNELS)]
        done = {words[1] for process in processes for words in lines(process) if words[0] == "done"}
    assert [process.returncode for process in processes] == [0] * KERNELS
    found = read_folder(tmp_path, notebook="a.ipynb")
    assert {record.id for record in found} == done
    assert len(found) == KERNELS * RUNS
    assert {record.status for record in found} == {"ok"}


def test_a_kernel_that_is_killed_at_any_moment_loses_no_finished_run(tmp_path: Path) -> None:
    rng = random.Random(0)
    begun: set[str] = set()
    done: set[str] = set()
    for _ in range(KILLS):
        last = rng.randrange(1, 200)
        with writer(tmp_path, 10**6) as process:
            for number, words in enumerate(lines(process)):
                (done if words[0] == "done" else begun).add(words[1])
                if number == last:
                    process.send_signal(signal.SIGKILL)
    found = {record.id: record.status for record in read_folder(tmp_path)}
    # It may have begun or finished one more than it could say.
    assert begun <= set(found)
    assert {found[run] for run in done} == {"ok"}
    assert set(found.values()) <= {"ok", "interrupted"}
    assert Counter(found.values())["interrupted"] <= KILLS
