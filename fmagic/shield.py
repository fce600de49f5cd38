"""A block that Stop cannot break in the middle."""

from __future__ import annotations

import importlib
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from types import FrameType, TracebackType


class Shield:
    """A block that Stop cannot break in the middle; `struck` tells afterwards if it tried.

    An optimizer that has updated half of its weights, or half a saved model, is worth nothing.
    Outside the main thread there is nothing to do: Python delivers Stop to the main thread alone.
    """

    def __init__(self) -> None:
        self.struck = False
        self._before: Any = None
        self._active = False

    def __enter__(self) -> Self:
        self._active = threading.current_thread() is threading.main_thread()
        if self._active:
            self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        stack: TracebackType | None,
    ) -> None:
        if self._active:
            signal.signal(signal.SIGINT, self._before)

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        self.struck = True


def import_whole(*names: str) -> None:
    """Import modules; a Stop strikes when that is done.

    Libraries register operators with torch while they are imported. Stopped in the middle of it,
    they can neither be used nor imported again before the kernel is restarted.
    """
    if all(name in sys.modules for name in names):
        return
    with Shield() as shield:
        for name in names:
            importlib.import_module(name)
    if shield.struck:
        raise KeyboardInterrupt
