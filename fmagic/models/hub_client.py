"""What fmagic takes from the hub's client (huggingface_hub) besides its plain functions."""

from __future__ import annotations

import contextlib
import importlib
import re
import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from fmagic.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

TOO_MANY = 429  # requests, as HTTP says it
A_MOMENT = 0.01  # seconds; the client does not even try a lock in none
LONGEST_CONFIG = 10_000_000  # bytes


def headers() -> dict[str, str]:
    """Return what is sent with each request: who asks, and the user's token if there is one."""
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]  # no name of it is exported by the letter

    found: dict[str, str] = build_hf_headers(library_name="fmagic")
    return found


def must_be_good(response: Any) -> None:
    """Raise the client's error for an answer that is a refusal.

    Raises:
        HfHubHTTPError: one of its subclasses says which.
    """
    from huggingface_hub.utils import hf_raise_for_status  # type: ignore[attr-defined]  # as above

    hf_raise_for_status(response)


def small_file(name: str, file: str, commit: str, seconds: float) -> bytes:
    """Return the content of a small file of a model, such as its config.json.

    Args:
        name: `org/name`.
        file: with its folders.
        commit: whose file it is.
        seconds: to wait for an answer.

    Raises:
        HfHubHTTPError: the hub refuses it.
        ModelError: it is not small at all.
    """
    from huggingface_hub import get_session, hf_hub_url

    url = hf_hub_url(name, file, revision=commit)
    content = b""
    with get_session().stream("GET", url, headers=headers(), timeout=seconds) as response:
        must_be_good(response)
        for chunk in response.iter_bytes():
            content += chunk
            if len(content) > LONGEST_CONFIG:
                raise ModelError(f"{file} of {name} on the hub is broken: it is too long.")
    return content


def lock(file: Path, seconds: float) -> AbstractContextManager[Any]:
    """Return the client's lock on a file, which raises `TimeoutError` when others hold it longer."""
    from huggingface_hub.utils import WeakFileLock  # type: ignore[attr-defined]  # as above

    held: AbstractContextManager[Any] = WeakFileLock(file, timeout=seconds)
    return held


def excludes(file: Path) -> bool:
    """Tell whether a lock that is held here keeps others out: on some network disks none does."""
    try:
        with lock(file, A_MOMENT):
            return False
    except TimeoutError:
        return True


def quiet() -> AbstractContextManager[Any]:
    """Return a block in which the client draws no progress bars."""
    from huggingface_hub.utils import disable_progress_bars  # type: ignore[attr-defined]  # as above

    block: AbstractContextManager[Any] = disable_progress_bars()
    return block


def no_answer() -> type[Exception]:
    """Return the error of a connection.

    It is httpx's, by the only name that stays the same between versions of the client.
    """
    from huggingface_hub import errors

    found: type[Exception] = vars(errors)["HTTPError"]
    return found


def waiting_time(error: Any) -> float | None:
    """Return the seconds that a hub which gets too many requests asks to wait; else `None`.

    Args:
        error: an `HfHubHTTPError`.
    """
    response = error.response
    if response.status_code != TOO_MANY:
        return None
    asked = str(response.headers.get("Retry-After", "")).strip()
    if asked.isdigit():
        return float(asked)
    with contextlib.suppress(TypeError, ValueError):
        return max(0.0, parsedate_to_datetime(asked).timestamp() - time.time())
    # `"api";r=0;t=55` of the draft on rate limits: 55 seconds until there is more.
    found = re.search(r";\s*t\s*=\s*(\d+)", str(response.headers.get("ratelimit", "")))
    return float(found[1]) if found else float("inf")


def bar_class(progress: Callable[[int, int], None] | None, done: int, total: int) -> type[Any]:
    """Return a progress bar class of tqdm that draws nothing and calls `progress`.

    Args:
        progress: called with bytes done and bytes in all.
        done: what was done before.
        total: bytes in all.
    """
    base: Any = importlib.import_module("huggingface_hub.utils.tqdm").tqdm

    class Reporter(base):  # type: ignore[misc]  # tqdm has no types
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            # One bar counts bytes on disk, another bytes received; files have one as well.
            self._reports = kwargs.get("name") == "huggingface_hub.snapshot_download"
            self._sum = done + int(kwargs.get("initial") or 0)
            super().__init__(*args, **{**kwargs, "disable": True})

        def update(self, n: float | None = 1) -> None:
            if self._reports and progress is not None and n:
                self._sum += int(n)
                progress(min(self._sum, total), total)

    return Reporter
