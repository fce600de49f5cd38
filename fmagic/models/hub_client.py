"""What fmagic takes from the hub's client (huggingface_hub) besides its plain functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path


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


def lock(file: Path, seconds: float) -> AbstractContextManager[Any]:
    """Return the client's lock on a file, which raises `TimeoutError` when others hold it longer."""
    from huggingface_hub.utils import WeakFileLock  # type: ignore[attr-defined]  # as above

    held: AbstractContextManager[Any] = WeakFileLock(file, timeout=seconds)
    return held


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
