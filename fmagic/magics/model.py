"""`%model` and `%unload`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fmagic.magics.arguments import Arguments, options

if TYPE_CHECKING:
    from fmagic.magics import Call

NAMES = {"model": "line"}
FREE_TEXT = False


def arguments() -> Arguments:
    """Return the options of the magic."""
    parser = Arguments(
        "%model",
        "Load a model and make it current; without a name, say what is loaded.",
        "examples:\n\n%model tiny\n%model Qwen/Qwen3-0.6B --quant nf4\n",
    )
    add = parser.add_argument
    add("spec", nargs="?", help="tiny, org/name[@revision], a folder, or a tuned model")
    add("--revision", metavar="REV", help="branch, tag or commit of org/name")
    add("--quant", metavar="METHOD", help="auto, none, int8, nf4, ...: how weights are kept")
    add("--dtype", metavar="TYPE", help="of unquantized weights: bfloat16, float16, float32")
    add("--device", metavar="DEVICE", help="cuda, cuda:1, mps or cpu")
    add("--as", dest="name", metavar="NAME", help="what to call it")
    add("--adapter", metavar="PATH", help="folder of a peft adapter")
    add("--trust-remote-code", action="store_true", help="run code from its repository")
    add("--allow-pickle", action="store_true", help="load weights that are not safetensors")
    return parser


def run(call: Call) -> object:
    """Load the model, or show what is loaded."""
    session, values = call.session, call.values
    if values.spec is not None:
        names = (
            "name", "revision", "quant", "dtype", "device", "adapter", "trust_remote_code",
            "allow_pickle",
        )  # fmt: skip
        session.load(values.spec, **options(values, names))
    return session.loaded()
