"""Arguments of magics: argparse, with errors that say what to do and fail the cell."""

from __future__ import annotations

import argparse
import keyword
import re
import shlex
from typing import TYPE_CHECKING, NoReturn

from fmagic.errors import DataError, OptionError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any


VALUE = r"""\s*("[^"]*"|'[^']*'|\S+)"""

_DASHED_VALUE = re.compile(r"-(?!-?[A-Za-z])")


class _Help(Exception):  # noqa: N818 - not a fault: carries the help text to whom asked for it
    """`--help` was among the arguments."""


class _ShowHelp(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object, **__: object) -> NoReturn:
        raise _Help(parser.format_help())


class Arguments(argparse.ArgumentParser):
    """The options of one magic.

    Args:
        name: as it is typed, with its percent signs.
        description: first line of its help.
        epilog: an example.
    """

    def __init__(self, name: str, description: str, epilog: str = "") -> None:
        super().__init__(
            prog=name,
            description=description,
            epilog=epilog,
            add_help=False,
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        self.add_argument("--help", "-h", nargs=0, action=_ShowHelp, help="show this")

    @property
    def _line(self) -> str:
        """The name as a line magic, for which IPython asks no body."""
        return f"%{self.prog.lstrip('%')}"

    def error(self, message: str) -> NoReturn:
        """Turn argparse's complaint into an error of the cell."""
        raise OptionError(f"{self.prog}: {message}. `{self._line} --help` lists the options.")

    def read(self, line: str) -> argparse.Namespace | str:
        """Return the values in a magic's line, or the help text if that was asked for.

        Raises:
            OptionError: an unknown option, a missing or a wrong value, or an open quote.
        """
        words = self._joined(self._words(line))
        try:
            values, unknown = self.parse_known_args(words)
        except _Help as asked:
            return str(asked)
        except OptionError:
            # What is misspelt is what seems to be missing.
            options = [word for word in words if word.startswith("--")]
            known_ones = self._option_string_actions
            unknown = [each for each in options if each.partition("=")[0] not in known_ones]
            if not unknown:
                raise
        if unknown:
            word = unknown[0]
            before = words[words.index(word) - 1] if word in words[1:] else ""
            if before.endswith(","):
                raise OptionError(
                    f"{self.prog} has no argument {word}: a space ends a value. Leave out the space "
                    f'after the comma, or put all of it in quotes: "{before} {word}".'
                )
            if word.startswith("#"):
                raise OptionError(
                    f"{self.prog}: a comment cannot stand in the line of a magic. Put it on a line "
                    "of its own, or leave it out."
                )
            known = [name for action in self._actions for name in action.option_strings]
            what = "option" if word.startswith("-") else "argument"
            raise OptionError(
                f"{self.prog} has no {what} {word.partition('=')[0]}."
                f"{did_you_mean(word.partition('=')[0], known)} "
                f"`{self._line} --help` lists them."
            )
        return values

    def _joined(self, words: list[str]) -> list[str]:
        """Put values such as -1,0,1 and --- to their options, for which argparse takes them."""
        joined: list[str] = []
        for word in words:
            action = self._option_string_actions.get(joined[-1]) if joined else None
            if action is not None and action.nargs is None and _DASHED_VALUE.match(word):
                joined[-1] += f"={word}"
            else:
                joined.append(word)
        return joined

    def read_text(self, line: str) -> tuple[argparse.Namespace | str, str]:
        """Return the values of the options that a line begins with, and the free text after them.

        The text is taken as it stands: quotes and braces in it mean nothing here.

        Raises:
            OptionError: as for `read`.
        """
        place = 0
        while option := re.match(r"\s*(--?[A-Za-z][\w-]*)(=?)", line[place:]):
            action = self._option_string_actions.get(option[1])
            place += option.end()
            if option[2] or (action is not None and action.nargs != 0):
                value = re.match(VALUE, line[place:])
                place += value.end() if value else 0
            elif action is None:
                break
        text = line[place:].strip()
        late = re.search(r"\s(--?[A-Za-z][\w-]*)(?:[\s=]+\S+)?$", text)
        if late and late[1] in self._option_string_actions:
            last = late[0].strip()
            raise OptionError(
                f"{last} stands after the text, as a part of it. Options come first: "
                f"`{self._line} {last} {text[: late.start()]}`. If it is text, write it in a cell "
                f"of %{self._line}."
            )
        return self.read(line[:place]), text

    def _words(self, line: str) -> list[str]:
        # Like shlex.split, but a backslash is a character: Windows paths hold them.
        lexer = shlex.shlex(line, posix=True)
        lexer.whitespace_split = True
        lexer.escape = lexer.commenters = ""
        try:
            return list(lexer)
        except ValueError as error:
            raise OptionError(f"{self.prog}: {error} in: {line.strip()}") from None


def comma_separated(text: str) -> list[str]:
    """Return the parts of `a,b,c`, or of a list as Python writes it, without surrounding space."""
    listed = re.fullmatch(r"\s*[\[(](.*?),?\s*[\])]\s*", text)
    parts = [part.strip() for part in (listed[1] if listed else text).split(",")]
    return [part.strip("\"'") for part in parts] if listed else parts


def identifier(text: str) -> str:
    """Return a name that a variable can have."""
    if not text.isidentifier() or keyword.iskeyword(text):
        raise argparse.ArgumentTypeError(f"{text!r} cannot be the name of a variable")
    return text


def _with_escapes(text: str) -> str:
    r"""Return a text with line feeds and tabs for its `\n` and `\t`: a line can hold no others."""
    return text.replace(r"\n", "\n").replace(r"\t", "\t")


def add_sampling(arguments: Arguments) -> None:
    """Add how an answer is chosen and when it ends."""
    add = arguments.add_argument
    add("--max-tokens", type=int, metavar="N", help="most tokens of an answer")
    add("--temperature", type=float, metavar="T", help="0 takes the likeliest token each time")
    add("--top-p", type=float, metavar="P", help="share of the probability to sample from")
    add(
        "--stop",
        action="append",
        type=_with_escapes,
        default=[],
        metavar="TEXT",
        help=r"end at this text, such as \n; repeatable",
    )
    add("--choices", type=comma_separated, default=[], metavar="A,B", help="answer one of these")


def add_template(arguments: Arguments, *, data_needed: bool = False) -> None:
    """Add where a template and its values come from, and where the result goes."""
    add = arguments.add_argument
    add(
        "--data",
        required=data_needed,
        metavar="NAME",
        help="a variable (frame, list of dicts, dataset) or a .csv, .jsonl or .parquet file",
    )
    add("--model", metavar="NAME", help="a loaded model or a spec; the current model if absent")
    add("--template", metavar="NAME", help="use a saved template; the cell is empty then")
    add("--save", metavar="NAME", help="keep this template under a name")
    add("--seed", type=int, metavar="N", help="start of the random numbers")
    add("--truncate", action="store_true", help="cut prompts that are too long")
    add(
        "--on-missing",
        choices=["error", "skip", "keep"],
        default="error",
        help="rows with None or NaN in a used column",
    )
    add("-o", "--out", type=identifier, metavar="NAME", help="variable for the result")


def find_data(name: str, variables: Mapping[str, object]) -> object:
    """Return the variable `name`, or `a.b` of a variable, or the path if there is none.

    Raises:
        DataError: neither a variable nor a path, or a variable that is `None`.
    """
    from pathlib import Path

    first, *rest = [name] if name in variables else name.split(".")
    path = Path(name).expanduser()
    if first in variables and not (rest and path.exists()):
        found = variables[first]
        for part in rest:
            if not hasattr(found, part):
                raise DataError(
                    f"{first} has no {name.removeprefix(f'{first}.')}, and there is no file {name}."
                )
            found = getattr(found, part)
        if found is None:
            raise DataError(
                f"{name} is None and no table. A method with inplace=True returns None, for example."
            )
        return found
    if "://" in name:
        return name
    if path.suffix or path.exists():
        return path
    raise DataError(
        f"No variable is called {name!r}.{did_you_mean(name, variables)} "
        "--data takes a variable or a file such as reviews.csv."
    )


def options(values: argparse.Namespace, names: Sequence[str]) -> dict[str, Any]:
    """Return some of the values as keyword arguments."""
    return {name: getattr(values, name) for name in names}
