"""The `fmagic` command: `demo` runs the quickstart, `doctor` checks the installation."""

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
    values = parser.parse_args(arguments)
    try:
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


def _demo(folder: Path) -> int:
    from fmagic.demo import run

    return run(folder)
