"""Tab in the cells of fmagic: options, names of models and templates, variables, runs.

It works in every front end, since the completer of IPython asks it. What is proposed comes from the
parsers of the magics themselves, so a new option is known here without a further word.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from fmagic.errors import DataError
from fmagic.magics import magics
from fmagic.magics.runs import VERBS

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Sequence

    from fmagic.magics.arguments import Arguments
    from fmagic.session import Session

_MAGIC = re.compile(r"\s*(%{1,2})([A-Za-z_]\w*)(?=\s|$)")
_OPEN = re.compile(r"\{[{%](?:(?![%}]\}).)*$", re.DOTALL)
_DATA = re.compile(r"--data[ =](\S+)")
ROLES = ("system:", "user:", "assistant:")
TEMPLATES = frozenset({"prompt", "evaluate", "finetune"})
"""Cell magics whose body is a template."""
FILES = (".csv", ".tsv", ".jsonl", ".json", ".parquet")
LARGEST_FILE = 5_000_000
MOST_RUNS = 20


def register(shell: Any, session: Callable[[], Session]) -> None:
    """Let a shell's completer ask for completions; a second time changes nothing.

    Args:
        shell: the IPython shell.
        session: returns the session, at the first completion that needs it.
    """
    from IPython.core.completer import SimpleCompletion, context_matcher

    completer = getattr(shell, "Completer", None)
    if completer is None or any(
        getattr(each, "matcher_identifier", "") == __name__ for each in completer.custom_matchers
    ):
        return

    @context_matcher(identifier=__name__)  # type: ignore[untyped-decorator]  # IPython has it without types
    def match(context: Any) -> dict[str, Any]:
        found = complete(context.full_text, context.cursor_line, context.cursor_position, session)
        start, texts = found
        fragment = context.text_until_cursor[start:]
        if not context.token.endswith(fragment):  # IPython can only replace a part of its token
            texts = [text[len(fragment) - len(context.token) :] for text in texts]
            fragment = context.token
        return {
            "completions": [SimpleCompletion(text, type="magic") for text in texts],
            "matched_fragment": fragment,
            "suppress": bool(texts),
            "ordered": True,
        }

    completer.custom_matchers.append(match)


def complete(
    text: str, line: int, column: int, session: Callable[[], Session]
) -> tuple[int, list[str]]:
    """Return what may stand at a place of a cell.

    Args:
        text: the cell.
        line: of the place, from 0.
        column: of the place in its line, from 0.
        session: returns the session.

    Returns:
        The column from which on text is replaced, and what by.
    """
    lines = text.split("\n")
    before = lines[line][:column]
    head = _MAGIC.match(lines[0])
    if head and head[1] == "%%" and line > 0:
        if head[2] not in TEMPLATES:
            return column, []
        whole = "\n".join([*lines[1:line], before])
        return _in_template(before, whole, lines[0], session)
    magic = _MAGIC.match(before)
    parser = _parsers().get(magic[2]) if magic else None
    if magic is None or parser is None:
        return column, []
    return _in_line(magic[2], parser, before, magic.end(), session)


@cache
def _parsers() -> dict[str, Arguments]:
    return {name: magic.arguments() for magic in magics() for name in magic.NAMES}


def _in_line(
    name: str, parser: Arguments, before: str, start: int, session: Callable[[], Session]
) -> tuple[int, list[str]]:
    words = re.split(r"[\s=]", before[start:])
    word, past = words[-1], [each for each in words[:-1] if each]
    place = len(before) - len(word)
    last = parser._option_string_actions.get(past[-1]) if past else None  # noqa: SLF001 - argparse has no public way
    if last is not None and last.nargs != 0:
        values = _values(name, last, session())
    elif word.startswith("-"):
        used = {each for each in past if each.startswith("-")}
        options = [each for action in parser._actions for each in action.option_strings]  # noqa: SLF001 - as above
        values = [each for each in options if each.startswith("--") and each not in used]
    else:
        values = _words(name, _positional(parser, past), session())
    return place, _starting(values, word)


def _positional(parser: Arguments, past: Sequence[str]) -> list[str]:
    found, skip = [], False
    for word in past:
        action = parser._option_string_actions.get(word)  # noqa: SLF001 - as above
        if skip or action is not None:
            skip = action is not None and action.nargs != 0
        else:
            found.append(word)
    return found


def _values(magic: str, action: argparse.Action, session: Session) -> Iterable[str]:
    """Return what the value of an option may be."""
    if action.choices:
        return map(str, action.choices)
    if magic == "runs":
        return _of_runs(action.dest, session)
    found: dict[str, Callable[[], list[str]]] = {
        "model": lambda: _models(session),
        "template": lambda: list(session.templates),
        "data": lambda: _tables(session),
        "eval": lambda: _tables(session),
        "quant": _quants,
        "dtype": _dtypes,
        "adapter": _folders,
    }
    return found[action.dest]() if action.dest in found else []


def _words(magic: str, past: Sequence[str], session: Session) -> Iterable[str]:
    """Return what a word that is no option may be."""
    if magic == "runs":
        return _runs_words(past, session)
    if magic == "model" and not past:
        return [*_models(session), *_folders()]
    if magic == "unload" and not past:
        return list(session.by_name)
    return []


def _runs_words(past: Sequence[str], session: Session) -> Iterable[str]:
    if not past:
        return VERBS
    if past == ["export"]:
        from fmagic.runs.exporters import exporters

        return list(exporters())
    if past[0] in {"diff", "plot"} or (past[0] in VERBS and len(past) == 1):
        return [record.short_id for record in list(session.runs())[: -MOST_RUNS - 1 : -1]]
    return []


def _of_runs(option: str, session: Session) -> Iterable[str]:
    from fmagic.runs.query import names_of

    records = list(session.runs())
    if option in {"sort", "x", "y"}:
        return ["started", "seconds", "model", "seed", *names_of(records)]
    found: dict[str, list[str]] = {
        "kind": [record.kind for record in records],
        "status": [record.status for record in records],
        "model": [record.model.name for record in records if record.model],
        "tags": [tag for record in records for tag in record.tags],
        "remove": [tag for record in records for tag in record.tags],
    }
    return found.get(option, [])


def _in_template(
    before: str, whole: str, head: str, session: Callable[[], Session]
) -> tuple[int, list[str]]:
    inside = _OPEN.search(whole)
    if inside:
        word = re.search(r"\w*$", before)
        assert word is not None
        return word.start(), _starting(_names(head, session()), word[0])
    # A role stands alone in its line. Without a letter everything would be one.
    return 0, _starting(ROLES, before) if before else []


def _names(head: str, session: Session) -> Iterator[str]:
    """Yield the columns of the cell's data, then the user's variables."""
    variables = session.front.variables()
    if named := _DATA.search(head):
        variable, _, part = named[1].strip("\"'").partition(".")
        table = variables.get(variable)
        if table is None:
            yield from _columns_of_file(Path(named[1].strip("\"'")))
        elif part in ("", "frame"):
            yield from _columns(table)
    for name, value in variables.items():
        if not callable(value) and not isinstance(value, ModuleType | FunctionType):
            yield name


def _columns(data: object) -> list[str]:
    from fmagic.results import Result

    if isinstance(data, type):  # a class of tables, imported by its name
        return []
    if isinstance(data, Result):
        data = getattr(data, "frame", None)
    columns = getattr(data, "columns", None)
    if columns is None:
        columns = getattr(data, "column_names", None)
    if columns is None and isinstance(data, list) and data and isinstance(data[0], dict):
        columns = data[0]
    if columns is None and isinstance(data, dict):
        columns = data if all(isinstance(value, list) for value in data.values()) else None
    return [str(each) for each in columns] if isinstance(columns, Iterable) else []


def _columns_of_file(file: Path) -> list[str]:
    """Return the columns of a file that is small enough to read while somebody types."""
    from fmagic.data import open_rows

    try:
        known = file.suffix in FILES and file.stat().st_size <= LARGEST_FILE
        return list(open_rows(file).columns) if known else []
    except (OSError, DataError):
        return []


def _tables(session: Session) -> list[str]:
    names = [name for name, value in session.front.variables().items() if _columns(value)]
    files = [file.name for file in sorted(Path().iterdir()) if file.suffix in FILES]
    return [*names, *files]


def _models(session: Session) -> list[str]:
    from fmagic.models.spec import known_names

    return [*session.by_name, *known_names(Path(session.settings.models_dir))]


def _quants() -> list[str]:
    from fmagic.models.quant import AUTO, methods

    return [AUTO, "none", *methods()]


def _dtypes() -> list[str]:
    from fmagic.models.precision import BYTES

    return ["auto", *BYTES]


def _folders() -> list[str]:
    return [f"{folder.parent.name}/" for folder in sorted(Path().glob("*/config.json"))]


def _starting(names: Iterable[str], word: str) -> list[str]:
    return [name for name in dict.fromkeys(names) if name.startswith(word)]
