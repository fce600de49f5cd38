"""`%pick`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fmagic.magics.arguments import Arguments

if TYPE_CHECKING:
    from fmagic.magics import Call

NAMES = {"pick": "line"}
FREE_TEXT = False


def arguments() -> Arguments:
    """Return the options of the magic: none."""
    return Arguments("%pick", "Pick a model in a widget: filters, what fits, and a Load button.")


def run(call: Call) -> object:
    """Show the picker, which is all there is to see."""
    call.session.pick()
    return None
