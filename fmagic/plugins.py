"""What is found by its presence: the files of a folder, and the entry points of other packages."""

from __future__ import annotations

import importlib
import pkgutil
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator


def plugins(package: str, group: str, *, skip: Collection[str] = ()) -> Iterator[Any]:
    """Yield the modules of a package, then the modules or objects that other packages add.

    Args:
        package: its full name; files in it that begin with `_` are what the others share.
        group: of the entry points.
        skip: names of modules of the package that are no plugins.
    """
    for each in pkgutil.iter_modules(importlib.import_module(package).__path__):
        if not each.name.startswith("_") and each.name not in skip:
            yield importlib.import_module(f"{package}.{each.name}")
    for point in entry_points(group=group):
        yield point.load()
