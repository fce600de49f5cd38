"""A random stream of training's own."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch


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
