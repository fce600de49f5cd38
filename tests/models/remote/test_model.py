from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from fmagic.errors import (
    ContextLengthError,
    FmagicError,
    FmagicWarning,
    ModelNotFoundError,
    OptionError,
    ServerError,
    UnsuitableModelError,
)
from fmagic.models.remote.endpoint import Patience, is_public
from fmagic.models.remote.loading import Access, connect
from fmagic.models.sampling import Completion, Sampling
from fmagic.models.spec import parse_spec
from fmagic.settings import Fmagic
from fmagic.template import Turn
from tests.support import servers
from tests.support.servers import PATIENCE, Server, answer, chunk, event, hang, pieces, refuse

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fmagic.models.remote.model import RemoteModel
    from fmagic.models.writer import Decision

QUICK = Patience(connect=2, silence=5, check=5, retries=2, first_delay=0.001, longest_wait=0.05)
KEY = "planted-key-3141592653589793"


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        yield server


def connected(
    server: Server,
    folder: Path,
    *,
    patience: Patience = QUICK,
    name: str = servers.MODEL,
    **access: Any,
) -> RemoteModel:
    spec = parse_spec(f"{server.url}#{name}", models_dir=folder)
    return connect(spec, name="echo", access=Access(**access), settings=Fmagic(), patience=patience)


@pytest.fixture
def model(server: Server, tmp_path: Path) -> RemoteModel:
    return connected(server, tmp_path)


def messages(*texts: str) -> list[list[dict[str, str]]]:
    return [[{"role": "user", "content": text}] for text in texts]


def completed(model: RemoteModel, *texts: str, **options: Any) -> dict[int, Completion]:
    found = model.run(messages(*texts), Sampling(**options))
    return {index: completion for index, _, completion in found if completion is not None}


def streamed(model: RemoteModel, text: str, **options: Any) -> tuple[str, Completion]:
    parts, last = [], None
    for _, part, completion in model.run(messages(text), Sampling(**options)):
        parts.append(part)
        last = completion or last
    assert last is not None
    return "".join(parts), last


def decided(model: RemoteModel, choices: list[str], *texts: str) -> dict[int, Decision]:
    found = model.decide(messages(*texts), choices, [[Turn("user", "?")]] * len(texts))
    return {index: decision for index, decision in found if decision is not None}


# -- one prompt ----------------------------------------------------------------------------------


def test_an_answer_streams(model: RemoteModel, server: Server) -> None:
    text, completion = streamed(model, "the fox runs")
    assert text == "THE FOX RUNS"
    assert completion == Completion("THE FOX RUNS", 3, 3, "stop")
    assert server.chats[0].body["stream"] is True
    assert server.chats[0].body["messages"] == [{"role": "user", "content": "the fox runs"}]


def test_turns_are_messages(model: RemoteModel) -> None:
    turns = [Turn("system", "Be brief."), Turn("user", "Hi"), Turn("assistant", "Yes?")]
    assert model.encode(turns) == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Yes?"},
    ]
    with pytest.raises(OptionError, match="tokenizer"):
        model.encode(turns, truncate=True)


def test_sampling_is_passed_on(model: RemoteModel, server: Server) -> None:
    completed(
        model, "a", "b", max_tokens=7, temperature=0.5, top_p=0.9, stop=("X", "Y"), seed=2**31 - 1
    )
    first, second = sorted(server.chats, key=lambda each: each.said)
    for each in (first, second):
        assert each.body["max_tokens"] == 7
        assert (each.body["temperature"], each.body["top_p"]) == (0.5, 0.9)
        assert each.body["stop"] == ["X", "Y"]
    assert (first.body["seed"], second.body["seed"]) == (2**31 - 1, 0)
    completed(model, "a")
    assert server.chats[-1].body["temperature"] == 0
    assert not {"top_p", "stop"} & set(server.chats[-1].body)


def test_a_server_that_passes_over_stop(model: RemoteModel, server: Server) -> None:
    server.usual = answer("one two\nQ: three")
    text, completion = streamed(model, "x", stop=("\nQ:",))
    assert completion.text == "one two"
    assert completion.finish == "stop"
    assert text.startswith("one two")


