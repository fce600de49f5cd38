"""`%%embed`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fmagic.errors import DataError
from fmagic.magics.arguments import Arguments, find_data, identifier, options

if TYPE_CHECKING:
    from fmagic.magics import Call

NAMES = {"embed": "line_cell"}
FREE_TEXT = False


def arguments() -> Arguments:
    """Return the options of the magic."""
    parser = Arguments(
        "%%embed",
        "Make vectors: of each line of the cell, of each paragraph if it has empty lines, "
        "or of a column of a table.",
        "example:\n\n%embed --data reviews --text text -o vectors\n",
    )
    add = parser.add_argument
    add("--data", metavar="NAME", help="a variable or a file; the cell is empty then")
    add("--text", metavar="COLUMN", help="column that holds the texts")
    add("--model", metavar="NAME", help="a loaded model or a spec; the current model if absent")
    add("--truncate", action="store_true", help="cut texts that are too long")
    add("-o", "--out", type=identifier, metavar="NAME", help="variable for the result")
    return parser


def run(call: Call) -> object:
    """Embed the cell's texts or the table's."""
    values = call.values
    shared = options(values, ("model", "truncate"))
    if values.data is None:
        if values.text is not None:
            raise DataError(
                f"--text {values.text} is a column of a table: name it with --data NAME."
            )
        if not call.body.strip():
            raise DataError(
                "The cell has no text. Write one text a line, or use --data NAME --text COLUMN."
            )
        return call.session.embed(texts_in(call.body), **shared)
    if call.body.strip():
        raise DataError("The cell has texts and names --data too: leave one of them out.")
    return call.session.embed(
        find_data(values.data, call.variables),
        column=values.text,
        data_name=values.data,
        **shared,
    )


def texts_in(body: str) -> list[str]:
    """Return the paragraphs of a text that has empty lines, else its lines."""
    lines = [line.rstrip() for line in body.strip("\n").splitlines()]
    if all(lines):
        return lines
    paragraphs: list[list[str]] = [[]]
    for line in lines:
        if line:
            paragraphs[-1].append(line)
        else:
            paragraphs.append([])
    return ["\n".join(paragraph) for paragraph in paragraphs if paragraph]
