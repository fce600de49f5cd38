"""The `fmagic` command.

`demo` runs the quickstart, `doctor` checks the installation, `runs` reads a notebook's log.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from fmagic.errors import FmagicError

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(prog="fmagic", description=__doc__, allow_abbrev=False)
    version = importlib.metadata.version("fmagic")
    parser.add_argument("--version", action="version", version=f"fmagic {version}")
    verbs = parser.add_subparsers(dest="verb", required=True)
    demo = verbs.add_parser("demo", help="run the quickstart notebook and show each cell's result")
    demo.add_argument(
        "--out",
        type=Path,
        default=Path("fmagic-demo"),
        metavar="FOLDER",
        help="where the executed notebook and its HTML copy go (default: %(default)s)",
    )
    verbs.add_parser("doctor", help="check the installation and say what to mend")
    runs = verbs.add_parser("runs", help="list the runs that a notebook file holds")
    runs.add_argument("notebook", type=Path, metavar="NOTEBOOK.ipynb")
    form = runs.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one record a line, as JSON")
    form.add_argument("--csv", action="store_true", help="one row a run, as CSV")
    values = parser.parse_args(arguments)
    try:
        if values.verb == "runs":
            return _runs(values.notebook, "jsonl" if values.json else "csv" if values.csv else None)
        return _demo(values.out) if values.verb == "demo" else _doctor()
    except FmagicError as error:
        print(f"fmagic: {error}", file=sys.stderr)  # noqa: T201 - the command's own output
        return 1
    except KeyboardInterrupt:
        return 130


def _doctor() -> int:
    from fmagic.session import Session

    view = Session().doctor()
    print(view)  # noqa: T201 - the command's own output
    return int(any(check.verdict == "bad" for check in view.data))


def _runs(notebook: Path, form: str | None) -> int:
    """List the runs of a notebook: its outputs, its metadata, and the journals of this folder."""
    from fmagic.errors import LogError
    from fmagic.runs.exporters import text_of
    from fmagic.session import Session

    found = Session().runs(notebook)
    if form is None:
        print(found)  # noqa: T201 - the command's own output
    elif not found:
        raise LogError(f"{notebook.name} holds no runs.")
    else:
        sys.stdout.write(text_of(form, list(found)))
    return 0


def _demo(folder: Path) -> int:
    from fmagic.demo import run

    return run(folder)
