"""The tasks of the bundled model: every module in this folder that defines `TASK`."""

import importlib
import pkgutil

from fmagic.models.tiny.tasks.base import Task


def load_tasks() -> dict[str, Task]:
    """Import the task modules of this folder and return their tasks by name, sorted."""
    found: dict[str, Task] = {}
    for info in pkgutil.iter_modules(__path__):
        task = getattr(importlib.import_module(f"{__name__}.{info.name}"), "TASK", None)
        if task is not None:
            found[task.name] = task
    return dict(sorted(found.items()))
