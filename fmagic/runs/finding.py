"""Which run a name means."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fmagic.errors import LogError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fmagic.runs.record import RunRecord

_ORDINAL = re.compile(r"-?[1-9]\d{0,3}")


def find(records: Sequence[RunRecord], name: str) -> RunRecord:
    """Return a run by its id, by the beginning or the end of it or of its short form, or by its place.

    Args:
        records: the runs to look among, oldest first.
        name: `7c0e55d1`, or `1` for the latest run, `2` for the one before it.

    Raises:
        LogError: no run, or more than one, is meant.
    """
    if not records:
        raise LogError("There are no runs yet. %%prompt makes one.")
    if _ORDINAL.fullmatch(name.strip()) and abs(int(name)) <= len(records):
        return records[-abs(int(name))]
    wanted = _bare(name)
    meant = [
        record
        for record in records
        if wanted and _is_meant(_bare(record.id), record.short_id, wanted)
    ]
    if len(meant) == 1:
        return meant[0]
    if meant:
        several = ", ".join(record.short_id for record in meant[-3:])
        more = ", ..." if len(meant) > 3 else ""  # noqa: PLR2004 - as many as are shown
        raise LogError(
            f"{name!r} may be any of {len(meant):,} runs: {several}{more}. "
            "Give more characters, best the last ones."
        )
    ids = [record.short_id for record in records]
    near = did_you_mean(wanted[-8:], ids) or f" The latest is {ids[-1]!r}."
    raise LogError(f"There is no run {name!r}.{near} %runs lists them.")


def _is_meant(whole: str, short: str, wanted: str) -> bool:
    return whole.startswith(wanted) or whole.endswith(wanted) or short.startswith(wanted)


def _bare(name: str) -> str:
    return name.strip().lower().replace("-", "")
