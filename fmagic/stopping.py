"""Stop from another thread: it ends one operation, and nothing after it."""

from __future__ import annotations

import _thread
import signal
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from fmagic.shield import Shield

if TYPE_CHECKING:
    from types import TracebackType


# Seconds after which an interrupt that has not been felt was lost.
GRACE = 0.2


@dataclass(eq=False)
class Work:
    """One operation that is going on.

    Attributes:
        run: id of its run.
        kind: of the run, `prompt`.
        cell: id of the cell that asked for it, if its front end gave one.
    """

    run: str
    kind: str
    cell: str | None
    _stops: Stops = field(repr=False)
    _struck: float | None = field(default=None, repr=False)
    _raise: bool = field(default=False, repr=False)

    def __enter__(self) -> Self:
        # Not in a cell with a bare `await`, for example: there Stop only ends the waiting.
        self._raise = (
            threading.current_thread() is threading.main_thread()
            and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        )
        self._stops.going[self.run] = self
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        stack: TracebackType | None,
    ) -> None:
        try:
            # A Stop that comes too late strikes here, and not what the cell does next.
            with Shield(), self._stops.lock:
                del self._stops.going[self.run]
        finally:
            self._stops.going.pop(self.run, None)

    @property
    def is_due(self) -> bool:
        """Whether Stop is to be raised between two events.

        Where it was raised already it may have been lost: a finalizer, which Python calls in the
        middle of anything, passes on no exception.
        """
        if self._struck is None:
            return False
        return not self._raise or time.monotonic() - self._struck > GRACE

    def strike(self) -> None:
        """Ask for Stop, once: a second one would break the tidying up after the first.

        Where an interrupt of the kernel raises `KeyboardInterrupt`, this does so too, in the middle
        of a pass if need be.
        """
        if self._struck is None:
            self._struck = time.monotonic()
            if self._raise:
                _thread.interrupt_main()


class Stops:
    """The operations of a session that are going on.

    Attributes:
        going: them by the id of their run, in the order of their start.
        lock: held while one is struck, and while one ends.
    """

    def __init__(self) -> None:
        self.going: dict[str, Work] = {}
        self.lock = threading.Lock()

    def work(self, run: str, kind: str, cell: str | None) -> Work:
        """Return a block in which an operation can be stopped."""
        return Work(run, kind, cell, self)

    def stop(self, run: str) -> bool:
        """Stop an operation, as Stop of the notebook does; callable from any other thread.

        Returns:
            Whether it was going on.
        """
        with self.lock:
            work = self.going.get(run)
            if work is not None:
                work.strike()
            return work is not None
