"""Coroutines in a thread of their own, for a main thread that can be stopped."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from typing import Any

T = TypeVar("T")

TICK = 0.1  # seconds between two looks whether Stop was asked for
PARTING = 0.4  # seconds to wait until cancelled requests are closed


@dataclass(frozen=True, slots=True)
class _End:
    error: BaseException | None


def pump(work: Callable[[Callable[[T], None]], Coroutine[Any, Any, None]]) -> Iterator[T | None]:
    """Run a coroutine in a thread and yield what it hands over.

    `None` comes while there is nothing new, so that the consumer can be stopped. Closing the
    generator cancels the coroutine, which closes its connections.

    Args:
        work: called with the function that hands something over.
    """
    found: queue.SimpleQueue[T | _End] = queue.SimpleQueue()
    loop = asyncio.new_event_loop()
    task = loop.create_task(work(found.put))

    def run() -> None:
        error: BaseException | None = None
        try:
            loop.run_until_complete(task)
        except BaseException as failure:  # noqa: BLE001 - handed to the consumer, who raises it
            error = failure
        found.put(_End(error))
        try:
            loop.run_until_complete(_tidy())
        finally:
            loop.close()

    worker = threading.Thread(target=run, name="fmagic-remote", daemon=True)
    worker.start()
    try:
        while True:
            try:
                item = found.get(timeout=TICK)
            except queue.Empty:
                yield None
                continue
            if isinstance(item, _End):
                if item.error is not None:
                    raise _first(item.error)
                return
            yield item
    finally:
        with contextlib.suppress(RuntimeError):  # the loop has ended already
            loop.call_soon_threadsafe(task.cancel)
        worker.join(PARTING)


async def _tidy() -> None:
    """Wait for what is left: streams that were given up are closed by tasks of their own."""
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.gather(*rest, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_asyncgens()


def _first(error: BaseException) -> BaseException:
    """Return the first error of a group: the others are its consequence, or alike."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
