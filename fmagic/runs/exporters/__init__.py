"""Exporters: one file each, found by its presence in this folder.

A file holds `NAME`, `TITLE`, `NEEDS` and `export(records, target)`, see `Exporter`, and, if what it
writes is a text, `text(records)`; files that begin with `_` are what several of them share. Another package adds one with an entry point of the
group `fmagic.exporters` that names such a module or object.

What an exporter writes comes from `RunRecord.dump`: no secret, no absolute path.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from fmagic.errors import LogError, OptionError, did_you_mean
from fmagic.plugins import plugins
from fmagic.runs.exporters._messages import brief, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fmagic.runs.record import RunRecord

GROUP = "fmagic.exporters"


class Exporter(Protocol):
    """What a file in this folder provides.

    Attributes:
        NAME: by which it is asked for.
        TITLE: what it writes, in one line of help.
        NEEDS: what `pip install` has to be told for it, `None` if fmagic itself is enough.
    """

    NAME: str
    TITLE: str
    NEEDS: str | None

    def export(self, records: Sequence[RunRecord], target: str | None) -> str:
        """Write the runs and return one sentence that says how many and where.

        Args:
            records: at least one.
            target: a file, an address or a name; `None` for the exporter's own default.

        Raises:
            OptionError: the target is of a form that the exporter does not take.
            LogError: the target cannot be written.
            ImportError: what `NEEDS` names is not installed.
            OSError: a file or a connection failed.
        """


def exporters() -> dict[str, Exporter]:
    """Return all exporters by name, those of this folder first."""
    found: dict[str, Exporter] = {}
    for exporter in plugins(__name__, GROUP):
        found.setdefault(exporter.NAME, exporter)
    return found


def export(name: str, records: Sequence[RunRecord], target: str | None = None) -> str:
    """Write runs with the exporter of that name.

    Args:
        name: of the exporter, `csv`.
        records: what to write.
        target: where; by default the exporter's own place.

    Returns:
        One sentence that says how many runs were written, and where.

    Raises:
        OptionError: there is no such exporter, its package is not installed, or the target is of
            a form that it does not take.
        LogError: there are no runs, or the target cannot be written.
    """
    exporter = _get(name)
    if not records:
        raise LogError("There are no runs to export. %%prompt makes one.")
    try:
        return exporter.export(records, target)
    except ImportError as error:
        if exporter.NEEDS is None:
            raise
        raise OptionError(
            f"Exporting to {name} needs a package that is not installed, or not in a version that "
            f"fits ({brief(error)}). Install it with: pip install '{exporter.NEEDS}'"
        ) from error
    except OSError as error:
        where = f" to {shown(target)}" if target else ""
        reason = error.strerror or brief(error)
        raise LogError(f"The runs cannot be written{where}: {reason}.") from error


def text_of(name: str, records: Sequence[RunRecord]) -> str:
    """Return the text of the file that an exporter would write.

    Args:
        name: of an exporter to a file, `csv`.
        records: what to write.

    Raises:
        OptionError: there is no such exporter, or it writes no file.
    """
    text = getattr(_get(name), "text", None)
    if text is None:
        raise OptionError(f"The exporter {name!r} writes no file, so it has no text to give.")
    written: str = text(records)
    return written


def _get(name: str) -> Exporter:
    known = exporters()
    if name not in known:
        raise OptionError(
            f"There is no exporter {name!r}.{did_you_mean(name, known)} "
            f"It is one of {', '.join(known)}."
        )
    return known[name]
