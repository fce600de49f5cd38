"""`%runs`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fmagic.errors import OptionError
from fmagic.magics.arguments import Arguments, identifier

if TYPE_CHECKING:
    from fmagic.magics import Call

NAMES = {"runs": "line"}
FREE_TEXT = False


def arguments() -> Arguments:
    """Return the options of the magic."""
    parser = Arguments(
        "%runs", "The runs of this notebook.", "examples:\n\n%runs\n%runs show 3f9a01c2\n"
    )
    add = parser.add_argument
    add("verb", nargs="?", choices=["list", "show"], default="list", help="show one run whole")
    add("id", nargs="?", help="of a run: the beginning or the end of it")
    add("-o", "--out", type=identifier, metavar="NAME", help="variable for the result")
    return parser


def run(call: Call) -> object:
    """List the runs, or show one."""
    values = call.values
    if values.verb == "list":
        return call.session.runs()
    if values.id is None:
        raise OptionError("%runs show needs the id of a run; `%runs` lists them.")
    return call.session.show_run(values.id)
