"""Servers in a real kernel: bad addresses, bad keys, a death in the middle, Stop; and no key."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.kernel import Cell, Kernel
from tests.support.servers import MODEL, Server, answer, chunk, event, hang_after, refuse

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

KEY = "planted-key-1618033988749894"
WRONG = "planted-wrong-key-14142135623"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("notebook")


@pytest.fixture(scope="module")
def cells() -> list[Cell]:
    """All cells of the notebook."""
    return []


@pytest.fixture(scope="module")
def kernel(folder: Path) -> Iterator[Kernel]:
    kernel = Kernel(folder)
    cell = kernel(f"""
import os
os.environ["FMAGIC_MODELS_DIR"] = {str(folder / "models")!r}
os.environ["FMAGIC_JOURNAL_DIR"] = {str(folder / "journal")!r}
os.environ["WORKSHOP"], os.environ["OUTDATED_KEY"] = {KEY!r}, {WRONG!r}
%load_ext fmagic
%config Fmagic.remote_retries = 0
rows = [{{"n": n}} for n in range(10)]
""")
    assert cell.error is None, cell
    yield kernel
    kernel.close()


@pytest.fixture
def server() -> Iterator[Server]:
    """A server that lets only the key in, and repeats a wrong one."""

    def guarded(exchange: Any) -> None:
        given = exchange.headers.get("Authorization")
        if given == f"Bearer {KEY}":
            exchange.json({"data": [{"id": MODEL}]})
        else:
            refuse(401, f"wrong: {given}")(exchange)

    with Server() as server:
        server.routes["/v1/models"] = guarded
        yield server


def fails(kernel: Kernel, cells: list[Cell], code: str, error: str, *words: str) -> Cell:
    cell = kernel(code)
    cells.append(cell)
    assert cell.error == error, cell
    shown = "\n".join(cell.traceback)
    assert shown == f"{error}: {cell.message}"
    assert len(shown.splitlines()) <= 3
    for word in words:
        assert word in cell.message, cell.message
    return cell


def loads(kernel: Kernel, cells: list[Cell], server: Server) -> None:
    cell = kernel(
        f"%model {server.spec} --key-env WORKSHOP --price-in 1 --price-out 0 --concurrency 1"
    )
    cells.append(cell)
    assert cell.error is None, cell
    assert server.host in cell.text


def test_addresses_and_names(kernel: Kernel, cells: list[Cell], server: Server) -> None:
    url = server.url
    for line, error, words in (
        (f"{url}", "OptionError", ["#name"]),
        (f"{url}#org/ecco --key-env WORKSHOP", "ModelNotFoundError", ["'org/echo'"]),
        (f"{server.spec}", "ServerError", ["401", "--key-env"]),
        (f"{server.spec} --key-env OUTDATED_KEY", "ServerError", ["401", "OUTDATED_KEY"]),
        (f"{server.spec} --key-env WORKSHPO", "OptionError", ["'WORKSHOP'"]),
        (f"{server.spec} --key-env {WRONG}", "OptionError", ["name of an environment variable"]),
        (f"{server.spec} --key-env WORKSHOP --quant nf4", "OptionError", ["--quant"]),
        (f"http://me:{WRONG}@{server.host}/v1#x", "OptionError", ["--key-env"]),
        (f"{server.spec} --price-in -1", "OptionError", ["--price-in"]),
        ("tiny --key-env WORKSHOP", "OptionError", ["--key-env"]),
    ):
        server.usual = refuse(404, "no such model")
        fails(kernel, cells, f"%model {line}", error, *words)
    server.kill()
    code = f"%model {server.spec} --key-env WORKSHOP"
    fails(kernel, cells, code, "ServerError", "No server answers", server.host)


def test_killed_in_the_middle_of_a_table(kernel: Kernel, cells: list[Cell], server: Server) -> None:
    def behave(exchange: Any) -> None:
        if exchange.said == "row 6":
            exchange.stream()
            exchange.event(chunk("half"))
            exchange.server.kill()
        else:
            answer()(exchange)

    server.usual = behave
    loads(kernel, cells, server)
    code = "%%prompt --data rows -o scored\nrow {{ n }}"
    cell = fails(kernel, cells, code, "ServerError", "6 of 10 are done", server.host)
    run = cell.run()
    assert (run["status"], run["metrics"]["rows"]) == ("error", 6)
    assert run["metrics"]["cost"] == pytest.approx(12e-6)
    assert "ROW 5" in cell.text  # what was done is shown
    kept = kernel.value("[a if isinstance(a, str) else None for a in scored.frame['answer']]")
    assert kept == [*(f"ROW {n}" for n in range(6)), None, None, None, None]


def test_stop(kernel: Kernel, cells: list[Cell], server: Server) -> None:
    server.usual = hang_after(event(chunk("half an answer")))
    loads(kernel, cells, server)
    cell = kernel(
        "%%prompt\nhello", stop_when=lambda message: "half an answer" in str(message["content"])
    )
    cells.append(cell)
    assert cell.error == "Interrupted", cell
    assert server.left.acquire(timeout=30)
    run = cell.run()
    assert (run["status"], run["output"]["text"]) == ("interrupted", "half an answer")
    server.usual = answer()
    assert kernel("%%prompt\nhello").run()["output"]["text"] == "HELLO"


def test_no_key_anywhere(kernel: Kernel, cells: list[Cell], server: Server, folder: Path) -> None:
    loads(kernel, cells, server)
    cells.append(kernel("%xmode Verbose"))
    for behaviour in (
        answer(),
        lambda exchange: refuse(403, exchange.headers["Authorization"])(exchange),
        lambda exchange: refuse(400, exchange.headers["Authorization"])(exchange),
        answer(text=7),  # type: ignore[arg-type]  # the handler breaks, and with it the connection
    ):
        server.usual = behaviour
        cells += [kernel("%%prompt --data rows\nrow {{ n }}"), kernel("%%prompt\nhello")]
    server.kill()
    cells += [kernel(code) for code in ("%%prompt\nhello", "%model", "%models", "%runs", "%fmagic")]
    assert len(cells) > 12
    journal = "".join(
        file.read_text(encoding="utf-8") for file in (folder / "journal").glob("*.jsonl")
    )
    assert server.spec in journal
    notebook = json.dumps([vars(cell) for cell in cells], default=str)
    for secret in (KEY, WRONG):
        assert secret not in journal
        assert secret not in notebook
