"""`%%finetune`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fmagic.magics.arguments import Arguments, add_template, find_data, options

if TYPE_CHECKING:
    from fmagic.magics import Call

NAMES = {"finetune": "line_cell"}
FREE_TEXT = False
METHODS = ["lora", "qlora", "full"]

EXAMPLE = """\
%%finetune --data train --eval valid --as reviews-lora
system:
You label product reviews.
user:
{{ text }}
assistant:
{{ label }}
"""


def arguments() -> Arguments:
    """Return the options of the magic."""
    from fmagic.operations.training.options import FinetuneOptions

    usual = FinetuneOptions()
    parser = Arguments(
        "%%finetune",
        "Train on a template over a table; the result is a model with a name, and current.",
        f"example:\n\n{EXAMPLE}",
    )
    add_template(parser, data_needed=True)
    add = parser.add_argument
    add("--as", dest="name", required=True, metavar="NAME", help="name of the tuned model")
    add(
        "--eval",
        metavar="NAME",
        help="held-out rows, as for --data: the epoch that does best on them is kept, so these are "
        "not the rows for the final score",
    )
    add(
        "--method",
        choices=METHODS,
        default="lora",
        help="lora if not given; qlora wants a quantized base",
    )
    add("--epochs", type=float, metavar="N", help=f"times that each row is seen ({usual.epochs:g})")
    add(
        "--lr", type=float, metavar="RATE", help="highest learning rate (by the width of the model)"
    )
    add("--rank", type=int, metavar="N", help=f"of the LoRA matrices ({usual.rank})")
    add("--batch-size", type=int, metavar="N", help=f"rows of one step ({usual.batch_size})")
    return parser


def run(call: Call) -> object:
    """Train on the cell's template."""
    values = call.values
    tuning = options(values, ("epochs", "lr", "rank", "batch_size"))
    return call.session.finetune(
        call.template(),
        data=find_data(values.data, call.variables),
        data_name=values.data,
        held_out=None if values.eval is None else find_data(values.eval, call.variables),
        held_out_name=values.eval,
        base=values.model,
        **options(values, ("name", "method", "seed", "truncate", "on_missing")),
        **{name: value for name, value in tuning.items() if value is not None},
    )
