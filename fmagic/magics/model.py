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
        "examples:\n\n%model tiny\n%model Qwen/Qwen3-0.6B --quant nf4\n"
        "%model https://api.example.com/v1#large --key-env API_KEY --price-in 0.5 --price-out 2\n",
    )
    add = parser.add_argument
    add(
        "spec",
        nargs="?",
        help="tiny, org/name[@revision], a folder, a tuned model, or http://host/v1#name",
    )
    add("--revision", metavar="REV", help="branch, tag or commit of org/name")
    add("--quant", metavar="METHOD", help="auto, none, int8, nf4, ...: how weights are kept")
    add("--dtype", metavar="TYPE", help="of unquantized weights: bfloat16, float16, float32")
    add("--device", metavar="DEVICE", help="cuda, cuda:1, mps, cpu or auto")
    add("--as", dest="name", metavar="NAME", help="what to call it")
    add("--adapter", metavar="PATH", help="folder of a peft adapter")
    add("--trust-remote-code", action="store_true", help="run code from its repository")
    add("--allow-pickle", action="store_true", help="load weights that are not safetensors")
    add("--key-env", metavar="VARIABLE", help="environment variable with a server's key")
    add("--price-in", type=float, metavar="USD", help="a server's price of a million tokens read")
    add("--price-out", type=float, metavar="USD", help="the same for tokens written")
    add("--concurrency", type=int, metavar="N", help="most requests to a server at once")
    return parser


def run(call: Call) -> object:
    """Load the model, or show what is loaded."""
    session, values = call.session, call.values
    if values.spec is not None:
        names = (
            "name", "revision", "quant", "dtype", "device", "adapter", "trust_remote_code",
            "allow_pickle", "key_env", "price_in", "price_out", "concurrency",
        )  # fmt: skip
        session.load(values.spec, **options(values, names))
    return session.loaded()
