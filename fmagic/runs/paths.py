"""Absolute paths, reduced to the last name in them: a record travels, the folders do not."""

from __future__ import annotations

import os
import re
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection

_SEPARATORS = re.compile(r"[\\/]+")
_ABSOLUTE = re.compile(r"(?:/[^/\n]+){2,}/?|(?:[A-Za-z]:[\\/]|\\\\[^\\\n]+\\)[^\n]*")
# Of a magic's line the paths are options, not prose.
_MAGIC_LINE = re.compile(r"(?m)^[ \t]*%%?\w[^\n]*")
_IN_LINE = re.compile(r"(?<=[\s=\"'])(?:/[^\s/\"']+){2,}/?|(?<=[\s=\"'])[A-Za-z]:[\\/][^\s\"']+")
_TAIL = r"(?:[\\/]+[^\s\\/\"'`<>|:*?,;()\[\]{}]+)*[\\/]*"


@dataclass(frozen=True, slots=True)
class Roots:
    """The folders of this machine that must not be told."""

    home: str
    others: tuple[str, ...] = ()

    @classmethod
    def here(cls) -> Roots:
        """Return the home, working and temporary folder of this process."""
        try:
            working = str(Path.cwd())
        except FileNotFoundError:  # it was deleted under the kernel
            working = ""
        home = os.path.expanduser("~")  # noqa: PTH111 - Path.expanduser raises where there is no home
        return _with_real(home, working, tempfile.gettempdir())


@lru_cache(maxsize=8)
def _with_real(home: str, *others: str) -> Roots:
    real = {os.path.realpath(folder) for folder in (home, *others) if folder}
    return Roots(home, tuple(sorted({*others, *real})))


def reduce_paths(value: Any, roots: Roots, *, texts: Collection[tuple[str, ...]] = ()) -> Any:
    """Return `value`, of JSON types, with the absolute paths in its strings reduced to a name.

    A string that is an absolute path as a whole becomes its last name, and so does one on the line
    of a magic; elsewhere in a text only paths under `roots` do, the home folder itself becoming `~`.

    Args:
        value: what to go through, dictionary keys included.
        roots: the folders of this machine.
        texts: where in `value`, as keys from the outside in, prose stands. A prose that is as a
            whole of the form `/a/b` is left as it is.
    """
    return _reduce(value, _pattern(roots), roots.home, texts, ())


def _reduce(
    value: Any,
    pattern: re.Pattern[str] | None,
    home: str,
    texts: Collection[tuple[str, ...]],
    place: tuple[str, ...],
) -> Any:
    if isinstance(value, str):
        if place not in texts and _ABSOLUTE.fullmatch(value):
            return _last(value) if value.rstrip("\\/") != home.rstrip("\\/") else "~"
        told = pattern.sub(lambda match: _stand_in(match, home), value) if pattern else value
        return _MAGIC_LINE.sub(_shorten, told) if "%" in told else told
    if isinstance(value, list):
        return [_reduce(item, pattern, home, texts, (*place, "")) for item in value]
    if isinstance(value, dict):
        return {
            _reduce(key, pattern, home, texts, (*place, "", key)): _reduce(
                item, pattern, home, texts, (*place, key)
            )
            for key, item in value.items()
        }
    return value


def _shorten(line: re.Match[str]) -> str:
    return _IN_LINE.sub(lambda match: _last(match.group()), line.group())


def _last(path: str) -> str:
    return [part for part in _SEPARATORS.split(path) if part][-1]


def _stand_in(match: re.Match[str], home: str) -> str:
    if _parts(match.group()) == _parts(home):
        return "~"
    return _last(match.group())


def _parts(path: str) -> list[str]:
    return [part.lower() for part in _SEPARATORS.split(path) if part]


@lru_cache(maxsize=8)
def _pattern(roots: Roots) -> re.Pattern[str] | None:
    choices = [_choice(root) for root in (roots.home, *roots.others)]
    found = sorted({choice for choice in choices if choice}, key=lambda choice: -len(choice))
    return re.compile(f"(?:{'|'.join(found)}){_TAIL}") if found else None


def _choice(root: str) -> str:
    """Return the pattern of one folder; empty if it is none or the root of everything."""
    drive = re.match(r"[A-Za-z]:", root)
    parts = [part for part in _SEPARATORS.split(root[2:] if drive else root) if part]
    if not parts or not (drive or root.startswith(("/", "\\"))):
        return ""
    body = r"[\\/]+" + r"[\\/]+".join(map(re.escape, parts))
    # Not the beginning of a longer name: /home/ann in /home/anna or /home/ann.old.
    end = r"(?![\w-])(?!\.\w)"
    if drive:
        return rf"(?i:{re.escape(drive.group())}{body}){end}"
    # A single name is common inside addresses: https://host/tmp/x.
    start = r"(?<![\w.~-])" if len(parts) == 1 else ""
    return f"{start}{body}{end}"
