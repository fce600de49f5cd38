"""fmagic: foundation models as a native part of a notebook.

`%load_ext fmagic` adds the magics; `import fmagic as fm` has the same as functions: `fm.load`,
`fm.prompt`, `fm.embed`, `fm.evaluate`, `fm.finetune`, `fm.runs` and more. All of them are methods
of one `Session`, made at first use. Importing this package loads nothing heavy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import cast

    from fmagic.session import Session

    _typed = cast("Session", None)
    doctor = _typed.doctor
    embed = _typed.embed
    evaluate = _typed.evaluate
    finetune = _typed.finetune
    load = _typed.load
    models = _typed.models
    prompt = _typed.prompt
    runs = _typed.runs
    status = _typed.status
    unload = _typed.unload

FUNCTIONS = (
    "doctor",
    "embed",
    "evaluate",
    "finetune",
    "load",
    "models",
    "prompt",
    "runs",
    "status",
    "unload",
)
__all__ = ["FUNCTIONS", "get_session", "load_ipython_extension", *FUNCTIONS]  # noqa: PLE0604 - FUNCTIONS holds strings


def get_session() -> Session:
    """Return the session of this kernel or, outside IPython, of this process."""
    from fmagic.kernel import session

    return session()


def load_ipython_extension(shell: Any) -> None:
    """Add the magics to an IPython shell; `%load_ext fmagic` calls this."""
    from fmagic.kernel import register

    register(shell)


def __getattr__(name: str) -> Any:
    if name in FUNCTIONS:
        return getattr(get_session(), name)
    raise AttributeError(f"module 'fmagic' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
