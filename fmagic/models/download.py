"""Files of the hub onto this disk: in parallel, resumed, checked, and in place only when whole.

The hub's own client throws away what it had of a file when it is broken off, and its threads outlast
a Stop. So the bytes come through its session here, into its own cache and under its own locks, and
every program that reads that cache finds them. Each file is compared with the digest that the hub
gives for it. Nothing of a model can be seen in the cache before all of it is there.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from fmagic.errors import DownloadError
from fmagic.models.hub_client import (
    bar_class,
    excludes,
    headers,
    lock,
    must_be_good,
    no_answer,
    waiting_time,
)
from fmagic.models.hub_storage import Digest, RemoteFile, Storage, bytes_in, checked_names, unique

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

WORKERS = 8
POLL = 0.1  # seconds between two reports, and between two tries for a lock
LAST_WORD = 2.0  # seconds that a thread has to end after Stop
TRIES = 5  # in a row that bring nothing, before a break is given up
PAUSE = 1.0  # seconds before a broken connection is made again
SHORT_WAIT = 10.0  # seconds that a hub may ask to wait without being an error
NOT_IN_RANGE = 416
PARTIAL = 206
FAULT = 500


class BrokenOffError(Exception):
    """The connection broke and did not come back.

    Attributes:
        reason: what the last try said.
    """

    def __init__(self, reason: Exception) -> None:
        super().__init__(type(reason).__name__)
        self.reason = reason


class _StoppedError(Exception):
    """Another thread failed, or the user pressed Stop."""


def download(
    name: str,
    files: Sequence[RemoteFile],
    *,
    commit: str,
    revision: str,
    doubted: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Bring files of one commit onto this disk and return their folder.

    What earlier tries left is taken up. Two processes that want the same file take turns, and the
    second finds it there.

    Args:
        name: `org/name` of the model.
        files: which, as the hub lists them.
        commit: whose files they are.
        revision: as it was asked for; the cache notes which commit it is.
        doubted: whether to compare files that are on this disk with their digests too.
        progress: called in this thread with bytes on disk and bytes in all: once before the first
            byte is received, then up to ten times a second, then at the end.

    Raises:
        DownloadError: a file came broken twice, or the disk is full.
        BrokenOffError: the connection broke; what was received is kept.
        HfHubHTTPError: the hub refuses a file.
        KeyboardInterrupt: Stop; what was received is kept.
    """
    storage = Storage(name)
    checked_names(name, (file.name for file in files))
    resumable = [file for file in files if file.is_checkable]
    others = [file for file in files if not file.is_checkable]
    total = sum(file.size for file in [*unique(resumable), *others])
    _Fetching(
        name,
        unique(resumable),
        storage=storage,
        commit=commit,
        total=total,
        doubted=doubted,
        progress=progress,
    ).run()
    if others:
        done = total - sum(file.size for file in others)
        _by_client(name, others, commit, bar_class(progress, done, total))
    return storage.place(resumable, commit, revision)


