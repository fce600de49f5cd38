"""What keeps training from disturbing others, and others from disturbing training."""

from __future__ import annotations

import contextlib
import signal
import threading
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType, TracebackType

    import torch


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


class Randomness:
    """A random stream of torch's that is in force only where `own` says so.

    Args:
        seed: where it begins.
        device: whose stream to keep beside that of the CPU.
    """

    def __init__(self, seed: int, device: torch.device) -> None:
        import torch

        self._devices = [device] if device.type == "cuda" else []
        with torch.random.fork_rng(devices=self._devices):
            torch.manual_seed(seed)
            self._states = self._read()

    @contextlib.contextmanager
    def own(self) -> Iterator[None]:
        """Draw from this stream within a block; the global one is as it was when it ends."""
        import torch

        with torch.random.fork_rng(devices=self._devices):
            torch.set_rng_state(self._states[0])
            for device, state in zip(self._devices, self._states[1:], strict=True):
                torch.cuda.set_rng_state(state, device)
            try:
                yield
            finally:
                self._states = self._read()

    def _read(self) -> list[torch.Tensor]:
        import torch

        return [
            torch.get_rng_state(),
            *(torch.cuda.get_rng_state(device) for device in self._devices),
        ]
