"""`%unload`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fmagic.magics.arguments import Arguments

if TYPE_CHECKING:
    from fmagic.magics import Call

NAMES = {"unload": "line"}
FREE_TEXT = False


def arguments() -> Arguments:
    """Return the options of the magic."""
    parser = Arguments("%unload", "Free a model and say how many bytes came back.")
    parser.add_argument("name", nargs="?", help="the current model if absent")
    parser.add_argument("--all", action="store_true", help="free all models")
    return parser


def run(call: Call) -> object:
    """Free the model."""
    session, values = call.session, call.values
    return session.freed(session.unload(values.name, everything=values.all))