def test_no_usage_is_no_count(model: RemoteModel, server: Server) -> None:
    server.usual = answer(counted=False, done=False)
    assert streamed(model, "fox")[1] == Completion("FOX", None, None, "stop")


def test_an_answer_at_its_limit(model: RemoteModel, server: Server) -> None:
    server.usual = pieces(event(chunk("a b", "length")), b"data: [DONE]\n\n")
    assert streamed(model, "x")[1].finish == "length"


def test_thinking_is_no_answer(model: RemoteModel, server: Server) -> None:
    thought = {"choices": [{"index": 0, "delta": {"reasoning_content": "hm", "content": None}}]}
    server.usual = pieces(event(thought), event(chunk("yes", "stop")))
    assert streamed(model, "x")[0] == "yes"


@pytest.mark.parametrize("size", [1, 3, 10])
def test_letters_split_between_chunks(model: RemoteModel, server: Server, size: int) -> None:
    stream = b": hello\r\n\r\n" + event(chunk("naïve 🦊\u2028 ok", None)) + event(chunk("", "stop"))
    server.usual = pieces(*(stream[i : i + size] for i in range(0, len(stream), size)))
    assert streamed(model, "x")[1].text == "naïve 🦊\u2028 ok"


def test_a_server_that_cannot_stream(model: RemoteModel, server: Server) -> None:
    whole = {
        "choices": [{"message": {"role": "assistant", "content": "yes"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 1},
    }
    server.usual = lambda exchange: exchange.json(whole)
    assert streamed(model, "x")[1] == Completion("yes", 3, 1, "stop")


# -- bad days ------------------------------------------------------------------------------------


def fails(model: RemoteModel, *texts: str, error: type[FmagicError] = ServerError) -> str:
    with pytest.raises(error) as failure:
        completed(model, *(texts or ("x",)))
    assert len(str(failure.value).splitlines()) <= 3
    return str(failure.value)


def test_a_limit_of_requests(model: RemoteModel, server: Server) -> None:
    server.script.extend([refuse(429, Retry_After="0.01"), refuse(429)])
    assert streamed(model, "fox")[1].text == "FOX"
    assert len(server.chats) == 3


def test_a_limit_that_lasts_too_long(model: RemoteModel, server: Server) -> None:
    server.usual = refuse(429, "slow down", Retry_After="3600")
    said = fails(model)
    assert "3,600 seconds" in said
    assert "slow down" in said
    assert len(server.chats) == 1


def test_money_that_is_spent(model: RemoteModel, server: Server) -> None:
    server.usual = refuse(429, "You exceeded your current quota")
    assert "quota" in fails(model)
    assert len(server.chats) == 1


def test_a_failure_that_passes(model: RemoteModel, server: Server) -> None:
    server.script.extend([refuse(500, "oops"), refuse(503, "busy")])
    assert streamed(model, "fox")[1].text == "FOX"


def test_a_failure_that_stays(model: RemoteModel, server: Server) -> None:
    server.usual = refuse(500, "CUDA error")
    said = fails(model)
    assert "CUDA error" in said
    assert "3 times" in said
    assert len(server.chats) == 3


def test_a_request_that_is_wrong_is_not_made_again(model: RemoteModel, server: Server) -> None:
    server.usual = refuse(400, "a message is empty")
    assert "a message is empty" in fails(model)
    assert len(server.chats) == 1


def test_silence(server: Server, tmp_path: Path) -> None:
    model = connected(
        server, tmp_path, patience=Patience(silence=0.2, retries=1, first_delay=0.001)
    )
    server.usual = hang
    said = fails(model)
    assert "nothing for 0.2 seconds" in said
    assert len(server.chats) == 2


def test_a_stream_that_is_cut_is_asked_for_again(model: RemoteModel, server: Server) -> None:
    server.script.append(pieces(event(chunk("half")), broken=True))
    server.script.append(pieces(event(chunk("half"))))
    found = completed(model, "one", "two")
    assert {each.text for each in found.values()} == {"ONE", "TWO"}
    assert len(server.chats) == 4


def test_what_was_seen_is_not_written_twice(model: RemoteModel, server: Server) -> None:
    server.usual = pieces(event(chunk("half an ans")), broken=True)
    seen: list[str] = []
    running = model.run(messages("x"), Sampling())
    with pytest.raises(ServerError, match="broke off"):
        seen.extend(text for _, text, _ in running)
    assert "".join(seen) == "half an ans"
    assert len(server.chats) == 1


@pytest.mark.parametrize(
    "stream",
    [
        b"data: {not json\n\n",
        b"data: [1, 2]\n\n",
        event({"choices": "none"}),
        event({"choices": [{"delta": {"content": ["a"]}}]}),
        event({"choices": [{"delta": "a"}]}),
    ],
)
def test_events_that_are_no_part_of_an_answer(
    model: RemoteModel, server: Server, stream: bytes
) -> None:
    server.usual = pieces(stream)
    assert "no part of an answer" in fails(model)
    assert len(server.chats) == 1


def test_an_error_within_a_stream(model: RemoteModel, server: Server) -> None:
    server.usual = pieces(event(chunk("a")), event({"error": {"message": "ran out", "code": 400}}))
    assert "ran out" in fails(model)


def test_a_web_page_instead_of_an_answer(model: RemoteModel, server: Server) -> None:
    server.usual = lambda exchange: exchange.raw(b"<html>", kind="application/json")
    assert "OpenAI protocol" in fails(model)


@pytest.mark.parametrize(
    "words",
    [
        "This model's maximum context length is 128 tokens. However, you requested 200.",
        "the request exceeds the available context size. try increasing it",
        "context_length_exceeded",
    ],
)
def test_a_text_that_is_too_long(model: RemoteModel, server: Server, words: str) -> None:
    server.usual = refuse(400, words)
    said = fails(model, error=ContextLengthError)
    assert "Shorten" in said


def test_colours_and_lines_of_a_server_stay_out(model: RemoteModel, server: Server) -> None:
    server.usual = refuse(400, "\x1b[31mred\nnext\x00 line" + "x" * 5000)
    said = fails(model)
    assert said.isprintable()
    assert len(said) < 500


def test_fields_that_a_server_does_not_know(model: RemoteModel, server: Server) -> None:
    def strict(exchange: Any) -> None:
        for name in ("stream_options", "seed"):
            if name in exchange.body:
                detail = [{"loc": ["body", name], "msg": "Extra inputs are not permitted"}]
                exchange.json({"detail": detail}, 422)
                return
        if "max_tokens" in exchange.body:
            words = "Unsupported parameter: use 'max_completion_tokens' instead."
            exchange.json({"error": {"message": words}}, 400)
            return
        answer()(exchange)

    server.usual = strict
    with pytest.warns(FmagicWarning, match="no seed"):
        found = completed(model, "a", "b", "c", max_tokens=9)
    assert len(found) == 3
    before = len(server.chats)
    completed(model, "d", max_tokens=9)
    assert len(server.chats) == before + 1  # it is known now
    assert server.chats[-1].body["max_completion_tokens"] == 9


def test_a_model_that_takes_no_temperature(model: RemoteModel, server: Server) -> None:
    def reasoning(exchange: Any) -> None:
        if "temperature" in exchange.body:
            words = (
                "'temperature' does not support 0 with this model. Only the default is supported."
            )
            exchange.json({"error": {"message": words}}, 400)
            return
        answer()(exchange)

    server.usual = reasoning
    with pytest.warns(FmagicWarning, match="no temperature"):
        assert len(completed(model, "a", "b")) == 2
    assert "temperature" not in server.chats[-1].body


def test_a_temperature_that_was_asked_for_is_not_left_out(
    model: RemoteModel, server: Server
) -> None:
    server.usual = refuse(400, "temperature must be at most 2")
    with pytest.raises(ServerError, match="at most 2"):
        completed(model, "a", temperature=3.0)
    assert len(server.chats) == 1


def test_rows_share_their_connections(server: Server, tmp_path: Path) -> None:
    model = connected(server, tmp_path, concurrency=2)
    before = len(server._connections)
    assert len(completed(model, *"abcdefgh")) == 8
    assert len(server._connections) - before <= 2


def test_a_proxy_that_cannot_be_used(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = connected(server, tmp_path)
    monkeypatch.setenv("ALL_PROXY", "nonsense://user:secret@proxy:1")
    monkeypatch.setattr("fmagic.models.remote.client.is_local", lambda _: False)
    said = fails(model)
    assert "ALL_PROXY" in said
    assert "secret" not in said


# -- tables --------------------------------------------------------------------------------------


def test_requests_at_once_are_bounded(server: Server, tmp_path: Path) -> None:
    model = connected(server, tmp_path, concurrency=3)
    together = threading.Barrier(3)

    def wait(exchange: Any) -> None:
        together.wait(PATIENCE)  # a fourth would break the next round
        answer()(exchange)

    server.usual = wait
    found = completed(model, *map(str, range(9)))
    assert {index: each.text for index, each in found.items()} == {i: str(i) for i in range(9)}
    assert server.most_at_once == 3


def test_an_error_has_its_place(model: RemoteModel, server: Server) -> None:
    def picky(exchange: Any) -> None:
        (refuse(400, "bad words") if exchange.said == "c" else answer())(exchange)

    server.usual = picky
    with pytest.raises(ServerError, match="bad words") as failure:
        completed(model, *"abcd")
    assert failure.value.place == 2


def test_closing_lets_the_server_know(model: RemoteModel, server: Server) -> None:
    server.usual = hang
    running = model.run(messages(*"abcd"), Sampling())
    for _ in range(4):
        while not server.hanging.acquire(timeout=0.01):
            assert next(running) == (-1, "", None)
    running.close()  # type: ignore[attr-defined]  # a generator
    for _ in range(4):
        assert server.left.acquire(timeout=PATIENCE)
    assert not [each for each in threading.enumerate() if each.name == "fmagic-remote"]


# -- choices -------------------------------------------------------------------------------------


def test_structured_outputs(model: RemoteModel, server: Server) -> None:
    server.usual = answer('{"answer": "not spam"}')
    found = decided(model, ["spam", "not spam"], "a", "b")
    assert [each.text for each in found.values()] == ["not spam", "not spam"]
    assert found[0].probability is None
    schema = server.chats[0].body["response_format"]["json_schema"]["schema"]
    assert schema["properties"]["answer"]["enum"] == ["spam", "not spam"]


@pytest.mark.parametrize(
    ("owner", "field", "value"),
    [
        ("vllm", "structured_outputs", {"choice": ["yes", 'say "no"']}),
        ("llamacpp", "grammar", 'root ::= "yes" | "say \\"no\\""'),
    ],
)
def test_servers_that_hold_decoding_itself(
    server: Server, tmp_path: Path, owner: str, field: str, value: Any
) -> None:
    server.models = [(servers.MODEL, owner)]
    server.usual = answer("yes")
    found = decided(connected(server, tmp_path), ["yes", 'say "no"'], "a")
    assert found[0].text == "yes"
    assert server.chats[0].body[field] == value
    assert server.chats[0].body["chat_template_kwargs"] == {"enable_thinking": False}


@pytest.mark.parametrize("refuses", [True, False])
def test_a_server_that_holds_nothing(model: RemoteModel, server: Server, refuses: bool) -> None:
    def behave(exchange: Any) -> None:
        if refuses and "response_format" in exchange.body:
            refuse(400, "response_format is not supported")(exchange)
        elif "exactly one of the following" not in exchange.said:
            answer("It is a good review!")(exchange)
        else:
            answer("**Positive**." if exchange.said.startswith("a") else "no idea")(exchange)

    server.usual = behave
    with pytest.warns(FmagicWarning, match="cannot hold"):
        found = decided(model, ["positive", "negative"], "a", "b")
    assert {index: each.text for index, each in found.items()} == {0: "positive", 1: "no idea"}
    assert any("cannot hold" in notice for notice in model.notices)


def test_choices_and_a_server_that_fails(model: RemoteModel, server: Server) -> None:
    server.usual = refuse(500, "down")
    with pytest.raises(ServerError, match="down"):
        decided(model, ["a", "b"], "x")


# -- vectors -------------------------------------------------------------------------------------


def test_vectors_in_the_order_of_the_texts(model: RemoteModel, server: Server) -> None:
    texts = [f"{'x' * (i % 7)} y" for i in range(150)]
    found = np.zeros((150, 3), dtype=np.float32)
    tokens = 0
    for places, part, read in model.vectors(model.passages(texts)):
        if places:
            found[places] = part
            tokens += read or 0
    expected = np.array([[len(text), 1.0, 0.0] for text in texts])
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert tokens == sum(len(text.split()) for text in texts)
    asked = [each.body["input"] for each in server.requests if each.path == "/v1/embeddings"]
    assert sorted(map(len, asked)) == [22, 64, 64]


@pytest.mark.parametrize(
    "data",
    [
        [],
        "none",
        [{"index": 0, "embedding": [1.0]}, {"index": 0, "embedding": [1.0]}],
        [{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": [1.0, 2.0]}],
        [{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": ["a"]}],
        [{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": [None]}],
        [{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": [0.0]}],
        [{"index": 0, "embedding": [1.0]}, {"index": 1}],
    ],
)
def test_vectors_that_are_none(model: RemoteModel, server: Server, data: Any) -> None:
    server.routes["/v1/embeddings"] = lambda exchange: exchange.json({"data": data})
    with pytest.raises(ServerError, match="no vectors"):
        list(model.vectors(["a", "b"]))


def test_a_server_without_vectors(model: RemoteModel, server: Server) -> None:
    del server.routes["/v1/embeddings"]
    with pytest.raises(UnsuitableModelError, match="makes no vectors"):
        list(model.vectors(["a"]))


# -- loading -------------------------------------------------------------------------------------


def test_nobody_there(server: Server, tmp_path: Path) -> None:
    server.kill()
    with pytest.raises(ServerError, match=rf"No server answers at {server.host}.*Start it"):
        connected(server, tmp_path)


def test_an_unknown_name(server: Server, tmp_path: Path) -> None:
    server.usual = refuse(404, "no such model")
    with pytest.raises(ModelNotFoundError, match=r"'org/ecco'.* Did you mean 'org/echo'\?"):
        connected(server, tmp_path, name="org/ecco")


def test_a_refusal_for_another_reason_is_told_as_it_is(server: Server, tmp_path: Path) -> None:
    server.usual = refuse(401, "this key is not for you")
    with pytest.raises(ServerError, match="key"):
        connected(server, tmp_path, name="org/ecco")


def test_a_name_that_is_known_though_not_listed(server: Server, tmp_path: Path) -> None:
    model = connected(server, tmp_path, name="./folder")
    assert "does not list" in model.notices[0]


@pytest.mark.parametrize("status", [404, 405])
def test_a_server_that_lists_nothing(server: Server, tmp_path: Path, status: int) -> None:
    server.routes["/v1/models"] = refuse(status)
    assert "does not list" in connected(server, tmp_path).notices[0]
    server.usual = refuse(404)
    with pytest.raises(ServerError, match="ends in /v1"):
        connected(server, tmp_path)


def test_a_server_of_web_pages(server: Server, tmp_path: Path) -> None:
    server.routes["/v1/models"] = lambda exchange: exchange.raw(b"<html>")
    with pytest.raises(ServerError, match="does not speak the OpenAI protocol"):
        connected(server, tmp_path)
    server.routes["/v1/models"] = lambda exchange: exchange.json({"models": []})
    with pytest.raises(ServerError, match="does not speak the OpenAI protocol"):
        connected(server, tmp_path)


def test_a_server_that_says_nothing(server: Server, tmp_path: Path) -> None:
    server.routes["/v1/models"] = hang
    with pytest.raises(ServerError, match=r"nothing for 0\.2 seconds"):
        connected(server, tmp_path, patience=Patience(check=0.2))


def test_its_context_as_the_server_tells_it(server: Server, tmp_path: Path) -> None:
    listed = {"data": [{"id": servers.MODEL, "owned_by": "vllm", "max_model_len": 4096}]}
    server.routes["/v1/models"] = lambda exchange: exchange.json(listed)
    assert connected(server, tmp_path).context_length == 4096


@pytest.mark.parametrize(
    "access", [{"price_in": -1.0}, {"price_out": float("nan")}, {"concurrency": 0}]
)
def test_values_out_of_their_range(server: Server, tmp_path: Path, access: Any) -> None:
    with pytest.raises(OptionError, match=r"not (-1|nan|0)"):
        connected(server, tmp_path, **access)


def test_prices(server: Server, tmp_path: Path) -> None:
    model = connected(server, tmp_path, price_in=2.0, price_out=10.0)
    assert model.cost(1_000_000, 100_000) == pytest.approx(3.0)
    assert model.cost(None, 5) is None
    half = connected(server, tmp_path, price_in=2.0)
    assert half.cost(500_000, 0) == pytest.approx(1.0)  # of vectors nothing is written
    assert half.cost(500_000, 1) is None
    assert connected(server, tmp_path).cost(1, 1) is None
    assert model.is_commercial
    assert not connected(server, tmp_path).is_commercial


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("https://api.example.com/v1", True),
        ("https://8.8.8.8/v1", True),
        ("http://localhost:8000/v1", False),
        ("http://[::1]:8000/v1", False),
        ("http://192.168.0.7/v1", False),
        ("http://gpu-box/v1", False),
        ("http://gpu.local/v1", False),
    ],
)
def test_public_addresses(address: str, public: bool) -> None:
    assert is_public(address) is public


# -- keys ----------------------------------------------------------------------------------------


def guarded(exchange: Any) -> None:
    """Let only the key in, and repeat a wrong one, as careless servers do."""
    given = exchange.headers.get("Authorization", "")
    if given == f"Bearer {KEY}":
        exchange.json({"data": [{"id": servers.MODEL}]})
    else:
        exchange.json({"error": {"message": f"wrong key: {given}"}}, 401)


def test_a_key_is_sent_and_kept_nowhere(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.routes["/v1/models"] = guarded
    monkeypatch.setenv("WORKSHOP_KEY", f" {KEY}\n")
    model = connected(server, tmp_path, key_env="WORKSHOP_KEY")
    streamed(model, "x")
    assert server.chats[0].headers["Authorization"] == f"Bearer {KEY}"
    assert KEY not in repr(model)
    assert KEY not in repr(vars(model))
    assert KEY not in json.dumps(model.info())


def test_a_key_that_is_refused(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.routes["/v1/models"] = guarded
    monkeypatch.setenv("WORKSHOP_KEY", "another-planted-key")
    with pytest.raises(ServerError, match="variable WORKSHOP_KEY") as failure:
        connected(server, tmp_path, key_env="WORKSHOP_KEY")
    assert "another-planted-key" not in str(failure.value)
    with pytest.raises(ServerError, match="--key-env"):
        connected(server, tmp_path)


def test_a_server_that_repeats_the_key(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKSHOP_KEY", KEY)
    model = connected(server, tmp_path, key_env="WORKSHOP_KEY")
    server.usual = lambda exchange: refuse(400, f"you sent {exchange.headers['Authorization']}")(
        exchange
    )
    said = fails(model)
    assert "you sent" in said
    assert KEY not in said


def test_no_key_in_the_environment(server: Server, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="no environment variable WORKSHOP_KEY"):
        connected(server, tmp_path, key_env="WORKSHOP_KEY")
    assert not server.requests
    with pytest.raises(OptionError, match="name of an environment variable") as failure:
        connected(server, tmp_path, key_env="sk-planted")
    assert "sk-planted" not in str(failure.value)


def test_a_key_with_a_line_break(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKSHOP_KEY", "planted\nX-Other: header")
    with pytest.raises(OptionError, match="WORKSHOP_KEY holds no key") as failure:
        connected(server, tmp_path, key_env="WORKSHOP_KEY")
    assert "planted" not in str(failure.value)


def test_an_unloaded_model(model: RemoteModel) -> None:
    assert [model.is_loaded, model.unload(), model.is_loaded] == [True, 0, False]
    with pytest.raises(FmagicError, match=r"was unloaded\. `%model http://"):
        completed(model, "x")
