"""From records of earlier versions to the current one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from fmagic.errors import LogError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# One function for each step, `fmagic.run/1` to `/2` first. Append; never change or remove one.
UPGRADES: tuple[Callable[[dict[str, Any]], dict[str, Any]], ...] = ()

_SCHEMA = re.compile(r"fmagic\.run/([1-9]\d{0,3})")


def version_of(data: object) -> int | None:
    """Return the version that a record says it has; `None` if this is no record of a run."""
    name = data.get("schema") if isinstance(data, dict) else None
    match = _SCHEMA.fullmatch(name) if isinstance(name, str) else None
    return int(match.group(1)) if match else None


def upgrade(
    data: dict[str, Any],
    steps: Sequence[Callable[[dict[str, Any]], dict[str, Any]]] = UPGRADES,
) -> dict[str, Any]:
    """Return a record of any earlier version as one of the current version.

    Raises:
        LogError: it is no record, or one of a later version.
    """
    version = version_of(data)
    if version is None:
        raise LogError("This is no record of a run: its `schema` is not fmagic.run/N.")
    current = len(steps) + 1
    if version > current:
        raise LogError(
            f"The run was recorded by a newer fmagic (fmagic.run/{version}, this one reads up to "
            f"/{current}). Update with: pip install -U fmagic"
        )
    for number, step in enumerate(steps[version - 1 :], version + 1):
        data = {**step(data), "schema": f"fmagic.run/{number}"}
    return data
