"""fmagic: foundation models as a native part of a notebook.

`%load_ext fmagic` adds the magics; `import fmagic as fm` has the same as functions: `fm.load`,
`fm.prompt`, `fm.embed`, `fm.evaluate`, `fm.finetune`, `fm.runs` and more. All of them are methods
of one `Session`, made at first use. Importing this package loads nothing heavy.
"""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, Any

from fmagic import models as _models
from fmagic import runs as _runs
from fmagic.errors import FmagicError

if TYPE_CHECKING:
    from typing import cast

    from fmagic.session import Session

    _typed = cast("Session", None)
    diff_runs = _typed.diff_runs
    doctor = _typed.doctor
    embed = _typed.embed
    evaluate = _typed.evaluate
    export_runs = _typed.export_runs
    finetune = _typed.finetune
    load = _typed.load
    models = _typed.models
    note_run = _typed.note_run
    pick = _typed.pick
    plot_runs = _typed.plot_runs
    prompt = _typed.prompt
    recover_runs = _typed.recover_runs
    rerun = _typed.rerun
    runs = _typed.runs
    show_run = _typed.show_run
    status = _typed.status
    tag_run = _typed.tag_run
    unload = _typed.unload

FUNCTIONS = (
    "diff_runs",
    "doctor",
    "embed",
    "evaluate",
    "export_runs",
    "finetune",
    "load",
    "models",
    "note_run",
    "pick",
    "plot_runs",
    "prompt",
    "recover_runs",
    "rerun",
    "runs",
    "show_run",
    "status",
    "tag_run",
    "unload",
)
__all__ = ["FUNCTIONS", "FmagicError", "get_session", "load_ipython_extension", *FUNCTIONS]  # noqa: PLE0604 - FUNCTIONS holds strings


def get_session() -> Session:
    """Return the session of this kernel or, outside IPython, of this process."""
    from fmagic.kernel import session

    return session()


def load_ipython_extension(shell: Any) -> None:
    """Add the magics to an IPython shell; `%load_ext fmagic` calls this."""
    from fmagic.kernel import register

    register(shell)


class _Twin(ModuleType):
    """A package of this name that is also the function: `fm.runs()` beside `fmagic.runs.log`.

    Importing any of its modules puts the package in the place of the function, so it answers calls.
    """

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return getattr(get_session(), self.__name__.rpartition(".")[2])(*args, **kwargs)


for _package in (_models, _runs):
    _package.__class__ = _Twin


def __getattr__(name: str) -> Any:
    if name in FUNCTIONS:
        return getattr(get_session(), name)
    raise AttributeError(f"module 'fmagic' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
