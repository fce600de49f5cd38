"""A stand-in for the Hugging Face Hub on loopback, which can misbehave.

It speaks what the real client (`huggingface_hub`) speaks: the interface under `/api`, files under
`/NAME/resolve/REVISION/FILE` with the heads that the client reads, and large files from a second
address, as the real hub gives them from its content network.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import threading
from dataclasses import dataclass, field
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qs, quote, unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType

LARGE = 1000  # bytes from which a file is kept as the real hub keeps weights (Git LFS)
CHUNK = 1 << 14
MAIN = "main"


@dataclass
class Mood:
    """How the hub misbehaves.

    Attributes:
        kind: `status`, `cut` (closes in the middle), `corrupt` (right length, one wrong byte),
            `truncated` (a file that is shorter than listed), `stall` (falls silent in the middle),
            `slow` (waits for `release` before the rest), `no-range` (always sends from the start).
        where: part of the path for which it holds.
        times: for so many requests; `None` for all.
        status: of an answer, with its heads.
        after: share of the bytes that are sent well.
    """

    kind: str
    where: str = ""
    times: int | None = None
    status: int = 500
    heads: Mapping[str, str] = field(default_factory=dict)
    after: float = 0.5


@dataclass(frozen=True)
class Asked:
    """A request, as it came."""

    method: str
    path: str
    authorization: str | None
    range: str | None
    content_network: bool


@dataclass
class Repository:
    """A model of the hub."""

    name: str
    commits: dict[str, dict[str, bytes]]
    branches: dict[str, str]
    tags: dict[str, str]
    gated: bool
    private: bool
    licence: str
    task: str
    downloads: int

    def commit(self, revision: str) -> str | None:
        """Return the commit of a branch, a tag or a commit."""
        found = self.branches.get(revision) or self.tags.get(revision)
        return found or (revision if revision in self.commits else None)


class Hub:
    """The server; `with Hub() as hub:` runs it.

    Attributes:
        asked: all requests so far.
        moods: how it misbehaves; the first that fits a request holds.
        tokens: those that it knows, each with the gated or private models that it may read.
        release: set to let `slow` and `stall` answers go on.
        flowing: set when a `slow`, `stall` or `cut` answer has sent its first part.
    """

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.asked: list[Asked] = []
        self.moods: list[Mood] = []
        self.tokens: dict[str, set[str]] = {}
        self.release = threading.Event()
        self.flowing = threading.Event()
        self.lock = threading.Lock()
        self._news = threading.Condition()
        self._servers = [ThreadingHTTPServer(("127.0.0.1", 0), _handler(self, c)) for c in (0, 1)]
        for server in self._servers:
            server.daemon_threads = True
        self.url, self.content_url = (f"http://127.0.0.1:{s.server_port}" for s in self._servers)

    def __enter__(self) -> Self:
        for server in self._servers:
            # Looked at often, so that it closes at once.
            threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        stack: TracebackType | None,
    ) -> None:
        self.release.set()
        for server in self._servers:
            server.shutdown()
            server.server_close()

    def add(
        self,
        name: str,
        folder: Path | None = None,
        *,
        files: Mapping[str, bytes] | None = None,
        gated: bool = False,
        private: bool = False,
        tags: tuple[str, ...] = (),
        licence: str = "apache-2.0",
        task: str = "text-generation",
        downloads: int = 10,
    ) -> str:
        """Add a model, or a new commit on its main branch; return the commit."""
        content: dict[str, bytes] = {}
        if folder is not None:
            paths = sorted(each for each in folder.rglob("*") if each.is_file())
            content = {each.relative_to(folder).as_posix(): each.read_bytes() for each in paths}
        content |= files or {}
        old = self.repositories.get(name)
        count = len(old.commits) if old else 0
        commit = hashlib.sha1(f"{name} {count}".encode(), usedforsecurity=False).hexdigest()
        if old is None:
            old = Repository(name, {}, {}, {}, gated, private, licence, task, downloads)
            self.repositories[name] = old
        old.commits[commit] = content
        old.branches[MAIN] = commit
        old.tags |= dict.fromkeys(tags, commit)
        return commit

    def bytes_of(self, name: str) -> int:
        """Return the size of a model's files on its main branch."""
        repository = self.repositories[name]
        files = repository.commits[repository.branches[MAIN]]
        return sum(len(content) for content in files.values())

    def misbehave(self, kind: str, where: str = "", **others: Any) -> None:
        """Be in a mood from now on."""
        self.moods.append(Mood(kind, where, **others))

    def refuse(self, status: int, where: str = "", times: int | None = None, **heads: str) -> None:
        """Answer with an error; `Retry_After="3"` is a head."""
        named = {key.replace("_", "-"): value for key, value in heads.items()}
        self.moods.append(Mood("status", where, times, status, named))

    def mood(self, path: str, kinds: tuple[str, ...]) -> Mood | None:
        """Return the mood for a request, and count it."""
        with self.lock:
            for mood in self.moods:
                if mood.kind in kinds and mood.where in path and mood.times != 0:
                    if mood.times is not None:
                        mood.times -= 1
                    return mood
        return None

    def note(self, asked: Asked) -> None:
        """Take down a request."""
        with self._news:
            self.asked.append(asked)
            self._news.notify_all()

    def wait_for(self, count: int, part: str) -> bool:
        """Wait until so many requests had this part in their path; tell whether they came."""
        with self._news:
            return self._news.wait_for(
                lambda: sum(part in each.path for each in self.asked) >= count, timeout=60
            )

    def gets(self, part: str) -> list[Asked]:
        """Return the requests for the bytes of files whose path has this part."""
        return [
            each
            for each in self.asked
            if each.method == "GET" and part in each.path and not each.path.startswith("/api")
        ]


