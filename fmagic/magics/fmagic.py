"""`%fmagic`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fmagic.magics.arguments import Arguments

if TYPE_CHECKING:
    from fmagic.magics import Call

NAMES = {"fmagic": "line"}
FREE_TEXT = False


def arguments() -> Arguments:
    """Return the options of the magic."""
    parser = Arguments("%fmagic", "What is here: device, memory, loaded models, journal.")
    parser.add_argument(
        "verb",
        nargs="?",
        choices=["status", "doctor", "help"],
        default="status",
        help="doctor checks the installation; help lists the magics",
    )
    return parser


def run(call: Call) -> object:
    """Show the status card, the checks, or the list of magics."""
    if call.values.verb == "doctor":
        return call.session.doctor()
    if call.values.verb == "help":
        from fmagic.magics import overview

        return overview()
    return call.session.status()
