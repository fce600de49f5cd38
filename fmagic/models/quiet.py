"""Keep what libraries say while a model loads away from the cell.

Load reports, progress bars, advice and warnings of transformers, peft and bitsandbytes mean little
to a user; what matters is found out by fmagic and said in its own words. Everything is as it was
when the block ends.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import warnings
import weakref
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

TALKATIVE = ("accelerate", "bitsandbytes", "huggingface_hub", "peft", "torch", "transformers")
SILENT = logging.CRITICAL + 1
CASTS = "MatMul8bitLt: inputs will be cast"
CASTS_LOGGER = "bitsandbytes.autograd._functions"
_lock = threading.Lock()
_blocks: list[object] = []
_silence = contextlib.ExitStack()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence loggers, progress bars and warnings of the model libraries within a block.

    What is silenced belongs to the process, so blocks of several threads share one silence: it
    begins with the first and ends with the last.
    """
    block = object()
    try:
        with _lock:
            _blocks.append(block)
            if len(_blocks) == 1:
                _silence.enter_context(_silent())
        yield
    finally:
        with _lock:  # Stop may have struck before the block was noted
            if block in _blocks:
                _blocks.remove(block)
            if not _blocks:
                _silence.close()


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    from transformers.utils import logging as transformers_logging

    # A logger with a level of its own ignores its parent's, hence all of those. The others, and
    # those of modules that are imported within the block, inherit the silence of the first part of
    # their name. Each change of a level takes about as long as there are loggers.
    names = [
        name
        for name, each in logging.root.manager.loggerDict.items()
        if name.partition(".")[0] in TALKATIVE and isinstance(each, logging.Logger) and each.level
    ]
    levels = {logging.getLogger(name): 0 for name in (*TALKATIVE, *names)}
    for logger in levels:
        levels[logger] = logger.level
        logger.setLevel(SILENT)
    bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in levels.items():
            logger.setLevel(level)
        if bars:
            transformers_logging.enable_progress_bar()


def hush_casts(module: Any) -> None:
    """Leave out the warning that int8 layers log at each step, as long as `module` lives."""
    logger = logging.getLogger(CASTS_LOGGER)
    rule = _Casts()
    logger.addFilter(rule)
    weakref.finalize(module, logger.removeFilter, rule)


class _Casts(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return not record.getMessage().startswith(CASTS)
