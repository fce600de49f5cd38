"""Models on a server through the session: results, records, and what is left of a broken table."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from fmagic.drive import Unwatched
from fmagic.errors import (
    ContextLengthError,
    Interrupted,
    ModelNotFoundError,
    OptionError,
    ServerError,
    UnsuitableModelError,
)
from fmagic.operations.events import Advanced, Piece
from fmagic.results import Answer, Answers
from fmagic.session import Session
from fmagic.settings import Fmagic
from tests.support import servers
from tests.support.servers import (
    PATIENCE,
    RealServer,
    Server,
    answer,
    chunk,
    event,
    hang,
    hang_after,
    refuse,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fmagic.operations.events import Event
    from tests.support.checkpoints import Checkpoints

ROWS = [{"n": number, "label": "yes"} for number in range(10)]
TEMPLATE = "user:\nrow {{ n }}"
SCORED = f"{TEMPLATE}\nassistant:\n{{{{ label }}}}"
KEY = "planted-key-2718281828459045"


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        yield server


@pytest.fixture
def session() -> Session:
    return Session(Fmagic(remote_retries=0, remote_timeout=20))


class Watch(Unwatched):
    """Notes that an event was seen for which `wanted` is true."""

    def __init__(self, wanted: Callable[[Event], bool]) -> None:
        self.seen = threading.Event()
        self._wanted = wanted

    def event(self, event: Event) -> None:
        if self._wanted(event):
            self.seen.set()


def until(server: Server, row: str, end: Any) -> Any:
    """Answer well until this row comes, then do something else."""

    def behave(exchange: Any) -> None:
        (end if exchange.said == row else answer())(exchange)

    return behave


def die(exchange: Any) -> None:
    exchange.stream()
    exchange.event(chunk("half"))
    exchange.server.kill()


def journal(session: Session) -> str:
    return session.log.journal.path.read_text(encoding="utf-8")


def test_one_answer_and_its_record(session: Session, server: Server) -> None:
    session.load(server.spec, price_in=1.0, price_out=10.0)
    done = session.prompt("the fox runs")
    assert isinstance(done, Answer)
    assert done.text == "THE FOX RUNS"
    assert done.run.model is not None
    assert done.run.model.name == server.spec
    assert done.run.model.device == server.host
    assert done.run.metrics["input_tokens"] == done.run.metrics["output_tokens"] == 3
    assert done.run.metrics["cost"] == pytest.approx(33e-6)


def test_without_prices_and_counts_nothing_is_made_up(session: Session, server: Server) -> None:
    server.usual = answer(counted=False)
    session.load(server.spec)
    done = session.prompt("the fox runs")
    assert not {"cost", "input_tokens", "output_tokens", "tokens_per_second"} & set(
        done.run.metrics
    )


def test_a_table_keeps_its_order(session: Session, server: Server) -> None:
    late = threading.Event()

    def behave(exchange: Any) -> None:
        if exchange.said == "row 0":  # the first is the last to come
            late.wait(PATIENCE)
        answer()(exchange)
        if exchange.said == "row 9":
            late.set()

    server.usual = behave
    session.load(server.spec)
    done = session.prompt(TEMPLATE, data=ROWS)
    assert isinstance(done, Answers)
    assert list(done.frame["answer"]) == [f"ROW {n}" for n in range(10)]
    assert done.run.metrics["rows"] == 10
    assert done.run.metrics["output_tokens"] == 20


@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_server_killed_in_the_middle_of_a_table(
    session: Session, server: Server, concurrency: int
) -> None:
    server.usual = until(server, "row 6", die)
    session.load(server.spec, concurrency=concurrency, price_in=1.0, price_out=0.0)
    with pytest.raises(ServerError) as failure:
        session.prompt(TEMPLATE, data=ROWS)
    result = failure.value.result
    kept = result.frame["answer"].dropna()
    assert list(kept) == [f"ROW {n}" for n in kept.index]
    done = len(kept)
    if concurrency == 1:
        assert done == 6
    assert 0 < done < 10
    message = str(failure.value)
    assert f"{done} of 10 are done" in message
    assert server.host in message
    assert len(message.splitlines()) <= 3
    assert result.run.status == "error"
    assert result.run.error.type == "ServerError"
    assert result.run.metrics["rows"] == done
    assert result.run.metrics["input_tokens"] == 2 * done
    assert result.run.metrics["cost"] == pytest.approx(2e-6 * done)
    assert session.log.session()[-1].status == "error"
    with pytest.raises(ServerError, match="No server answers"):  # and the session goes on
        session.prompt("hello")


def test_a_table_that_fails_at_once(session: Session, server: Server) -> None:
    session.load(server.spec)
    server.kill()
    with pytest.raises(ServerError, match="No server answers") as failure:
        session.prompt(TEMPLATE, data=ROWS)
    assert failure.value.result is None
    assert session.log.session()[-1].status == "error"


def test_a_row_that_is_too_long_is_named(session: Session, server: Server) -> None:
    server.usual = until(server, "row 4", refuse(400, "maximum context length is 128 tokens"))
    session.load(server.spec, concurrency=1)
    data = [{"n": None, "label": ""}, *ROWS]
    with pytest.raises(ContextLengthError, match=r"^Row 6: ") as failure:
        session.prompt(TEMPLATE, data=data, on_missing="skip")
    assert failure.value.result.run.metrics["rows"] == 4


def test_an_answer_that_breaks_off(session: Session, server: Server) -> None:
    server.usual = servers.pieces(event(chunk("half an ans")), broken=True)
    session.load(server.spec)
    with pytest.raises(ServerError, match="kept in the result") as failure:
        session.prompt("hello")
    assert failure.value.result.text == "half an ans"
    assert "half an ans" in repr(failure.value.result.mimebundle())


def test_evaluation_scores_what_was_done(session: Session, server: Server) -> None:
    server.usual = until(server, "row 3", die)
    session.load(server.spec, concurrency=1)
    with pytest.raises(ServerError) as failure:
        session.evaluate(SCORED, data=ROWS)
    assert failure.value.result.scores["n"] == 3


def test_evaluation_with_choices(session: Session, server: Server) -> None:
    server.usual = answer('{"answer": "yes"}')
    session.load(server.spec)
    done = session.evaluate(SCORED, data=ROWS, choices=["yes", "no"])
    assert done.scores["accuracy"] == 1
    assert "outside_choices" not in done.run.metrics


def test_vectors(session: Session, server: Server) -> None:
    session.load(server.spec, price_in=10.0)
    done = session.embed(["one two", "three"])
    assert done.vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(done.vectors, axis=1), 1, rtol=1e-6)
    assert done.run.metrics["input_tokens"] == 3
    assert done.run.metrics["cost"] == pytest.approx(3e-5)
    with pytest.raises(OptionError, match="--truncate"):
        session.embed(["one"], truncate=True)


def test_vectors_of_a_server_that_dies(session: Session, server: Server) -> None:
    def behave(exchange: Any) -> None:
        if exchange.body["input"][0] == "text 64":
            exchange.server.kill()
        else:
            servers.vectors(exchange)

    server.routes["/v1/embeddings"] = behave
    session.load(server.spec, concurrency=1)
    with pytest.raises(ServerError, match="64 of 150 are done") as failure:
        session.embed([f"text {n}" for n in range(150)])
    vectors = failure.value.result.vectors
    assert np.isfinite(vectors[:64]).all()
    assert np.isnan(vectors[64:]).all()


@pytest.mark.parametrize("table", [False, True])
def test_stop_from_another_thread(session: Session, server: Server, table: bool) -> None:
    server.usual = (
        until(server, "row 6", hang) if table else hang_after(event(chunk("half an ans")))
    )
    session.load(server.spec, concurrency=1)

    watch = Watch(lambda event: table or isinstance(event, Piece))
    session.front.watch = lambda: watch  # type: ignore[method-assign]  # to see the first piece

    def stop() -> None:
        assert server.hanging.acquire(timeout=PATIENCE)
        assert watch.seen.wait(PATIENCE)
        [run] = session.stops.going
        assert session.stops.stop(run)

    presses = threading.Thread(target=stop)
    presses.start()
    with pytest.raises(Interrupted) as stopped:
        session.prompt(TEMPLATE if table else "hello", data=ROWS if table else None)
    presses.join()
    assert server.left.acquire(timeout=PATIENCE)
    result = stopped.value.result
    assert result.run.status == "interrupted"
    if table:
        assert list(result.frame["answer"][:6]) == [f"ROW {n}" for n in range(6)]
        assert result.frame["answer"][6:].isna().all()
    else:
        assert result.text == "half an ans"
    server.usual = answer()
    assert session.prompt("hello").run.status == "ok"


def test_what_is_loaded_is_shown(session: Session, server: Server) -> None:
    session.load(server.spec)
    assert session.current == "echo"
    for view in (session.loaded(), session.models(), session.status()):
        assert "echo" in repr(view)
    assert server.host in repr(session.loaded())
    assert session.unload() == 0
    assert not session.by_name
    with pytest.raises(ModelNotFoundError, match="No model is loaded"):
        session.prompt("hello")


def test_a_spec_alone_is_enough(session: Session, server: Server) -> None:
    assert session.prompt("hello", model=server.spec).run.status == "ok"
    assert list(session.by_name) == ["echo"]
    before = len(server.requests)
    session.prompt("hello", model=server.spec)
    assert len(server.requests) == before + 1  # it is not looked up again


def test_a_name_that_is_taken(session: Session, server: Server) -> None:
    first = session.load(server.spec, name="it")
    second = session.load(server.spec, name="it")
    assert session.by_name == {"it": second}
    assert not first.is_loaded
    server.kill()
    with pytest.raises(ServerError):
        session.load(server.spec, name="it")
    assert session.by_name == {"it": second}
    assert second.is_loaded


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"quant": "nf4"}, "--quant"),
        ({"dtype": "float32", "device": "cpu"}, "--dtype, --device"),
        ({"adapter": "a"}, "--adapter"),
    ],
)
def test_options_that_mean_nothing_there(
    session: Session, server: Server, options: dict[str, Any], named: str
) -> None:
    with pytest.raises(OptionError, match=named):
        session.load(server.spec, **options)
    assert not server.requests


def test_options_of_servers_mean_nothing_here(session: Session) -> None:
    with pytest.raises(OptionError, match="--price-in"):
        session.load("tiny", price_in=0.0)
    with pytest.raises(OptionError, match="--key-env"):
        session.load("tiny", key_env="X_KEY")


def test_no_tuning(session: Session, server: Server) -> None:
    session.load(server.spec)
    with pytest.raises(UnsuitableModelError, match=rf"{server.host}.*--model tiny"):
        session.finetune(SCORED, data=ROWS, name="tuned")


def test_the_key_reaches_no_record(
    session: Session, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A name that tells nothing, so that no masking by name helps.
    monkeypatch.setenv("WORKSHOP", KEY)
    session.load(server.spec, key_env="WORKSHOP")
    assert session.prompt("hello").run.status == "ok"
    assert server.chats[-1].headers["Authorization"] == f"Bearer {KEY}"
    server.usual = lambda exchange: refuse(401, exchange.headers["Authorization"])(exchange)
    with pytest.raises(ServerError, match="environment variable WORKSHOP"):
        session.prompt("hello")
    server.usual = lambda exchange: refuse(400, exchange.headers["Authorization"])(exchange)
    with pytest.raises(ServerError, match="Bearer"):
        session.prompt("hello")
    assert len(journal(session).splitlines()) >= 3
    assert KEY not in journal(session)
    assert (
        KEY not in repr(session.by_name) + repr(session.loaded()) + session.loaded()._repr_html_()
    )
    monkeypatch.delenv("WORKSHOP")
    with pytest.raises(OptionError, match="no environment variable WORKSHOP"):
        session.prompt("hello")


def test_a_session_of_servers_alone_needs_no_torch(server: Server) -> None:
    server.script.extend([answer(), refuse(400, "never")])
    code = (
        "import sys, fmagic\n"
        "from fmagic.errors import ServerError\n"
        f"fmagic.load({server.spec!r})\n"
        "assert fmagic.prompt('hello').text == 'HELLO'\n"
        "try:\n    fmagic.prompt('hello')\n    raise SystemExit\nexcept ServerError:\n    pass\n"
        "print(sorted({'torch', 'transformers'} & set(sys.modules)))\n"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path.cwd())
    assert done.stdout.strip() == "[]"


# -- a real server -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(checkpoints: Checkpoints) -> Path:
    return checkpoints("llama", chat_template=True)


@pytest.fixture(scope="module")
def real(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    with RealServer(folder, tmp_path_factory.mktemp("hub")) as real:
        yield real


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_real_server(session: Session, real: RealServer, folder: Path) -> None:
    session.load(real.spec, name="there")
    there = session.prompt("user:\nthe quick fox", max_tokens=12)
    assert isinstance(there, Answer)
    session.load(str(folder), name="here", quant="none", dtype="float32", device="cpu")
    here = session.prompt("user:\nthe quick fox", max_tokens=12)
    assert isinstance(here, Answer)
    assert there.text[:8] == here.text[:8]  # the end may be half of a letter
    for name in ("input_tokens", "output_tokens"):
        assert there.run.metrics[name] == here.run.metrics[name]
    table = session.prompt(TEMPLATE, data=ROWS, model="there", max_tokens=4)
    assert table.run.metrics["rows"] == 10
    assert table.run.metrics["output_tokens"] == 40
    with pytest.raises(ModelNotFoundError, match="has no model"):
        session.load(f"{real.spec}x")
    with pytest.raises(UnsuitableModelError, match="makes no vectors"):
        session.embed(["a"], model="there")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_real_server_that_is_killed(session: Session, real: RealServer) -> None:
    """The last test of this server: it ends it."""
    session.load(real.spec, name="there")
    many = [{"n": number, "label": ""} for number in range(5000)]
    watch = Watch(lambda event: isinstance(event, Advanced) and event.done >= 3)
    session.front.watch = lambda: watch  # type: ignore[method-assign]  # to know when rows are done

    def kill() -> None:
        assert watch.seen.wait(PATIENCE * 4)
        real.kill()

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(ServerError, match=r"of 5,000 are done and kept in the result") as failure:
        session.prompt(TEMPLATE, data=many, max_tokens=2)
    killer.join()
    result = failure.value.result
    done = int(result.frame["answer"].notna().sum())
    assert 3 <= done < 5000
    assert result.run.metrics["rows"] == done
