"""Fixtures for all tests: no network, few threads, folders of their own, small models."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

# Before any library reads them: nothing is looked up, and a stray look-up fails at once.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_ENDPOINT"] = "http://127.0.0.1:9"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ.setdefault("OMP_NUM_THREADS", "1")  # small models are fastest so
# A suite that was started in the background ignores Stop, which some tests press.
signal.signal(signal.SIGINT, signal.default_int_handler)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.checkpoints import Checkpoints


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Checkpoints:
    """Read-only folders of small random models, see `support.checkpoints.make_checkpoint`."""
    from tests.support.checkpoints import make_checkpoint

    made: dict[str, Path] = {}

    def make(architecture: str = "llama", **options: Any) -> Path:
        key = f"{architecture} {sorted(options.items())}"
        if key not in made:
            folder = tmp_path_factory.mktemp(architecture) / f"small-{architecture}"
            made[key] = make_checkpoint(folder, architecture, **options)
        return made[key]

    return make


@pytest.fixture(autouse=True)
def _own_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what a test writes out of the user's folders."""
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("FMAGIC_MODELS_DIR", str(folder / "models"))
    monkeypatch.setenv("FMAGIC_CACHE_DIR", str(folder / "cache"))
    monkeypatch.setenv("FMAGIC_JOURNAL_DIR", str(folder / "journal"))
    monkeypatch.delenv("FMAGIC_MEMORY_LIMIT", raising=False)


@pytest.fixture
def hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the Hugging Face Hub, with the network switched off."""
    from huggingface_hub import constants

    folder = tmp_path / "hub"
    folder.mkdir()
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return folder
