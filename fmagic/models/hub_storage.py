"""The place of a model in the hub's cache on this disk, and the files that go there."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from fmagic.errors import DownloadError, ModelError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LARGEST_BY_HTTP = 50_000_000_000  # bytes; the hub gives larger files through Xet alone
SPARE_DISK = 200_000_000  # bytes to leave free
CHUNK = 1 << 20  # bytes that are read at once
SHA256_LETTERS = 64
DIGEST = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file of a repository.

    Attributes:
        name: with its folders.
        size: in bytes.
        digest: sha256 of a large file (Git LFS), Git's sha1 of a small one; empty if the hub does
            not say.
    """

    name: str
    size: int
    digest: str

    @property
    def is_checkable(self) -> bool:
        """Whether it can be resumed and checked here."""
        return DIGEST.fullmatch(self.digest) is not None and self.size <= LARGEST_BY_HTTP


class Digest:
    """The digest of a file as far as it has come.

    Args:
        file: as the hub lists it.
    """

    def __init__(self, file: RemoteFile) -> None:
        self._file = file
        self._count = 0
        self._begin()

    def _begin(self) -> None:
        self._count = 0
        if len(self._file.digest) == SHA256_LETTERS:
            self._hash = hashlib.sha256()
        else:
            # What Git calls a blob: a head, then the bytes.
            head = b"blob %d\0" % self._file.size
            self._hash = hashlib.sha1(head, usedforsecurity=False)

    def add(self, chunk: bytes) -> None:
        """Take the next bytes."""
        self._hash.update(chunk)
        self._count += len(chunk)

    def catch_up(self, path: Path, size: int) -> Iterator[None]:
        """Take the bytes of a file up to `size` that were not taken yet; yield now and then."""
        if self._count > size:
            self._begin()
        with path.open("rb") as stream:
            stream.seek(self._count)
            while self._count < size and (chunk := stream.read(min(CHUNK, size - self._count))):
                self.add(chunk)
                yield

    def is_right(self) -> bool:
        """Whether these are the bytes that the hub lists."""
        return self._hash.hexdigest() == self._file.digest


class Storage:
    """The place of one model in the hub's cache.

    Its layout is https://huggingface.co/docs/huggingface_hub/guides/manage-cache: `blobs` holds
    files by their digest, `snapshots/COMMIT` links to them by their names, and `refs` holds the
    commit of each branch.

    Args:
        name: `org/name` of the model.
    """

    def __init__(self, name: str) -> None:
        from huggingface_hub import constants
        from huggingface_hub.file_download import repo_folder_name

        folder = repo_folder_name(repo_id=name, repo_type="model")
        cache = Path(constants.HF_HUB_CACHE)
        self.root = cache / folder
        self.locks = cache / ".locks" / folder

    def blob(self, file: RemoteFile) -> Path:
        """Return where the whole file is, or will be."""
        return self.root / "blobs" / file.digest

    def part(self, file: RemoteFile) -> Path:
        """Return where a file is while it is not whole."""
        return self.root / "blobs" / f"{file.digest}.incomplete"

    def kept(self, file: RemoteFile) -> int:
        """Return how many bytes of a file are on this disk."""
        if not file.is_checkable:
            return 0
        if bytes_in(self.blob(file)) == file.size and self.blob(file).exists():
            return file.size
        return min(bytes_in(self.part(file)), file.size)

    def has_parts(self) -> bool:
        """Whether a fetching was broken off here."""
        return any(self.root.glob("blobs/*.incomplete"))

    def place(self, files: Iterable[RemoteFile], commit: str, revision: str) -> Path:
        """Make whole files visible under their names, and note the commit of the revision."""
        snapshot = self.root / "snapshots" / commit
        snapshot.mkdir(parents=True, exist_ok=True)
        for file in files:
            pointer = snapshot.joinpath(*PurePosixPath(file.name).parts)
            pointer.parent.mkdir(parents=True, exist_ok=True)
            # Another process may place it at this moment.
            with contextlib.suppress(FileExistsError):
                _link(self.blob(file), pointer)
        if revision != commit:
            ref = self.root / "refs" / revision
            ref.parent.mkdir(parents=True, exist_ok=True)
            new = ref.with_name(f"{ref.name}.{os.getpid()}.new")
            new.write_text(commit, encoding="ascii")
            new.replace(ref)
        return snapshot


def lacks(name: str, snapshot: Path, file: str) -> bool:
    """Tell whether it is known that a commit has no such file."""
    return (Storage(name).root / ".no_exist" / snapshot.name / file).exists()


def note_lacking(name: str, snapshot: Path, files: Iterable[str]) -> None:
    """Note which files a commit does not have, where the hub's client notes it too."""
    folder = Storage(name).root / ".no_exist" / snapshot.name
    with contextlib.suppress(OSError):  # then it is asked for again
        for file in files:
            if not (snapshot / file).exists():
                folder.mkdir(parents=True, exist_ok=True)
                (folder / file).touch()


def checked_names(name: str, files: Iterable[str]) -> None:
    """Refuse names that would leave the model's folder.

    Raises:
        ModelError: there is one.
    """
    for file in files:
        path = PurePosixPath(file)
        if path.is_absolute() or ".." in path.parts or "\\" in file or ":" in file:
            raise ModelError(
                f"{name} has a file called {file!r}, which would land outside its folder. "
                "Nothing was fetched; do not trust this model."
            )


def must_have_room(name: str, files: Iterable[RemoteFile]) -> None:
    """Refuse what does not fit on the disk; what is there already counts.

    Raises:
        DownloadError: too little is free.
    """
    from huggingface_hub import constants

    from fmagic.views import size

    storage = Storage(name)
    files = unique(files)
    kept = sum(storage.kept(file) for file in files)
    needed = sum(file.size for file in files) - kept
    folder = Path(constants.HF_HUB_CACHE)
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if needed + SPARE_DISK > free:
        there = f" besides the {size(kept)} that are here already" if kept else ""
        raise DownloadError(
            f"{name} takes {size(needed)} of disk{there}, and {size(free)} are free in its cache "
            f"({size(SPARE_DISK)} stay free). Remove models with `hf cache rm`, or set HF_HOME to a "
            "larger disk."
        )


def unique(files: Iterable[RemoteFile]) -> list[RemoteFile]:
    """Return the files without those of the same bytes: the cache holds them once."""
    return list({file.digest or file.name: file for file in files}.values())


def bytes_in(path: Path) -> int:
    """Return the size of a file, 0 if there is none."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _link(blob: Path, pointer: Path) -> None:
    if pointer.exists():
        return
    try:
        pointer.symlink_to(os.path.relpath(blob, pointer.parent))
    except FileExistsError:
        # A link to a blob that somebody removed, and that is there again by now.
        raise
    except OSError:
        # Windows without the right to make links.
        try:
            os.link(blob, pointer)
        except OSError:
            shutil.copy2(blob, pointer)
