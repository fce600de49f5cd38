"""Writing a file whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path


def write(text: str, target: str | None, default: str, *, encoding: str = "utf-8") -> str:
    """Write a text file and return its name as the user knows it.

    A file of that name is replaced once the new one is complete; line ends stay as they are.

    Args:
        text: what to write.
        target: where; `~` is the home folder.
        default: where to if `target` is `None`.
        encoding: of the file.

    Raises:
        OSError: it cannot be written there.
    """
    path = Path(target or default).expanduser()
    if path.exists() and not path.is_file():
        kind = "a folder" if path.is_dir() else "no regular file"
        raise OSError(f"it is {kind}; give the name of a file")
    whole = path.resolve()  # a link goes on to point to the same file
    part = whole.with_name(f".{whole.name}.{os.getpid()}.part")
    try:
        part.write_text(text, encoding=encoding, newline="")
        part.replace(whole)
    finally:
        part.unlink(missing_ok=True)
    return target or default
