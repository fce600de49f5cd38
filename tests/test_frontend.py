"""The comm: the status of a kernel, and Stop, while a cell runs."""

from __future__ import annotations

import queue
from typing import TYPE_CHECKING, Any

import pytest

from fmagic.frontend import MOST_COMMS, Desk, connect
from fmagic.session import Session
from fmagic.settings import Fmagic
from tests.support.comm import Comm, subshell
from tests.support.kernel import PATIENCE, Kernel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

ENDLESS = "%%prompt --max-tokens 1900 -o part\nuser:\nRepeat this list. red blue green"


class FakeComm:
    """The kernel's end of a comm."""

    def __init__(self, name: str = "a") -> None:
        self.comm_id = name
        self.sent: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self.handle_msg: Callable[[Any], None]
        self.closed: Callable[[Any], None]

    def send(self, data: dict[str, Any]) -> None:
        self.sent.put(data)

    def on_close(self, callback: Callable[[Any], None]) -> None:
        self.closed = callback

    def take(self, data: object) -> None:
        self.handle_msg({"content": {"data": data}})

    def next(self) -> dict[str, Any]:
        return self.sent.get(timeout=PATIENCE)


class FakeShell:
    """As much of a shell as a desk asks for."""

    def find_line_magic(self, name: str) -> object:
        return print if name == "pick" else None


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    desk = Desk(FakeShell(), busy=False)
    desk.session = Session(Fmagic(journal_dir=str(tmp_path / "journal"), device="cpu"))
    return desk


def test_a_status_before_anything_is_loaded() -> None:
    status = Desk(FakeShell(), busy=False).status()
    assert status == {
        "model": None,
        "memory": None,
        "loaded": [],
        "running": None,
        "picker": True,
    }


def test_a_status_names_what_is_loaded_and_what_goes_on(desk: Desk) -> None:
    assert desk.session is not None
    desk.session.load("tiny")
    desk.session.load("tiny", name="second")
    with desk.session.stops.work("a", "prompt", "cell-1"):
        status = desk.status()
    assert [model["name"] for model in status["loaded"]] == ["tiny", "second"]
    assert status["model"] == status["loaded"][1]
    assert status["model"]["quant"] == "none"
    assert status["model"]["device"] == "cpu"
    assert status["memory"]["used"] > 10_000_000
    assert status["memory"]["total"] is None
    assert status["running"] == {"run": "a", "kind": "prompt", "cell": "cell-1"}


def test_messages_that_are_not_understood_are_passed_over(desk: Desk) -> None:
    comm = FakeComm()
    desk.open(comm, {})
    assert comm.next()["type"] == "status"
    strange: list[object] = [None, [], {}, {"version": 2, "type": "stop"}]
    for data in [*strange, {"version": 1, "type": "dance"}]:
        comm.take(data)
    comm.take({"version": 1, "type": "stop"})
    assert comm.next() == {"version": 1, "type": "stopping", "run": "None", "found": False}
    comm.take({"version": 1, "type": "status?"})
    assert comm.next()["type"] == "status"
    assert comm.sent.empty()


def test_every_front_end_is_told_until_it_closes(desk: Desk) -> None:
    comms = [FakeComm(str(number)) for number in range(MOST_COMMS + 2)]
    for comm in comms:
        desk.open(comm)
        comm.next()
    comms[-2].closed({})
    desk.changed()
    assert comms[-1].next()["type"] == "status"
    assert comms[2].sent.empty() or comms[2].next()["type"] == "status"
    for gone in (comms[0], comms[1], comms[-2]):
        assert gone.sent.empty()


def test_a_front_end_that_fails_harms_nobody(desk: Desk) -> None:
    class Broken(FakeComm):
        def send(self, data: dict[str, Any]) -> None:
            raise OSError

    desk.open(Broken("broken"))
    comm = FakeComm("whole")
    desk.open(comm)
    comm.next()
    desk.changed()
    assert comm.next()["type"] == "status"


def test_without_a_kernel_there_is_nothing() -> None:
    assert connect(FakeShell()) is None


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    folder = tmp_path_factory.mktemp("notebook")
    kernel = Kernel(folder)
    cell = kernel(f"""
import os
os.environ["FMAGIC_MODELS_DIR"] = {str(folder / "models")!r}
os.environ["FMAGIC_JOURNAL_DIR"] = {str(folder / "journal")!r}
%load_ext fmagic
import fmagic as fm, fmagic.models.language as _l
_l.LanguageModel.end_tokens = frozenset()  # answers that are long enough to be stopped
""")
    assert cell.error is None, cell
    yield kernel
    kernel.close()


@pytest.fixture(scope="module")
def side(kernel: Kernel) -> str:
    return subshell(kernel)


@pytest.fixture
def comm(kernel: Kernel, side: str) -> Iterator[Comm]:
    comm = Comm(kernel, side)
    comm.message("status")
    yield comm
    comm.close()


@pytest.mark.slow
def test_whoever_asks_learns_that_fmagic_is_here(kernel: Kernel) -> None:
    client = kernel.client
    request = client.comm_info("fmagic")
    reply = client.get_shell_msg(timeout=PATIENCE)
    while reply["parent_header"].get("msg_id") != request:
        reply = client.get_shell_msg(timeout=PATIENCE)
    assert reply["content"]["comms"]


