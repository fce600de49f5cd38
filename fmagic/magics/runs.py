"""`%runs`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fmagic.errors import OptionError, did_you_mean
from fmagic.magics.arguments import Arguments, identifier, options

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from fmagic.magics import Call
    from fmagic.session import Session

NAMES = {"runs": "line"}
FREE_TEXT = False

VERBS = ("list", "show", "diff", "plot", "note", "tag", "rerun", "export", "recover")
FILTERS = ("kind", "model", "status", "tags", "since", "sort", "reverse")
HELP = """\
%runs [TEXT ...]                    list the runs that hold these words
%runs show ID                       one run whole, with what it builds on
%runs diff ID ID                    what changed, how the figures moved, and if that may be chance
%runs plot [ID ...] [--x rank --y accuracy]
%runs note ID "TEXT"                a note on a run; "" takes it away
%runs tag ID TAG ... [--remove TAG]
%runs rerun ID                      put its cell below, with its model and seed
%runs export csv [--to FILE]        or jsonl, markdown, mlflow, trackio, otel
%runs recover                       bring back the runs of a killed kernel

ID is the beginning or the end of a run's id, or its place: 1 is the latest.
"""


def arguments() -> Arguments:
    """Return the options of the magic."""
    parser = Arguments("%runs", "The runs of this notebook.", HELP)
    add = parser.add_argument
    add("words", nargs="*", metavar="VERB or TEXT", help="see below")
    add("--kind", metavar="KIND", help="list: runs of this operation, such as evaluate")
    add("--model", metavar="NAME", help="list: models whose name holds this")
    add("--status", metavar="STATUS", help="list: ok, error, interrupted or running")
    add("--tag", dest="tags", action="append", default=[], metavar="TAG", help="list; repeatable")
    add("--since", metavar="WHEN", help="list: 2026-11-21 (UTC), or 30m, 2h, 3d, 1w ago")
    add("--sort", metavar="NAME", help="list: a metric, started, seconds, ...; largest first")
    add("--reverse", action="store_true", help="list: smallest first")
    add("--x", metavar="NAME", help="plot: an option, a metric, seed, model, ...")
    add("--y", metavar="NAME", help="plot: a metric, or a curve")
    add("--remove", action="append", default=[], metavar="TAG", help="tag: take it off; repeatable")
    add("--to", metavar="TARGET", help="export: file, address or project")
    add("-o", "--out", type=identifier, metavar="NAME", help="variable for the result")
    return parser


def run(call: Call) -> object:
    """Do what the first word says; without a verb, list the runs that hold the words."""
    verb, *words = call.values.words or ["list"]
    if verb not in VERBS:
        verb, words = "list", [verb, *words]
    _check(call.values, verb)
    do = {
        "list": _list,
        "show": _show,
        "diff": _diff,
        "plot": _plot,
        "note": _note,
        "tag": _tag,
        "rerun": _rerun,
        "export": _export,
        "recover": _recover,
    }[verb]
    return do(call.session, words, call.values)


def _list(session: Session, words: Sequence[str], values: argparse.Namespace) -> object:
    found = session.runs(text=" ".join(words), **options(values, FILTERS))
    if words and not found and (meant := did_you_mean(words[0], VERBS)):
        raise OptionError(f"No run holds {' '.join(words)!r}, and %runs has no such verb.{meant}")
    return found.frame if values.out else found


def _show(session: Session, words: Sequence[str], _: argparse.Namespace) -> object:
    return session.show_run(*_needed("show", words, 1, "the id of a run"))


def _diff(session: Session, words: Sequence[str], _: argparse.Namespace) -> object:
    return session.diff_runs(*_needed("diff", words, 2, "the ids of two runs"))


def _plot(session: Session, words: Sequence[str], values: argparse.Namespace) -> object:
    return session.plot_runs(words, x=values.x, y=values.y)


def _note(session: Session, words: Sequence[str], _: argparse.Namespace) -> object:
    if len(words) < 2:  # noqa: PLR2004 - an id and a text
        raise OptionError('%runs note needs the id of a run and a text: %runs note 3f9a "a text"')
    return session.note_run(words[0], " ".join(words[1:]))


def _tag(session: Session, words: Sequence[str], values: argparse.Namespace) -> object:
    if not words or not (words[1:] or values.remove):
        raise OptionError("%runs tag needs the id of a run and tags: %runs tag 3f9a baseline")
    return session.tag_run(*words, remove=values.remove)


def _rerun(session: Session, words: Sequence[str], _: argparse.Namespace) -> object:
    return session.rerun(*_needed("rerun", words, 1, "the id of a run"))


def _export(session: Session, words: Sequence[str], values: argparse.Namespace) -> object:
    if not words:
        raise OptionError("%runs export needs to know where to: csv, jsonl, markdown, mlflow, ...")
    return session.export_runs(words[0], values.to, runs=words[1:])


def _recover(session: Session, words: Sequence[str], _: argparse.Namespace) -> object:
    _needed("recover", words, 0, "no more words")
    return session.recover_runs()


def _needed(verb: str, words: Sequence[str], count: int, what: str) -> Sequence[str]:
    if len(words) != count:
        raise OptionError(f"%runs {verb} needs {what}; `%runs` lists them.")
    return words


def _check(values: argparse.Namespace, verb: str) -> None:
    """Refuse options that mean nothing to this verb.

    Raises:
        OptionError: there is one.
    """
    own = {"list": FILTERS, "plot": ("x", "y"), "tag": ("remove",), "export": ("to",)}
    for name in (*FILTERS, "x", "y", "remove", "to"):
        if getattr(values, name) and name not in own.get(verb, ()):
            option = "--tag" if name == "tags" else f"--{name}"
            raise OptionError(f"%runs {verb} has no option {option}. `%runs --help` lists them.")
