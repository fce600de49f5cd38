"""One session for each IPython shell, and one for a process without a shell."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fmagic.frontend import Desk
    from fmagic.session import Session
    from fmagic.settings import Fmagic


def session() -> Session:
    """Return the session of the current shell; it is made at the first call."""
    import sys

    shell = None
    if "IPython" in sys.modules:
        from IPython.core.getipython import get_ipython

        shell = get_ipython()
    return _session(shell)


def register(shell: Any) -> None:
    """Add the magics and the settings to a shell, and answer its front ends."""
    from fmagic.completion import register as register_completion
    from fmagic.magics import register as register_magics

    settings = _settings(shell)
    if settings not in shell.configurables:
        shell.configurables.append(settings)  # where %config looks
    register_magics(shell, lambda: _session(shell))
    register_completion(shell, lambda: _session(shell))
    _desk(shell)


# A cache is no state of ours to manage: a shell is made once and lives as long as its process.
@cache
def _settings(shell: Any) -> Fmagic:
    from pathlib import Path

    from fmagic.settings import Fmagic

    return Fmagic.from_pyproject(Path.cwd(), parent=shell)


@cache
def _desk(shell: Any) -> Desk | None:
    from fmagic.frontend import connect

    return connect(shell)


@cache
def _session(shell: Any) -> Session:
    from fmagic.session import Session

    if shell is None:
        return Session()
    from fmagic.live import Notebook

    settings = _settings(shell)
    desk = _desk(shell)
    if desk is None:
        return Session(settings, Notebook(shell, settings))
    desk.session = Session(settings, Notebook(shell, settings, desk.changed))
    return desk.session