@pytest.mark.slow
def test_the_status_follows_loading_and_unloading(kernel: Kernel, comm: Comm) -> None:
    kernel.client.execute("%model tiny")
    assert comm.message("status", lambda data: data["model"])["model"]["name"] == "tiny"
    kernel.client.execute("%unload --all")
    assert comm.message("status", lambda data: not data["model"])["loaded"] == []


@pytest.mark.slow
def test_the_status_comes_while_a_cell_runs(kernel: Kernel, comm: Comm) -> None:
    kernel("%model tiny")
    request = kernel.client.execute("import threading\nthreading.Event().wait(60)")
    for _ in range(2):
        comm.message("status", lambda data: data["memory"]["used"] > 0)
    # All that came while the cell ran: its end is not among it.
    comm.other.clear()
    comm.message("status")
    assert not [
        each
        for each in comm.other
        if each["parent_header"].get("msg_id") == request and each["msg_type"] == "status"
    ]
    kernel.manager.interrupt_kernel()
    assert comm.errors(request) == ["KeyboardInterrupt"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["streaming", "loop", "await"])
def test_stop_ends_the_operation_and_the_cell(kernel: Kernel, comm: Comm, kind: str) -> None:
    assert kernel("%model tiny").error is None
    code = {
        "streaming": ENDLESS,
        "loop": "for _ in range(9): part = fm.prompt('red blue green', max_tokens=1900)",
        "await": "import asyncio\nawait asyncio.sleep(0)\nfm.prompt('red blue', max_tokens=1900)",
    }[kind]
    request = kernel.client.execute(code)
    running = comm.message("status", lambda data: data["running"])["running"]
    assert running["kind"] == "prompt"
    comm.other.clear()
    comm.send("stop", run=running["run"])
    assert comm.message("stopping") == {
        "version": 1,
        "type": "stopping",
        "run": running["run"],
        "found": True,
    }
    assert comm.errors(request) == ["Interrupted"]
    comm.message("status", lambda data: data["running"] is None)
    record = kernel.value("fm.runs()[-1].dump()")
    assert (record["id"], record["status"]) == (running["run"], "interrupted")
    assert record["output"]["text"]
    if kind == "streaming":
        assert kernel.value("part.text") == record["output"]["text"]
    assert kernel("%prompt --max-tokens 3 hello").error is None


@pytest.mark.slow
def test_stop_reaches_training_between_two_updates(kernel: Kernel, comm: Comm) -> None:
    kernel("table = [{'text': f'row {n}', 'label': 'good'} for n in range(4000)]\n%model tiny")
    request = kernel.client.execute(
        "%%finetune --data table --as part-tuned\nuser:\n{{ text }}\nassistant:\n{{ label }}"
    )

    def learning(message: dict[str, Any]) -> bool:
        return "loss" in str(message["content"].get("data", {}).get("text/plain", ""))

    running = comm.message("status", lambda data: data["running"])["running"]
    while not learning(kernel.client.get_iopub_msg(timeout=PATIENCE)):
        pass
    comm.send("stop", run=running["run"])
    assert comm.errors(request) == ["Interrupted"]
    assert kernel("%%prompt --model part-tuned --max-tokens 3\nhello").error is None


@pytest.mark.slow
def test_a_run_that_is_over_cannot_be_stopped(kernel: Kernel, comm: Comm) -> None:
    kernel("%model tiny")
    over = kernel("%prompt --max-tokens 2 hello").run()["id"]
    request = kernel.client.execute("import threading\nthreading.Event().wait(60)")
    comm.send("stop", run=over)
    assert comm.message("stopping")["found"] is False
    comm.send("status?")
    assert comm.message("status")["running"] is None
    kernel.manager.interrupt_kernel()
    assert comm.errors(request) == ["KeyboardInterrupt"]


@pytest.mark.slow
def test_messages_fire_no_events_of_cells(kernel: Kernel, comm: Comm) -> None:
    kernel(
        "_fired = []\n"
        "get_ipython().events.register('pre_execute', lambda: _fired.append(1))\n"
        "get_ipython().events.register('post_execute', lambda: _fired.append(2))"
    )
    before = kernel.value("len(_fired)")
    comm.send("status?")
    comm.message("status")
    # One pair for each of the two cells that look, the second not yet at its end.
    assert kernel.value("len(_fired)") == before + 2


@pytest.mark.slow
def test_a_reply_goes_to_the_subshell_after_a_cell_has_changed_the_status(
    kernel: Kernel, comm: Comm
) -> None:
    """Of messages sent under a cell, ipykernel sends the answers to the main shell."""
    kernel("%unload --all")
    comm.message("status", lambda data: not data["model"])
    request = kernel.client.execute("import threading\n%model tiny\nthreading.Event().wait(60)")
    comm.message("status", lambda data: data["model"])
    comm.send("status?")
    comm.message("status")
    comm.send("stop", run="none")
    assert comm.message("stopping")["found"] is False
    kernel.manager.interrupt_kernel()
    assert comm.errors(request) == ["KeyboardInterrupt"]
