"""`%models`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fmagic.magics.arguments import Arguments

if TYPE_CHECKING:
    from fmagic.magics import Call

NAMES = {"models": "line"}
FREE_TEXT = False


def arguments() -> Arguments:
    """Return the options of the magic."""
    parser = Arguments("%models", "List what is loaded and what is on this disk.")
    parser.add_argument("query", nargs="?", default="", help="part of a name")
    return parser


def run(call: Call) -> object:
    """List the models."""
    return call.session.models(call.values.query)
