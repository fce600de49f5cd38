"""What MLflow is to know of a run, within the names and lengths that it accepts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fmagic.runs.exporters._fields import (
    as_text,
    end_ns,
    flatten,
    start_ns,
    steps,
    unique,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fmagic.runs.exporters._fields import Dump

ID_TAG = "fmagic.id"
DIGEST_TAG = "fmagic.sha256"
NOTE_TAG = "mlflow.note.content"  # shown as the description of the run

_LONGEST_NAME = 250
_LONGEST_PARAM = 6_000
_LONGEST_TAG = 5_000  # 8,000 in newer versions
_PARTS: tuple[str, ...] = ("seed", "model", "data", "environment")
_UNFIT = re.compile(r"[^\w.\- ]")


@dataclass(frozen=True, slots=True)
class Content:
    """The parts of an MLflow run.

    Attributes:
        params: options under their own names, as MLflow's charts show them; then seed, model, data
            and environment with dotted ones.
        tags: among them `fmagic.id`, by which a run is found again.
        points: `(name, value, milliseconds since 1970, step)` of curves and figures.
    """

    params: dict[str, str]
    tags: dict[str, str]
    points: list[tuple[str, float, int, int]]

    @classmethod
    def of(cls, dump: Dump) -> Content:
        """Return the parts of a dumped record."""
        return cls(_params(dump), _tags(dump), list(_points(dump)))


def _params(dump: Dump) -> dict[str, str]:
    parts = {name: dump[name] for name in _PARTS if name in dump}
    found = [*flatten(dump.get("params", {})), *flatten(parts)]
    # By place, not by name: an option called model.name must not hide the name of the model.
    names = _fit(".".join(path) for path, _ in found)
    values = [_cut(as_text(value), _LONGEST_PARAM) for _, value in found]
    return dict(zip(names, values, strict=True))


def _tags(dump: Dump) -> dict[str, str]:
    tags = {
        ID_TAG: dump["id"],
        "fmagic.kind": dump["kind"],
        "fmagic.status": dump["status"],
        "fmagic.model": dump.get("model", {}).get("name"),
        "fmagic.notebook": dump.get("notebook"),
        "fmagic.parents": ", ".join(dump.get("parents", [])),
        "fmagic.rerun": dump.get("rerun", {}).get("of"),
        "fmagic.tags": ", ".join(map(as_text, dump.get("tags", []))),
        "fmagic.error": ": ".join(map(as_text, dump.get("error", {}).values())),
        "fmagic.note": dump.get("note"),
        NOTE_TAG: dump.get("note"),
    }
    return {name: _cut(value, _LONGEST_TAG) for name, value in tags.items() if value}


def _points(dump: Dump) -> Iterator[tuple[str, float, int, int]]:
    start = start_ns(dump) // 10**6
    end = (end_ns(dump) or start_ns(dump)) // 10**6
    curves, figures = dump.get("series", {}), dump.get("metrics", {})
    names = list(dict.fromkeys([*curves, *figures]))
    for name, fit in zip(names, _fit(names), strict=True):
        points = curves.get(name, [])
        places = steps(points)
        for step, (_, value) in zip(places, points, strict=True):
            yield fit, float(value), start, step
        if name in figures:
            # At the end of a curve of that name, so that the figure is what MLflow shows last.
            yield fit, float(figures[name]), end, max(places, default=0)


def _fit(names: Iterable[str]) -> list[str]:
    """Return the names as MLflow takes them: few characters, none that leads out of a folder."""
    taken: set[str] = set()
    fit = []
    for name in names:
        plain = _UNFIT.sub("_", name)[: _LONGEST_NAME - 8].strip() or "_"
        fit.append(unique(f"_{plain}" if plain.startswith(".") else plain, taken))
    return fit


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
