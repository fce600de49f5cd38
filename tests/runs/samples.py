"""Records as short as a test can write them."""

from __future__ import annotations

from typing import Any

from fmagic.runs.record import RunRecord


def made(number: int, kind: str = "prompt", **fields: Any) -> RunRecord:
    """Return a finished run; a larger number started later."""
    return RunRecord.model_validate(
        {
            "schema": "fmagic.run/1",
            "id": f"019aa000-0000-7000-8000-{number:012x}",
            "kind": kind,
            "status": "ok",
            "started": f"2026-11-21T08:{number:02d}:00.000Z",
            "seconds": 1.0,
            **fields,
        }
    )
