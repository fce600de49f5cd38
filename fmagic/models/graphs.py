"""One stream of tokens through fixed buffers, which a GPU can replay as one piece of work.

A small model at batch 1 spends most of its time waiting: Python starts hundreds of kernels for
each token, and each is over before the next one comes. A CUDA graph records the kernels of one
step and starts them all at once. Its tensors may not move, so the keys and values lie in the static
layers of transformers here, of which a mask hides what is not written yet. With the mask another
kernel of attention may run than without, so scores agree up to rounding.

Not every model can be recorded: one that looks at a value on the way (routing, rotary scaling by
length, 8-bit layers) cannot. Then the ordinary way goes on.
"""

from __future__ import annotations

import contextlib
import time
import warnings
from typing import TYPE_CHECKING

import torch
from transformers import Cache
from transformers.cache_utils import StaticLayer

from fmagic.models.memory import is_shortage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Recorder = Callable[[Callable[[], None], torch.device], Callable[[], None]]
    States = Sequence[tuple[torch.Tensor, torch.Tensor]]

SHORTEST = 256  # columns; every step attends to all of them
WASTE = 4  # a recording serves for as little as this part of its columns
AHEAD = 512  # columns kept free at the start; longer answers move to a larger recording
WORTH = 8  # tokens to come below which nothing is recorded
MOST_KEPT = 4096  # columns of a recording that waits for the next text


def record(work: Callable[[], None], device: torch.device) -> Callable[[], None]:
    """Record what `work` does on a CUDA device, and return what does it again.

    Raises:
        RuntimeError: it does something that cannot be recorded.
    """
    with torch.cuda.device(device):
        # The default stream of a recording belongs to the device that recorded first.
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        stream.wait_stream(torch.cuda.current_stream())
        try:
            with torch.cuda.stream(stream):
                work()  # libraries take their workspaces
                # A recording that fails can leave the allocator unusable, so what would make it
                # fail is found before: whatever waits for the device.
                with _waiting_is_an_error():
                    work()
                graph = torch.cuda.CUDAGraph()
                # Other threads may ask the driver for the memory meanwhile.
                with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
                    work()
        finally:
            # Whoever gets these buffers next waits for what is still to be written to them.
            torch.cuda.current_stream().wait_stream(stream)
    replay: Callable[[], None] = graph.replay
    return replay


@contextlib.contextmanager
def _waiting_is_an_error() -> Iterator[None]:
    """Let whatever waits for the device raise, without torch's warning that this is a prototype."""
    mode = torch.cuda.get_sync_debug_mode()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.cuda.set_sync_debug_mode("error")
        try:
            yield
        finally:
            torch.cuda.set_sync_debug_mode(mode)


class Steps:
    """Reads one token after the other, always in the same buffers.

    Args:
        forward: `Decoder.forward`.
        states: keys and values of each layer that are known, shape `(1, heads, tokens, size)`.
        columns: most tokens that fit.
        recorder: `record`, or what stands for it.

    Raises:
        RuntimeError: the model cannot be recorded, or there is too little memory.
    """

    @torch.inference_mode()
    def __init__(
        self,
        forward: Callable[..., torch.Tensor],
        states: States,
        columns: int,
        recorder: Recorder,
    ) -> None:
        device = states[0][0].device
        self.columns = columns
        self._ids = torch.zeros((1, 1), dtype=torch.long, device=device)
        self._positions = torch.zeros_like(self._ids)
        self._cache = Cache(layers=[StaticLayer(columns) for _ in states])
        for layer, (keys, values) in zip(self._cache.layers, states, strict=True):
            layer.lazy_initialization(keys, values)

        def work() -> None:
            self._logits = forward(self._ids, None, self._positions, self._cache)

        self._replay = recorder(work, device)
        self.begin(states)

    @torch.inference_mode()
    def begin(self, states: States) -> None:
        """Forget the last text, and take over the keys and values of another."""
        for layer, (keys, values) in zip(self._cache.layers, states, strict=True):
            layer.cumulative_length.zero_()
            layer.update(keys, values)
        self.length = states[0][0].shape[2]

    @torch.inference_mode()
    def read(self, token: torch.Tensor) -> torch.Tensor:
        """Read one more token, shape `(1,)`.

        Returns:
            Scores of the next one, shape `(1, vocabulary)`, overwritten by the next call.
        """
        self._ids.copy_(token[:, None])
        self._positions.fill_(self.length)
        self._replay()
        self.length += 1
        return self._logits

    @property
    def states(self) -> States:
        """Keys and values of the tokens that were read."""
        return [
            (layer.keys[:, :, : self.length], layer.values[:, :, : self.length])
            for layer in self._cache.layers
        ]


class Graphs:
    """Makes and lends the recordings of a model; the last one is kept for the next text.

    Args:
        forward: `Decoder.forward`.
        context_length: most tokens of prompt and answer together.
        recorder: records the work of a step.

    Attributes:
        seconds: what the recordings took so far.
        refusal: why this model cannot be recorded, once that was tried.
    """

    def __init__(
        self,
        forward: Callable[..., torch.Tensor],
        context_length: int,
        recorder: Recorder,
    ) -> None:
        self._forward = forward
        self._context_length = context_length
        self._recorder = recorder
        self._kept: Steps | None = None
        self.seconds = 0.0
        self.refusal: str | None = None

    def begin(self, cache: Cache, left: int) -> Steps | None:
        """Go on from what `cache` holds, for `left` tokens; `None` if the ordinary way is better."""
        if self.refusal is not None or left < WORTH:
            return None
        return self._borrow([(layer.keys, layer.values) for layer in cache.layers], left)

    def after(self, steps: Steps, left: int) -> Steps | None:
        """Return `steps` while they have room, then larger ones; `None` if there is no memory."""
        return steps if steps.length < steps.columns else self._borrow(steps.states, left)

    def give_back(self, steps: Steps) -> None:
        """Keep what `begin` or `after` returned, for the next text."""
        self._kept = steps if steps.columns <= MOST_KEPT else None

    def forget(self) -> None:
        """Free the recording that is kept."""
        self._kept = None

    def remarks(self, name: str) -> Sequence[str]:
        """Say whether there is a recording, and what it took."""
        if self.refusal is not None:
            return [f"{name} cannot be recorded as a CUDA graph ({self.refusal})."]
        if not self.seconds:
            return []
        return [f"{name} writes single answers by CUDA graphs, recorded in {self.seconds:.1f} s."]

    def _borrow(self, states: States, left: int) -> Steps | None:
        columns = self._columns(states[0][0].shape[2] + min(left, AHEAD))
        kept, self._kept = self._kept, None
        if kept and columns <= kept.columns <= WASTE * columns:
            kept.begin(states)
            return kept
        del kept  # its buffers make room for the new ones
        started = time.perf_counter()
        try:
            steps = Steps(self._forward, states, columns, self._recorder)
        except Exception as error:  # noqa: BLE001 - whatever it is, the ordinary way is still there
            if not is_shortage(error):
                self.refusal = str(error).partition("\n")[0] or type(error).__name__
            return None
        self.seconds += time.perf_counter() - started
        return steps

    def _columns(self, needed: int) -> int:
        columns = SHORTEST
        while columns < needed:
            columns *= 2
        return max(needed, min(columns, self._context_length))