class _Fetching:
    """Several files on their way at once."""

    def __init__(
        self,
        name: str,
        files: Sequence[RemoteFile],
        *,
        storage: Storage,
        commit: str,
        total: int,
        doubted: bool,
        progress: Callable[[int, int], None] | None,
    ) -> None:
        self._doubted = doubted
        self._name, self._storage, self._commit = name, storage, commit
        self._total, self._progress = total, progress
        # The largest first: it takes longest.
        self._queue = deque(sorted(files, key=lambda file: -file.size))
        self._there = {file.digest: storage.kept(file) for file in files}
        self._stop = threading.Event()
        self._ended = threading.Event()
        self._failure: Exception | None = None
        self._open: set[Any] = set()

    def run(self) -> None:
        """Fetch all of them; at a failure or a Stop end at once and keep what is there."""
        for folder in (self._storage.root / "blobs", self._storage.locks):
            folder.mkdir(parents=True, exist_ok=True)
        self._report()
        threads = [
            threading.Thread(target=self._work, name="fmagic-download", daemon=True)
            for _ in range(min(WORKERS, len(self._queue)))
        ]
        try:
            for thread in threads:
                thread.start()
            while any(thread.is_alive() for thread in threads) and self._failure is None:
                self._ended.wait(POLL)
                self._ended.clear()
                self._report()
        finally:
            self._stop.set()
            deadline = time.monotonic() + LAST_WORD
            while any(thread.is_alive() for thread in threads) and time.monotonic() < deadline:
                self._hang_up()
                self._ended.wait(POLL / 10)
                self._ended.clear()
        if self._failure is not None:
            raise self._failure
        self._report()

    def _report(self) -> None:
        if self._progress is not None:
            self._progress(min(sum(self._there.values()), self._total), self._total)

    def _hang_up(self) -> None:
        """Wake the threads that wait for bytes: a read that is going on sees the end of them."""
        for response in list(self._open):
            stream = response.extensions.get("network_stream")
            plug = stream.get_extra_info("socket") if stream is not None else None
            if plug is not None:
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(plug, socket.SHUT_RDWR)

    def _work(self) -> None:
        try:
            while not self._stop.is_set():
                self._bring(self._queue.popleft())
        except (IndexError, _StoppedError):
            pass  # nothing is left to do
        except Exception as error:  # noqa: BLE001 - raised again in the thread that asked
            self._failure = self._failure or error
        finally:
            self._ended.set()

    def _bring(self, file: RemoteFile) -> None:
        blob, part = self._storage.blob(file), self._storage.part(file)
        with self._alone(file):
            for _ in range(2):
                if self._storage.kept(file) == file.size and blob.exists():
                    if not self._doubted or self._is_right(file, blob, Digest(file)):
                        self._there[file.digest] = file.size
                        return
                    blob.unlink()
                digest = Digest(file)
                self._receive(file, part, digest)
                if not excludes(self._storage.locks / f"{file.digest}.lock"):
                    # Others may have written to it too: what is there counts, not what came.
                    digest = Digest(file)
                if self._is_right(file, part, digest):
                    part.replace(blob)
                    return
                part.unlink(missing_ok=True)
                self._there[file.digest] = 0
        raise self._is_broken(file, "its bytes are not those that the hub lists, two times over")

    def _is_broken(self, file: RemoteFile, how: str) -> DownloadError:
        return DownloadError(
            f"{file.name} of {self._name} comes broken from the hub: {how}. It was removed.\n"
            "Run this again later, or from another network: a proxy may change what it passes on."
        )

    @contextlib.contextmanager
    def _alone(self, file: RemoteFile) -> Iterator[None]:
        """Wait until no other process fetches the file, and count what it brings meanwhile."""
        with contextlib.ExitStack() as stack:
            while True:
                try:
                    stack.enter_context(lock(self._storage.locks / f"{file.digest}.lock", POLL))
                    break
                except TimeoutError:
                    self._go_on()
                    self._there[file.digest] = self._storage.kept(file)
            yield

    def _go_on(self) -> None:
        if self._stop.is_set():
            raise _StoppedError

    def _pause(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise _StoppedError

    def _receive(self, file: RemoteFile, part: Path, digest: Digest) -> None:
        """Receive the rest of a file, over as many connections as it takes."""
        from huggingface_hub import errors as hub_errors

        network = no_answer()
        vain = 0
        asked = False
        while True:
            before = bytes_in(part)
            if before > file.size:
                part.unlink()
                before = 0
                if asked:
                    raise self._is_broken(file, f"it does not end after its {file.size:,} bytes")
            asked = True
            self._there[file.digest] = before
            if before == file.size:
                part.touch()  # of nothing, for an empty file
                return
            try:
                self._stream(file, part, before, digest)
                failure: Exception = EOFError("fewer bytes than announced")
            except hub_errors.HfHubHTTPError as error:
                self._bear(error, file, part)
                failure = error
            except network as error:
                failure = error
            self._go_on()
            vain = 0 if bytes_in(part) > before else vain + 1
            if vain >= TRIES:
                raise BrokenOffError(failure)
            if bytes_in(part) < file.size:
                self._pause(PAUSE)

    def _bear(self, error: Any, file: RemoteFile, part: Path) -> None:
        """Return if it makes sense to ask for a file again after such an answer of the hub."""
        status = error.response.status_code
        wait = waiting_time(error)
        if wait is not None and wait <= SHORT_WAIT:
            self._pause(wait)
        elif status == NOT_IN_RANGE:
            part.unlink(missing_ok=True)
            self._there[file.digest] = 0
            raise self._is_broken(file, f"it ends before its {file.size:,} bytes") from None
        elif status < FAULT:
            raise error

    def _stream(self, file: RemoteFile, part: Path, before: int, digest: Digest) -> None:
        from huggingface_hub import constants, get_session, hf_hub_url

        # Compressed bytes cannot be resumed.
        asked = {**headers(), "Accept-Encoding": "identity"}
        if before:
            asked["Range"] = f"bytes={before}-"
        url = hf_hub_url(self._name, file.name, revision=self._commit)
        timeout = constants.HF_HUB_DOWNLOAD_TIMEOUT
        with get_session().stream("GET", url, headers=asked, timeout=timeout) as response:
            self._open.add(response)
            try:
                self._go_on()
                must_be_good(response)
                appends = before and response.status_code == PARTIAL
                there = before if appends else 0
                for _ in digest.catch_up(part, there) if before else ():
                    self._go_on()
                with part.open("ab" if appends else "wb") as out:
                    for chunk in response.iter_bytes():
                        self._go_on()
                        out.write(chunk)
                        digest.add(chunk)
                        there += len(chunk)
                        self._there[file.digest] = min(there, file.size)
                        if there > file.size:
                            return
            except OSError as error:
                if error.errno in (errno.ENOSPC, errno.EDQUOT):
                    raise DownloadError(
                        f"The disk is full: {file.name} of {self._name} did not fit. Remove models "
                        "with `hf cache rm`, or set HF_HOME to a larger disk; what was received is "
                        "kept."
                    ) from None
                raise
            finally:
                self._open.discard(response)

    def _is_right(self, file: RemoteFile, path: Path, digest: Digest) -> bool:
        """Compare a whole file with its digest."""
        for _ in digest.catch_up(path, file.size):
            self._go_on()
        return digest.is_right()


def _by_client(name: str, files: Sequence[RemoteFile], commit: str, bar: type[Any]) -> None:
    """Let the hub's client fetch what cannot be resumed here."""
    from huggingface_hub import snapshot_download

    names = [file.name for file in files]
    snapshot_download(name, revision=commit, allow_patterns=names, tqdm_class=bar)
