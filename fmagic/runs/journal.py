"""The journal: one append-only file of JSON lines for each kernel."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import socket
import warnings
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fmagic.errors import FmagicWarning
from fmagic.runs.identity import utc_now
from fmagic.runs.limits import to_bytes
from fmagic.runs.reading import Skips, bulk, from_json, merge

if TYPE_CHECKING:
    from fmagic.runs.record import RunRecord

_STAMP = "%Y%m%dT%H%M%S"
_NAME = re.compile(
    r"(?P<stamp>\d{8}T\d{6})-(?P<place>[0-9a-f]{8})-(?P<host>[0-9a-f]{8})-(?P<pid>\d+)-[0-9a-f]{8}"
)
_HEAD = re.compile(
    rb'\{"schema":"fmagic\.run/1","id":"([0-9a-f-]{36})","kind":"[a-z_-]+","status":"[a-z]+"'
)
# The clock of process starts is kept from the boot and may be off by as much.
_CLOCK_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Kernel:
    """Who writes a journal: told by its file's name, so that a reader need not open it.

    Attributes:
        started: when the journal was made, in UTC.
        place: digest of the working folder: notebooks in two folders may have one name.
        host: digest of the machine's name, on which alone the process id has a meaning.
        pid: the process.
    """

    started: datetime
    place: str
    host: str
    pid: int

    @classmethod
    def here(cls) -> Kernel:
        """Return this process."""
        try:
            working = place_of(Path.cwd())
        except FileNotFoundError:  # it was deleted under the kernel
            working = _digest("")
        return cls(utc_now(), working, _digest(socket.gethostname()), os.getpid())

    @classmethod
    def of(cls, file: Path) -> Kernel | None:
        """Return the writer of a journal file; `None` if the name does not tell."""
        match = _NAME.fullmatch(file.stem)
        if match is None:
            return None
        try:
            started = datetime.strptime(match["stamp"], _STAMP).replace(tzinfo=UTC)
        except ValueError:
            return None
        return cls(started, match["place"], match["host"], int(match["pid"]))

    def file_name(self) -> str:
        """Return a name for this kernel's file, new at each call."""
        stamp = self.started.strftime(_STAMP)
        return f"{stamp}-{self.place}-{self.host}-{self.pid}-{secrets.token_hex(4)}.jsonl"

    def is_alive(self) -> bool:
        """Whether the process still runs; one on another machine counts as gone."""
        if self.host != _digest(socket.gethostname()):
            return False
        import psutil

        try:
            process = psutil.Process(self.pid)
            if process.status() == psutil.STATUS_ZOMBIE:  # killed, and nobody has asked yet
                return False
            born: float = process.create_time()
        except psutil.NoSuchProcess:
            return False
        except psutil.AccessDenied:
            return True
        # A process that was born after the journal was given a used process id.
        return born <= self.started.timestamp() + _CLOCK_SECONDS


class Journal:
    """The journal that this process writes.

    A disk that refuses costs one warning and nothing else: the user's cell goes on, and the run
    is still in memory and in the cell's output.

    Attributes:
        folder: where all journals lie.
        path: this process's file. It comes into being with the first record.
    """

    def __init__(self, folder: Path, *, kernel: Kernel | None = None) -> None:
        self.folder = folder
        self.kernel = kernel or Kernel.here()
        self.path = folder / self.kernel.file_name()
        self._warned = False
        self._torn = False

    def append(self, record: RunRecord) -> dict[str, Any]:
        """Write one line, in a single write, to a file that only the user can read.

        Returns:
            The record as it was written, which is `record.dump()`.
        """
        data = record.dump()
        self._write(to_bytes(data) + b"\n")
        return data

    def _write(self, line: bytes) -> None:
        if self._torn:
            line = b"\n" + line
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)
            descriptor = os.open(self.path, flags, 0o600)
            try:
                written = os.write(descriptor, line)
            finally:
                os.close(descriptor)
        except OSError as error:
            self._warn(error.strerror or type(error).__name__)
            return
        self._torn = written < len(line)
        if self._torn:
            self._warn("the disk is full")

    def read(self) -> list[RunRecord]:
        """Return the runs in this process's file, in the order of their start."""
        skips = Skips()
        records = _read_file(self.path, skips) if self.path.exists() else []
        skips.warn("the journal")
        return merge(records)

    def _warn(self, reason: str) -> None:
        if self._warned:
            return
        self._warned = True
        # Where warnings are errors the cell must still not fail over its log.
        with suppress(FmagicWarning):
            warnings.warn(
                f"Runs cannot be written to the journal: {reason}. They are kept in memory and in "
                "the notebook; `%config Fmagic.journal_dir` names another folder.",
                FmagicWarning,
                stacklevel=4,
            )


def place_of(folder: Path) -> str:
    """Return the digest that stands for a working folder in the names of journals."""
    return _digest(os.path.realpath(folder))


def read_folder(
    folder: Path, *, notebook: str | None = None, place: str | None = None
) -> list[RunRecord]:
    """Return the runs of all journals in a folder, in the order of their start.

    Lines that are torn, foreign or of a later version are skipped, with one warning that counts
    them. A run that was going on when its process ended is `interrupted`.

    Args:
        folder: where the journals lie; it need not exist.
        notebook: only runs of a notebook of this name.
        place: only journals of this working folder, see `place_of`.
    """
    skips = Skips()
    found = []
    with bulk():
        for file in sorted(folder.glob("*.jsonl")):
            kernel = Kernel.of(file)
            if place is None or kernel is None or kernel.place == place:
                found.append(_read_file(file, skips, notebook))
    skips.warn("the journal")
    return merge(*found)


def _read_file(file: Path, skips: Skips, notebook: str | None = None) -> list[RunRecord]:
    try:
        content = file.read_bytes()
    except OSError:
        skips.files += 1
        return []
    needle = b"" if notebook is None else b'"notebook":' + to_bytes(notebook)
    records = []
    met: set[bytes] = set()
    # The last line of a run holds. The beginning of a line tells its run, so that those before
    # need not be parsed.
    for line in reversed(content.split(b"\n")):
        head = _HEAD.match(line)
        if head is None and not line.strip():
            continue
        if head is not None and (head[1] in met or needle not in line):
            continue
        record = from_json(line, skips)
        if record is not None:
            if head is not None:
                met.add(head[1])
            if notebook is None or record.notebook == notebook:
                records.append(record)
    return _settle(records[::-1], file)


def _settle(records: list[RunRecord], file: Path) -> list[RunRecord]:
    open_ends = [record for record in records if record.status == "running"]
    if open_ends:
        kernel = Kernel.of(file)
        if kernel is None or not kernel.is_alive():
            for record in open_ends:
                record.status = "interrupted"
    return records


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:8]
