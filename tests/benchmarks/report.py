"""The machine, and the results as Markdown and JSON."""

from __future__ import annotations

import os
import platform
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .harness import Measured, Row

PACKAGES = (
    "fmagic",
    "torch",
    "transformers",
    "bitsandbytes",
    "peft",
    "sentence-transformers",
    "trl",
    "ipython",
    "ipykernel",
    "jupysql",
    "jupyter-ai-magics",
)
COLUMNS = ("work", "peer", "peer's", "fmagic", "unit", "times better", "aim", "note")


@dataclass(slots=True)
class Outcome:
    """What came of one benchmark: rows, or in `problem` why there are none."""

    name: str
    title: str
    target: str
    rows: list[Row] = field(default_factory=list)
    problem: str = ""
    failed: bool = False
    load: float = 0.0


def machine() -> dict[str, Any]:
    """Return date, processor, versions: what a figure means nothing without."""
    import torch

    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "cpu": cpu_name(),
        "cores": usable_cores(),
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "versions": versions,
    }


def cpu_name() -> str:
    """Return the processor's name as the system tells it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123 - a device of the kernel, no file of ours
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass  # only Linux has it
    return platform.processor() or platform.machine()


def usable_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def heading(facts: dict[str, Any]) -> str:
    """Return the lines above the tables."""
    versions = ", ".join(f"{name} {number}" for name, number in facts["versions"].items())
    gpu = f"; {facts['gpu']}" if facts["gpu"] else ""
    return (
        f"{facts['date']}; {facts['cpu']}, {facts['cores']} cores, {facts['threads']} threads of "
        f"torch{gpu}; {facts['system']}; Python {facts['python']}; {versions}.\n\n"
        "Medians, with the smallest and the largest measurement in brackets. "
        "A ratio above 1 means that fmagic is ahead."
    )


def markdown(outcome: Outcome) -> str:
    """Return the section of one benchmark."""
    lines = [f"## {outcome.name}: {outcome.title}", "", f"Aim: {outcome.target}.", ""]
    if outcome.problem:
        lines += [outcome.problem.strip(), ""]
    if outcome.rows:
        lines += [_line(COLUMNS), _line(["---"] * len(COLUMNS))]
        lines += [_row(row) for row in outcome.rows]
        lines += ["", f"Load of the machine before: {outcome.load:.1f}.", ""]
    return "\n".join(lines)


def _row(row: Row) -> str:
    ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
    return _line(
        [
            row.work,
            row.peer,
            _figure(row.peer_value),
            _figure(row.fmagic_value),
            row.unit,
            ratio,
            row.target,
            row.note,
        ]
    )


def _line(cells: list[str] | tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _figure(value: Measured | None) -> str:
    if value is None:
        return ""
    if value.low == value.high:
        return number(value.median)
    return f"{number(value.median)} ({number(value.low)} to {number(value.high)})"


def number(value: float) -> str:
    """Return three significant digits, more where the figure is a share close to 1."""
    if 0.9 < value < 1:  # a cosine: what is missing to 1 is what matters
        return f"{value:.5f}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def as_json(facts: dict[str, Any], outcomes: list[Outcome]) -> dict[str, Any]:
    """Return everything, for a file."""
    results = []
    for outcome in outcomes:
        result = asdict(outcome)
        for row, data in zip(outcome.rows, result["rows"], strict=True):
            data["ratio"] = row.ratio
        results.append(result)
    return {"machine": facts, "benchmarks": results}
