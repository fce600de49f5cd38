"""A server on loopback that speaks the OpenAI protocol, and misbehaves when told to.

What it does with a request is a function of `Exchange`; those here are what real servers do on bad
days. Without one it answers well: a chat gets back its last message in capitals.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Mapping

MODEL = "org/echo"
PATIENCE = 30  # seconds until a test gives up
START = 240  # and for a server that has to load torch


@dataclass
class Exchange:
    """One request and the connection that waits for the answer."""

    path: str
    headers: Mapping[str, str]
    body: dict[str, Any]
    server: Server
    handler: BaseHTTPRequestHandler = field(repr=False)

    @property
    def said(self) -> str:
        """The last message of a chat."""
        return str(self.body["messages"][-1]["content"])

    def json(self, content: Any, status: int = 200, **headers: str) -> None:
        """Answer with JSON."""
        self.raw(json.dumps(content).encode(), status, "application/json", **headers)

    def raw(
        self, content: bytes, status: int = 200, kind: str = "text/html", **headers: str
    ) -> None:
        """Answer with bytes."""
        self.handler.send_response(status)
        self.handler.send_header("Content-Type", kind)
        self.handler.send_header("Content-Length", str(len(content)))
        for name, value in headers.items():
            self.handler.send_header(name.replace("_", "-"), value)
        self.handler.end_headers()
        self.handler.wfile.write(content)

    def stream(self) -> None:
        """Begin an event stream."""
        self.handler.send_response(200)
        self.handler.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.handler.send_header("Transfer-Encoding", "chunked")
        self.handler.end_headers()

    def send(self, piece: bytes) -> None:
        """Send a piece of a stream, as a chunk of its own."""
        self.handler.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        self.handler.wfile.flush()

    def event(self, content: Any) -> None:
        """Send an object of a stream."""
        self.send(event(content))

    def end(self) -> None:
        """End a stream as it should end."""
        self.send(b"data: [DONE]\n\n")
        self.handler.wfile.write(b"0\r\n\r\n")

    def break_off(self) -> None:
        """Cut the connection in the middle of whatever goes on."""
        self.handler.wfile.flush()
        self.handler.close_connection = True
        self.handler.connection.shutdown(socket.SHUT_RDWR)

    def hang(self) -> None:
        """Say nothing until the client has gone, or the server ends."""
        self.server.hanging.release()
        while not self.server.ended.is_set():
            try:
                self.handler.connection.settimeout(0.05)
                if not self.handler.connection.recv(1):
                    break
            except TimeoutError:
                continue
            except OSError:
                break
        self.server.left.release()
        self.handler.close_connection = True


def event(content: Any) -> bytes:
    """Return an event as bytes."""
    return b"data: " + json.dumps(content, ensure_ascii=False).encode() + b"\n\n"


def chunk(text: str | None, finish: str | None = None) -> dict[str, Any]:
    """Return an object of a chat's stream."""
    return {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}]}


def usage(read: int, written: int) -> dict[str, Any]:
    """Return the object that ends a stream."""
    return {
        "choices": [],
        "usage": {"prompt_tokens": read, "completion_tokens": written},
    }


def answer(text: str | None = None, *, counted: bool = True, done: bool = True) -> Any:
    """Return a behaviour: stream a text, by default what was said in capitals."""

    def behave(exchange: Exchange) -> None:
        said = exchange.said.upper() if text is None else text
        half = len(said) // 2
        if not exchange.body.get("stream"):
            exchange.json({"choices": [{"message": {"content": said}, "finish_reason": "stop"}]})
            return
        exchange.stream()
        exchange.event(chunk(said[:half]))
        exchange.event(chunk(said[half:]))
        exchange.event(chunk(None, "stop"))
        if counted:
            exchange.event(usage(len(exchange.said.split()), len(said.split())))
        if done:
            exchange.end()
        else:
            exchange.handler.wfile.write(b"0\r\n\r\n")

    return behave


def refuse(status: int, words: Any = "no", **headers: str) -> Any:
    """Return a behaviour: answer with an error."""
    return lambda exchange: exchange.json({"error": {"message": words}}, status, **headers)


def pieces(*parts: bytes, broken: bool = False) -> Any:
    """Return a behaviour: stream these bytes, and cut the connection if `broken`."""

    def behave(exchange: Exchange) -> None:
        exchange.stream()
        for part in parts:
            exchange.send(part)
        if broken:
            exchange.break_off()
        else:
            exchange.handler.wfile.write(b"0\r\n\r\n")

    return behave


def hang(exchange: Exchange) -> None:
    """Behave so: accept the request and say nothing."""
    exchange.hang()


def hang_after(*parts: bytes) -> Any:
    """Return a behaviour: begin a stream, and then say nothing more."""

    def behave(exchange: Exchange) -> None:
        exchange.stream()
        for part in parts:
            exchange.send(part)
        exchange.hang()

    return behave


