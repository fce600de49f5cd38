"""What a result may depend on besides its cell: versions and the state of the code."""

from __future__ import annotations

import math
import platform
import subprocess
import threading
import time
from functools import cache
from importlib import metadata
from typing import TYPE_CHECKING

from fmagic.runs.record import EnvironmentInfo

if TYPE_CHECKING:
    from pathlib import Path

_PACKAGES = ("fmagic", "torch", "transformers", "bitsandbytes", "peft")
_GIT_SECONDS = 0.5
FRESH_SECONDS = 2.0
# Nothing that a repository configures may run: the notebook may lie in a stranger's folder.
_GIT = ("git", "--no-optional-locks", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=")
_DIRTY = ("diff", "--quiet", "--no-ext-diff", "--no-textconv", "--ignore-submodules", "HEAD", "--")


def environment(device_name: str | None = None, *, folder: Path | None = None) -> EnvironmentInfo:
    """Return the versions that are installed, without importing them, and the commit.

    Args:
        device_name: what the work runs on, `NVIDIA H200`.
        folder: whose commit is meant; by default the working folder. Outside of a repository, or
            without git, the commit is `None`; `git_dirty` is also `None` in a repository so large
            that git does not answer within half a second.
    """
    commit = _commit(folder)
    return EnvironmentInfo(
        python=platform.python_version(),
        device_name=device_name,
        git_commit=commit,
        git_dirty=_is_dirty(folder) if commit else None,
        **{name: _version(name) for name in _PACKAGES},
    )


class Surroundings:
    """The environment of the runs of one session, looked up beside them.

    What was found holds for two seconds: runs may follow each other faster than git answers.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._found: EnvironmentInfo | None = None
        self._looked = -math.inf
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to look, in a thread, if that was not done just now."""
        if time.monotonic() - self._looked < FRESH_SECONDS:
            return
        if self._thread is None or not self._thread.is_alive():
            self._found = None
            self._thread = threading.Thread(target=self._look, name="fmagic-environment")
            self._thread.daemon = True
            self._thread.start()

    def get(self, device_name: str | None = None, *, wait_seconds: float = 0.05) -> EnvironmentInfo:
        """Return what was found, after waiting for it at most `wait_seconds`.

        A run that ends before git has answered is recorded without the commit.
        """
        if self._thread is None:
            self.start()
        assert self._thread is not None
        self._thread.join(wait_seconds)
        found = self._found or EnvironmentInfo(python=platform.python_version())
        return found.model_copy(update={"device_name": device_name})

    def _look(self) -> None:
        self._found = environment(folder=self._folder)
        self._looked = time.monotonic()


@cache
def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _commit(folder: Path | None) -> str | None:
    done = _git(folder, "rev-parse", "--verify", "HEAD")
    return done.stdout.strip() or None if done and done.returncode == 0 else None


def _is_dirty(folder: Path | None) -> bool | None:
    done = _git(folder, *_DIRTY)
    return bool(done.returncode) if done and done.returncode in (0, 1) else None


def _git(folder: Path | None, *arguments: str) -> subprocess.CompletedProcess[str] | None:
    try:
        return subprocess.run(  # noqa: S603 - constant arguments, no shell
            [*_GIT, *arguments],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_GIT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
