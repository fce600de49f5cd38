from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from importlib import metadata
from typing import TYPE_CHECKING

import pytest

from fmagic.runs import environment as module
from fmagic.runs.environment import Surroundings, environment

if TYPE_CHECKING:
    from pathlib import Path

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q")
    (tmp_path / "a.py").write_text("1")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    return tmp_path


def test_versions_are_those_that_are_installed(tmp_path: Path) -> None:
    found = environment("NVIDIA H200", folder=tmp_path)
    assert found.python == platform.python_version()
    assert found.torch == metadata.version("torch")
    assert found.device_name == "NVIDIA H200"
    assert found.git_commit is None
    assert found.git_dirty is None


def test_a_package_that_is_missing_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    assert module._version("no-such-package-at-all") is None


def test_nothing_heavy_is_imported() -> None:
    code = (
        "import sys; from fmagic.runs.log import RunLog; "
        "from fmagic.runs.environment import environment; environment(); "
        "print([m for m in ('torch', 'transformers', 'pandas', 'numpy', 'nbformat', 'IPython') "
        "if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@needs_git
def test_the_commit_and_whether_the_code_differs_from_it(repository: Path) -> None:
    clean = environment(folder=repository)
    assert clean.git_commit == git(repository, "rev-parse", "HEAD")
    assert clean.git_dirty is False
    (repository / "a.py").write_text("2")
    assert environment(folder=repository).git_dirty is True


@needs_git
def test_a_repository_cannot_run_its_own_programs(repository: Path) -> None:
    trap = repository / "trap.sh"
    trap.write_text(f"#!/bin/sh\ntouch '{repository}/sprung'\n")
    trap.chmod(0o755)
    git(repository, "config", "core.fsmonitor", str(trap))
    git(repository, "config", "diff.external", str(trap))
    (repository / "a.py").write_text("2")
    assert environment(folder=repository).git_dirty is True
    assert not (repository / "sprung").exists()


def test_without_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    found = environment(folder=tmp_path)
    assert (found.git_commit, found.git_dirty) == (None, None)


def test_a_git_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(*_: object, **__: object) -> None:
        raise subprocess.TimeoutExpired("git", 0.5)

    monkeypatch.setattr(subprocess, "run", hang)
    assert environment(folder=tmp_path).git_commit is None


def test_it_is_looked_up_anew_when_it_is_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[Path | None] = []
    monkeypatch.setattr(module, "_commit", calls.append)
    surroundings = Surroundings(tmp_path)
    assert calls == []
    first = surroundings.get("cpu", wait_seconds=60)
    assert first.device_name == "cpu"
    surroundings.start()
    assert surroundings.get("cuda", wait_seconds=60).device_name == "cuda"
    assert calls == [tmp_path]
    monkeypatch.setattr(module, "FRESH_SECONDS", 0.0)
    surroundings.start()
    surroundings.get(wait_seconds=60)
    assert calls == [tmp_path, tmp_path]
