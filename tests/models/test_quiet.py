"""What is silenced comes back, whichever thread ends last."""

from __future__ import annotations

import logging
import threading
import warnings

from fmagic.models.quiet import SILENT, quiet


def test_blocks_of_two_threads_that_overlap_leave_all_as_it_was() -> None:
    logger = logging.getLogger("transformers")
    level, rules = logger.level, list(warnings.filters)
    inside, left = threading.Event(), threading.Event()

    def other() -> None:
        with quiet():
            inside.set()
            assert left.wait(10)

    thread = threading.Thread(target=other)
    with quiet():
        thread.start()
        assert inside.wait(10)
    assert logger.level == SILENT
    left.set()
    thread.join()
    assert logger.level == level
    assert warnings.filters == rules
