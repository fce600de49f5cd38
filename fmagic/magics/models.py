"""`%models`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fmagic.magics.arguments import Arguments, options

if TYPE_CHECKING:
    from fmagic.magics import Call

NAMES = {"models": "line"}
FREE_TEXT = False


def arguments() -> Arguments:
    """Return the options of the magic."""
    parser = Arguments(
        "%models",
        "List what can be picked: what fits first, then what is on this disk, then by size.",
        "examples:\n\n%models --fits --license open\n%models qwen --max-size 3B\n",
    )
    add = parser.add_argument
    add("query", nargs="?", default="", help="part of a name or of what a model is good at")
    add("--task", metavar="TASK", help="text-generation, embedding, seq2seq, ...")
    add("--license", metavar="CLASS", help="open, restricted, commercial, or a licence's name")
    add("--fits", action="store_true", help="only what fits into the memory that is free")
    add("--cached", action="store_true", help="only what is on this disk")
    add(
        "--tune", metavar="METHOD", help="lora, qlora or full: what can be tuned so, and its memory"
    )
    add("--hub", action="store_true", help="search the Hugging Face Hub as well")
    add("--max-size", metavar="SIZE", help="3B or 500M parameters at most, or 5GB of memory")
    return parser


def run(call: Call) -> object:
    """List the models."""
    names = ("query", "task", "license", "fits", "cached", "max_size", "tune", "hub")
    return call.session.models(**options(call.values, names))