def vectors(exchange: Exchange) -> None:
    """Behave so: a vector for each text, in the wrong order."""
    texts = exchange.body["input"]
    data = [{"index": i, "embedding": [float(len(t)), 1.0, 0.0]} for i, t in enumerate(texts)]
    count = sum(len(text.split()) for text in texts)
    exchange.json({"data": data[::-1], "usage": {"prompt_tokens": count}})


class Server:
    """The server; a context that ends it.

    Attributes:
        models: what it lists, as `(name, owner)`.
        script: behaviours for the next chats, one each; then `usual`.
        usual: the behaviour of a good day.
        requests: what it was asked, in order.
        hanging: released once for each request that hangs.
        left: released once for each client that went while it hung.
        most_at_once: the most chats that were open together.
    """

    def __init__(self) -> None:
        self.models: list[tuple[str, str]] = [(MODEL, "somebody")]
        self.script: deque[Any] = deque()
        self.usual: Any = answer()
        self.routes: dict[str, Any] = {"/v1/embeddings": vectors}
        self.requests: list[Exchange] = []
        self.hanging = threading.Semaphore(0)
        self.left = threading.Semaphore(0)
        self.ended = threading.Event()
        self.most_at_once = 0
        self._open = 0
        self._lock = threading.Lock()
        self._connections: set[socket.socket] = set()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                outer._connections.add(self.connection)

            def log_message(self, *_: object) -> None:
                """Keep the tests' output clean."""

            def do_GET(self) -> None:
                outer._take(self, {})

            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                outer._take(self, json.loads(self.rfile.read(length) or b"{}"))

        class Quiet(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

            def handle_error(self, *_: object) -> None:
                """A client that leaves is no news."""

        self._http = Quiet(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def host(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self._http.server_address[1]}"

    @property
    def url(self) -> str:
        """Address of the API."""
        return f"http://{self.host}/v1"

    @property
    def spec(self) -> str:
        """What `%model` takes."""
        return f"{self.url}#{MODEL}"

    @property
    def chats(self) -> list[Exchange]:
        """The chats among the requests."""
        return [each for each in self.requests if each.path == "/v1/chat/completions"]

    def kill(self) -> None:
        """End at once: no new connections, and all that stand are cut."""
        if self.ended.is_set():
            return
        self.ended.set()
        self._http.shutdown()
        self._http.server_close()
        for connection in list(self._connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
        self._thread.join(PATIENCE)

    def _take(self, handler: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        exchange = Exchange(handler.path, dict(handler.headers), body, self, handler)
        is_chat = handler.path == "/v1/chat/completions"
        with self._lock:
            self.requests.append(exchange)
            self._open += is_chat
            self.most_at_once = max(self.most_at_once, self._open)
            behave = self._behaviour(handler.path)
        try:
            behave(exchange)
        except (BrokenPipeError, ConnectionResetError):
            handler.close_connection = True
        finally:
            with self._lock:
                self._open -= is_chat

    def _behaviour(self, path: str) -> Any:
        if path in self.routes:
            return self.routes[path]
        if path == "/v1/models":
            listed = [{"id": name, "owned_by": owner} for name, owner in self.models]
            return lambda exchange: exchange.json({"object": "list", "data": listed})
        if path == "/v1/chat/completions":
            return self.script.popleft() if self.script else self.usual
        return lambda exchange: exchange.raw(b"<h1>Nothing here</h1>", 404)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


class RealServer:
    """`transformers serve` with a model of ours, as a process of its own; a context that ends it.

    Args:
        folder: of the model.
        cache: an empty folder for its cache.
    """

    def __init__(self, folder: Path, cache: Path) -> None:
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.host = f"127.0.0.1:{probe.getsockname()[1]}"
        self._log = (cache / "log.txt").open("w")
        command = [
            *(sys.executable, "-m", "transformers.cli.transformers", "serve", str(folder)),
            *("--host", "127.0.0.1", "--port", self.host.rpartition(":")[2], "--device", "cpu"),
        ]
        environment = {**os.environ, "HF_HUB_CACHE": str(cache), "HF_HUB_OFFLINE": "1"}
        self.process = subprocess.Popen(
            command, env=environment, stdout=self._log, stderr=subprocess.STDOUT
        )

    @property
    def spec(self) -> str:
        """What `%model` takes."""
        return f"http://{self.host}/v1#{self.folder}"

    def kill(self) -> None:
        """End the process without a word to it."""
        self.process.kill()
        self.process.wait(PATIENCE)

    def __enter__(self) -> Self:
        deadline = time.monotonic() + START
        while time.monotonic() < deadline:
            try:
                urllib.request.urlopen(f"http://{self.host}/health", timeout=5).close()
            except OSError:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.process.wait(0.1)
                    break  # it has ended
                continue
            return self
        self.__exit__()
        raise AssertionError(Path(self._log.name).read_text())

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._log.close()
