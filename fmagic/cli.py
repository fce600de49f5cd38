"""The `fmagic` command.

`demo` runs the quickstart, `doctor` checks the installation, `runs` reads a notebook's log, `cache`
lists and removes quantized copies of models.
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

    from fmagic.models.copies import Copy


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
    _add_cache(verbs)
    values = parser.parse_args(arguments)
    try:
        if values.verb == "cache":
            return _cache() if values.action is None else _prune(values)
        if values.verb == "runs":
            return _runs(values.notebook, "jsonl" if values.json else "csv" if values.csv else None)
        return _demo(values.out) if values.verb == "demo" else _doctor()
    except FmagicError as error:
        print(f"fmagic: {error}", file=sys.stderr)  # noqa: T201 - the command's own output
        return 1
    except KeyboardInterrupt:
        return 130


def _add_cache(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    cache = verbs.add_parser("cache", help="list the quantized copies of models, or remove some")
    actions = cache.add_subparsers(dest="action")
    prune = actions.add_parser(
        "prune",
        help="remove copies",
        description="Remove quantized copies; the models themselves stay. Without NAME and options, "
        "those that no load reads any more. Asks first.",
        allow_abbrev=False,
    )
    prune.add_argument("names", nargs="*", metavar="NAME", help="of models, or of copies")
    prune.add_argument("--older-than", metavar="30d", help="not used for so long")
    prune.add_argument(
        "--keep-bytes", metavar="10GB", help="the least recently used, until the rest is so small"
    )
    prune.add_argument("--all", action="store_true", help="every copy")
    prune.add_argument("--dry-run", action="store_true", help="only say what would go")
    prune.add_argument("-y", "--yes", action="store_true", help="do not ask")


def _cache() -> int:
    from fmagic.models.copies import listing
    from fmagic.settings import Fmagic
    from fmagic.views import size

    copies = listing(Fmagic.from_pyproject(Path.cwd()).cache_dir)
    if not copies:
        print("No quantized copies are kept.")  # noqa: T201 - the command's own output
        return 0
    _show_copies(copies)
    total = size(sum(copy.bytes for copy in copies))
    print(f"{len(copies)} with {total}; `fmagic cache prune` removes them.")  # noqa: T201 - the command's own output
    return 0


def _show_copies(copies: Sequence[Copy]) -> None:
    from fmagic.views import Table, size

    rows = [
        [
            copy.name or "(unknown)",
            copy.method,
            copy.dtype,
            copy.device,
            size(copy.bytes),
            f"{copy.used.astimezone():%Y-%m-%d %H:%M}",
            copy.folder.name[:12],
            "" if copy.is_current else "of other versions" if copy.name else "unreadable",
        ]
        for copy in copies
    ]
    columns = ("model", "quant", "dtype", "device", "size", "last used", "copy", "")
    print(Table(columns, rows).plain())  # noqa: T201 - the command's own output


def _prune(values: argparse.Namespace) -> int:
    from fmagic.models import copies, pruning
    from fmagic.models.devices import parse_bytes
    from fmagic.settings import Fmagic
    from fmagic.views import size

    cache_dir = Fmagic.from_pyproject(Path.cwd()).cache_dir
    chosen = pruning.select(
        copies.listing(cache_dir),
        names=values.names,
        older_than=pruning.parse_span(values.older_than) if values.older_than else None,
        keep_bytes=parse_bytes(values.keep_bytes) if values.keep_bytes else None,
        everything=values.all,
    )
    narrowed = values.names or values.older_than or values.keep_bytes
    left = [] if narrowed else pruning.leftovers(cache_dir)
    if not chosen and not left:
        print("There is nothing to remove.")  # noqa: T201 - the command's own output
        return 0
    if chosen:
        _show_copies(chosen)
    if left:
        print(f"{len(left)} leftovers of loads that were broken off or failed")  # noqa: T201 - the command's own output
    if values.dry_run:
        total = size(sum(copy.bytes for copy in chosen))
        print(f"{total} would come back.")  # noqa: T201 - the command's own output
        return 0
    if not (values.yes or _agreed()):
        print("Nothing was removed.")  # noqa: T201 - the command's own output
        return 1
    freed = sum(pruning.remove(each) for each in [*(copy.folder for copy in chosen), *left])
    print(f"{size(freed)} came back.")  # noqa: T201 - the command's own output
    return 0


def _agreed() -> bool:
    """Ask on a terminal whether to go on; where nobody can answer, that means no."""
    if not sys.stdin.isatty():
        print("Add --yes to remove them without being asked.")  # noqa: T201 - the command's own output
        return False
    try:
        return input("Remove them? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        return False


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
