"""`%%prompt` and `%prompt TEXT`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fmagic.magics.arguments import Arguments, add_sampling, add_template, find_data, options

if TYPE_CHECKING:
    from fmagic.magics import Call

NAMES = {"prompt": "line_cell"}
FREE_TEXT = True
SHARED = (
    "model", "max_tokens", "temperature", "top_p", "stop", "choices", "seed", "truncate",
    "on_missing",
)  # fmt: skip

EXAMPLE = """\
%%prompt --data reviews --choices positive,negative -o scored
system:
You label product reviews.
user:
{{ text }}
"""


def arguments() -> Arguments:
    """Return the options of the magic."""
    parser = Arguments(
        "%%prompt", "Run a template once, or for each row of a table.", f"example:\n\n{EXAMPLE}"
    )
    add_template(parser)
    add_sampling(parser)
    return parser


def run(call: Call) -> object:
    """Answer the cell's template."""
    values = call.values
    data = None if values.data is None else find_data(values.data, call.variables)
    return call.session.prompt(
        call.template(), data=data, data_name=values.data, **options(values, SHARED)
    )
