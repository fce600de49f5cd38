"""One file per magic, found by its presence.

A module here, or an entry point in the group `fmagic.magics`, holds

    NAMES: dict[str, str]        name of each magic -> "line", "cell" or "line_cell"
    FREE_TEXT: bool              whether a line may end in a text that is taken as it stands
    def arguments() -> Arguments
    def run(call: Call) -> object

`run` parses nothing and shows nothing: it resolves names, calls one method of the session and
returns what it returned.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from fmagic.errors import FmagicError, OptionError, TemplateError
from fmagic.plugins import plugins
from fmagic.template import Template

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping

    from fmagic.magics.arguments import Arguments
    from fmagic.results import View
    from fmagic.session import Session

ENTRY_POINTS = "fmagic.magics"
HELPERS = {"arguments"}  # modules of this folder that are no magic


@dataclass(frozen=True, slots=True)
class Call:
    """One use of a magic.

    Attributes:
        session: of the kernel.
        values: what the line says.
        body: the text of the cell, or the free text of a line magic.
        name: under which the magic was called.
    """

    session: Session
    values: argparse.Namespace
    body: str
    name: str

    @property
    def variables(self) -> Mapping[str, object]:
        """The user's variables."""
        return self.session.front.variables()

    def template(self) -> Template:
        """Return the cell's template, or the saved one that it names; keep it if asked.

        Raises:
            TemplateError: the cell is empty, or it has a text and names a saved template too.
        """
        saved = self.values.template
        if saved and self.body.strip():
            raise TemplateError(
                f"The cell has a text and names the template {saved!r}: leave one of them out."
            )
        text = self.session.saved_template(saved) if saved else self.body
        if self.values.save:
            self.session.save_template(self.values.save, text)
        return Template.parse(text)


class Magic(Protocol):
    """What a module in this folder offers."""

    NAMES: dict[str, str]
    FREE_TEXT: bool

    def arguments(self) -> Arguments:
        """Return the options of the magic."""

    def run(self, call: Call) -> object:
        """Do it and return the value of the cell."""


def magics() -> Iterator[Magic]:
    """Return the built-in magics, then those of other packages."""
    return plugins(__name__, ENTRY_POINTS, skip=HELPERS)


def register(shell: Any, session: Any) -> None:
    """Make all magics known to a shell.

    Args:
        shell: the IPython shell.
        session: a function that returns the session; called at the first use of a magic, so that
            loading the extension stays instant.
    """
    free = []
    for magic in magics():
        for name, kind in magic.NAMES.items():
            shell.register_magic_function(_function(magic, name, shell, session), kind, name)
            if magic.FREE_TEXT and kind != "cell":
                free.append(name)
    cleanups = shell.input_transformers_cleanup
    cleanups[:] = [each for each in cleanups if not isinstance(each, _Asking)]
    cleanups.append(_Asking(free))


class _Asking:
    """A transformer of cells by which the text of some line magics may end in a question mark.

    IPython takes such a line for a look at its last word, unless something follows the mark.
    """

    def __init__(self, names: list[str]) -> None:
        asked = "|".join(names)
        self._line = re.compile(rf"(\s*(?:[\w\s,]+=\s*)?%(?:{asked})\s+\S.*\?)(\s*)")

    def __call__(self, lines: list[str]) -> list[str]:
        if lines and lines[0].startswith("%%"):
            return lines
        matches = map(self._line.fullmatch, lines)
        return [
            f"{found[1]} {found[2]}" if found else line
            for line, found in zip(lines, matches, strict=True)
        ]


def _function(magic: Magic, name: str, shell: Any, session: Any) -> Any:
    from IPython.core.magic import no_var_expand

    read = cache(magic.arguments)

    def call(line: str, cell: str | None = None) -> object:
        if cell is None and magic.FREE_TEXT:
            values, body = read().read_text(line)
        else:
            values, body = read().read(line), cell or ""
        if isinstance(values, str):
            print(values)  # noqa: T201 - help is text for the reader of the cell
            return None
        out = getattr(values, "out", None)
        data = getattr(values, "data", None) or ""
        if out and out == re.split(r"\W", data)[0] and (out == data or not Path(data).is_file()):
            raise OptionError(
                f"-o {out} would replace the table that --data reads, which the next run of this "
                "cell needs. Give the result another name."
            )
        try:
            result = magic.run(Call(session(), values, body, name))
        except FmagicError as ended:
            if out and ended.result is not None:
                shell.user_ns[out] = ended.result
            raise
        if out:
            shell.user_ns[out] = result
            return None
        return result

    call.__name__ = name
    call.__doc__ = read().format_help()
    # Braces and dollar signs in a prompt are the user's own; elsewhere {name} stands for a variable.
    return no_var_expand(call) if magic.FREE_TEXT else call


def overview() -> View:
    """Return the list of magics with what each does."""
    from fmagic.results import View
    from fmagic.views import Table

    rows = [
        (parser.prog, parser.description) for magic in magics() for parser in [magic.arguments()]
    ]
    return View(Table(["magic", "what it does"], rows), rows)