@lru_cache(maxsize=256)
def digest(content: bytes) -> tuple[str, bool]:
    """Return the ETag of a file, and whether it is a large one."""
    if len(content) >= LARGE:
        return hashlib.sha256(content).hexdigest(), True
    head = b"blob %d\0" % len(content)
    return hashlib.sha1(head + content, usedforsecurity=False).hexdigest(), False


def stored_values(files: Mapping[str, bytes]) -> dict[str, int]:
    """Return how many values of each type the weights hold; what cannot be read is left out."""
    counts: dict[str, int] = {}
    for name, content in files.items():
        if not name.endswith(".safetensors"):
            continue
        try:
            head = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        except ValueError:
            continue
        for key, each in head.items():
            if key != "__metadata__":
                counts[each["dtype"]] = counts.get(each["dtype"], 0) + math.prod(each["shape"])
    return counts


def _handler(hub: Hub, content_network: int) -> type[BaseHTTPRequestHandler]:
    class Handler(_Handler):
        pass

    Handler.hub, Handler.content_network = hub, bool(content_network)
    return Handler


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    content_network: bool
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        self.answer()

    def answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        asked = Asked(
            self.command,
            self.path,
            self.headers.get("Authorization"),
            self.headers.get("Range"),
            self.content_network,
        )
        self.hub.note(asked)
        mood = self.hub.mood(path, ("status",))
        if mood is not None:
            self.error(mood.status, "a bad mood", **mood.heads)
        elif self.content_network:
            self.content(path)
        elif not self.token_is_good():
            self.error(401, "Invalid credentials in Authorization header")
        elif path == "/api/models":
            self.search()
        elif path.startswith("/api/models/"):
            self.describe(path.removeprefix("/api/models/"))
        elif match := re.fullmatch(r"/(.+?)/resolve/([^/]+)/(.+)", path):
            self.file(*match.groups())
        else:
            self.error(404, "Sorry, we can't find the page you are looking for.")

    def token(self) -> str | None:
        given = self.headers.get("Authorization")
        return given.removeprefix("Bearer ") if given else None

    def token_is_good(self) -> bool:
        return self.token() is None or self.token() in self.hub.tokens

    def may_read(self, name: str) -> bool:
        return name in self.hub.tokens.get(self.token() or "", ())

    def repository(self, name: str) -> Repository | None:
        """Return a model that may be known, or answer as the real hub does."""
        found = self.hub.repositories.get(name)
        if found is not None and (not found.private or self.may_read(name)):
            return found
        if self.token() is None:
            self.error(401, "Invalid username or password.")
        else:
            self.error(404, "Repository not found", X_Error_Code="RepoNotFound")
        return None

    def search(self) -> None:
        asked = parse_qs(urlsplit(self.path).query)
        words = asked.get("search", [""])[0].lower().split()
        task = asked.get("pipeline_tag", [None])[0]
        found = [
            each
            for each in self.hub.repositories.values()
            if not each.private
            and all(word in each.name.lower() for word in words)
            and task in (None, each.task)
        ]
        found.sort(key=lambda each: -each.downloads)
        shown = [self.card(each) for each in found[: int(asked.get("limit", ["100"])[0])]]
        self.json([{k: v for k, v in each.items() if k != "siblings"} for each in shown])

    def describe(self, path: str) -> None:
        name, _, rest = path.partition("/")
        second, _, rest = rest.partition("/")
        repository = self.repository(f"{name}/{second}")
        if repository is None:
            return
        if rest == "refs":
            kinds = {"branches": repository.branches, "tags": repository.tags}
            listed: dict[str, Any] = {
                kind: [
                    {"name": n, "ref": f"refs/{kind}/{n}", "targetCommit": c}
                    for n, c in each.items()
                ]
                for kind, each in kinds.items()
            }
            self.json({**listed, "converts": []})
            return
        what, _, revision = rest.partition("/")
        commit = repository.commit(revision or MAIN)
        if commit is None:
            self.error(404, f"Invalid rev id: {revision}", X_Error_Code="RevisionNotFound")
        elif what in ("", "revision"):
            self.json(self.card(repository, commit))
        elif what == "tree":
            self.json(self.tree(repository, commit))
        else:
            self.error(404, "Not Found")

    def card(self, repository: Repository, commit: str | None = None) -> dict[str, Any]:
        commit = commit or repository.branches[MAIN]
        files = repository.commits[commit]
        # The model type of config.json is a tag.
        types = re.findall(rb'"model_type": "(\w+)"', files.get("config.json", b""))
        tags = ["transformers", "safetensors", *(each.decode() for each in types)]
        card = {
            "id": repository.name,
            "modelId": repository.name,
            "sha": commit,
            "private": repository.private,
            "gated": "manual" if repository.gated else False,
            "downloads": repository.downloads,
            "pipeline_tag": repository.task,
            "tags": [*tags, f"license:{repository.licence}"],
            "siblings": [self.sibling(name, content) for name, content in files.items()],
        }
        if counts := stored_values(files):
            card["safetensors"] = {"parameters": counts, "total": sum(counts.values())}
        return card

    def sibling(self, name: str, content: bytes) -> dict[str, Any]:
        if "blobs" not in parse_qs(urlsplit(self.path).query):
            return {"rfilename": name}
        etag, large = digest(content)
        listed: dict[str, Any] = {"rfilename": name, "size": len(content), "blobId": etag}
        if large:
            listed["blobId"] = hashlib.sha1(etag.encode(), usedforsecurity=False).hexdigest()
            listed["lfs"] = {"sha256": etag, "size": len(content), "pointerSize": 135}
        return listed

    def tree(self, repository: Repository, commit: str) -> list[dict[str, Any]]:
        listed = []
        for name, content in repository.commits[commit].items():
            etag, large = digest(content)
            entry: dict[str, Any] = {"type": "file", "path": name, "size": len(content)}
            entry["oid"] = etag[:40]
            if large:
                entry["lfs"] = {"oid": etag, "size": len(content), "pointerSize": 135}
            listed.append(entry)
        return listed

    def file(self, name: str, revision: str, file: str) -> None:
        repository = self.repository(name)
        if repository is None:
            return
        if repository.gated and not self.may_read(name):
            status = 401 if self.token() is None else 403
            self.error(status, f"Access to model {name} is restricted.", X_Error_Code="GatedRepo")
            return
        commit = repository.commit(revision)
        if commit is None:
            self.error(404, f"Invalid rev id: {revision}", X_Error_Code="RevisionNotFound")
            return
        content = repository.commits[commit].get(file)
        if content is None:
            self.error(404, "Entry not found", X_Error_Code="EntryNotFound")
            return
        etag, large = digest(content)
        heads = {"X-Repo-Commit": commit, "ETag": f'"{etag}"'}
        if not large:
            self.send(content, heads)
            return
        heads |= {
            "X-Linked-Etag": f'"{etag}"',
            "X-Linked-Size": str(len(content)),
            "Location": f"{self.hub.content_url}/{quote(name)}/{commit}/{quote(file)}",
            "Content-Length": "0",
        }
        self.send_response(302)
        for key, value in heads.items():
            self.send_header(key, value)
        self.end_headers()

    def content(self, path: str) -> None:
        org, name, commit, file = path.lstrip("/").split("/", 3)
        self.send(self.hub.repositories[f"{org}/{name}"].commits[commit][file], {})

    def send(self, content: bytes, heads: Mapping[str, str]) -> None:
        path = unquote(urlsplit(self.path).path)
        kinds = ("cut", "corrupt", "truncated", "endless", "stall", "slow", "no-range")
        mood = self.hub.mood(path, kinds) if self.command == "GET" else None
        kind = mood.kind if mood is not None else ""
        share = mood.after if mood is not None else 1.0
        if kind == "corrupt":
            place = int(len(content) * share)
            wrong = bytes([content[place] ^ 0xFF])
            content = content[:place] + wrong + content[place + 1 :]
        if kind == "truncated":
            content = content[: int(len(content) * share)]
        if kind == "endless":  # a page of its own, whatever was asked for
            content = content + b"<html>" * 100_000
        start, end = self.span(len(content)) if kind != "no-range" else (0, len(content))
        if start >= end and content:
            self.error(416, "Range Not Satisfiable", Content_Range=f"bytes */{len(content)}")
            return
        status = 206 if self.headers.get("Range") and kind != "no-range" else 200
        self.send_response(status)
        for key, value in heads.items():
            self.send_header(key, value)
        if status == 206:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(content)}")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(end - start))
        self.end_headers()
        if self.command == "GET":
            self.body(content[start:end], kind, share)

    def span(self, size: int) -> tuple[int, int]:
        """Return which bytes are asked for."""
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        if asked is None:
            return 0, size
        return int(asked[1]), min(int(asked[2]) + 1, size) if asked[2] else size

    def body(self, content: bytes, kind: str, share: float) -> None:
        broken = kind in ("cut", "stall", "slow")
        middle = int(len(content) * share) if broken else len(content)
        self.write(content[:middle])
        if broken:
            self.hub.flowing.set()
        if kind == "cut":
            self.close_connection = True
            return
        if kind in ("stall", "slow"):
            self.hub.release.wait(60)
            self.write(content[middle:])

    def write(self, content: bytes) -> None:
        try:
            for place in range(0, len(content), CHUNK):
                self.wfile.write(content[place : place + CHUNK])
            self.wfile.flush()
        except OSError:
            self.close_connection = True  # whoever asked has gone

    def json(self, value: Any) -> None:
        content = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.write(content)

    def error(self, status: int, message: str, **heads: str) -> None:
        content = json.dumps({"error": message}).encode()
        self.send_response(status)
        self.send_header("X-Error-Message", message)
        for key, value in heads.items():
            self.send_header(key.replace("_", "-"), value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.write(content)
