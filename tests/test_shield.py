"""Blocks and imports that Stop cannot break in the middle."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from fmagic.shield import import_whole

if TYPE_CHECKING:
    from pathlib import Path


def test_a_stop_strikes_when_the_import_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "slow_to_import.py").write_text(
        "import signal\nsignal.raise_signal(signal.SIGINT)\nWHOLE = True\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        import_whole("slow_to_import")
    assert sys.modules["slow_to_import"].WHOLE
    import_whole("slow_to_import")
    del sys.modules["slow_to_import"]
