"""`%%evaluate`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fmagic.magics.arguments import Arguments, add_sampling, add_template, find_data, options
from fmagic.magics.prompt import SHARED

if TYPE_CHECKING:
    from fmagic.magics import Call

NAMES = {"evaluate": "line_cell"}
FREE_TEXT = False

EXAMPLE = """\
%%evaluate --data test --choices positive,negative
system:
You label product reviews.
user:
{{ text }}
assistant:
{{ label }}
"""

FIGURES = """\
figures: accuracy is the share of answers that are the expected ones to the letter, with its 95%
interval; normalised accuracy does not mind capitals and spaces. Of labels also: macro f1, the mean
over the labels of precision and recall in one; majority baseline, the accuracy of always giving the
commonest label; outside labels, the share of answers that are no label at all.
"""


def arguments() -> Arguments:
    """Return the options of the magic."""
    parser = Arguments(
        "%%evaluate",
        "Score a template over a table; its assistant: turn is the expected answer.",
        f"example:\n\n{EXAMPLE}\n{FIGURES}",
    )
    add_template(parser, data_needed=True)
    add_sampling(parser)
    return parser


def run(call: Call) -> object:
    """Score the cell's template."""
    values = call.values
    return call.session.evaluate(
        call.template(),
        data=find_data(values.data, call.variables),
        data_name=values.data,
        **options(values, SHARED),
    )
