"""What a server answers, read with care: it may be any program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fmagic.errors import ServerError
from fmagic.models.remote.errors import Trouble
from fmagic.models.sampling import Completion

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from fmagic.models.remote.endpoint import Endpoint

AT_LIMIT = "length"


class Reply:
    """One answer of a chat, as it comes in.

    Args:
        endpoint: the server, for messages.
        stop: texts at which the answer ends, should the server have passed over them.
    """

    def __init__(self, endpoint: Endpoint, stop: Sequence[str]) -> None:
        self._endpoint = endpoint
        self._stop = stop
        self._text = ""
        self._finish: str | None = None
        self._stopped = False
        self._read: int | None = None
        self._written: int | None = None

    def take(self, event: dict[str, Any]) -> str:
        """Take an object of the stream, or a whole answer, and return the new text of it."""
        self._count(event.get("usage"))
        choices = event.get("choices")
        if choices in (None, []):
            return ""
        if not isinstance(choices, list) or not isinstance(choices[0], dict):
            raise self._odd("choices")
        choice = choices[0]
        content = choice.get("delta") or choice.get("message") or {}
        if not isinstance(content, dict):
            raise self._odd("delta")
        text = content.get("content")
        if text is not None and not isinstance(text, str):
            raise self._odd("content")
        if (finish := choice.get("finish_reason")) is not None:
            self._finish = str(finish)
        return self._append(text or "")

    def completion(self) -> Completion:
        """Return the whole answer.

        Raises:
            Trouble: the end is missing.
        """
        if self._finish is None:
            raise Trouble(
                ServerError(
                    f"{self._endpoint.host} broke off its answer. Look whether the server still "
                    "runs, and run it again."
                ),
                again=True,
            )
        at_limit = self._finish == AT_LIMIT and not self._stopped
        return Completion(
            self._text.strip(), self._read, self._written, "length" if at_limit else "stop"
        )

    def _append(self, new: str) -> str:
        if self._stopped or not new:
            return ""
        before = len(self._text)
        self._text += new
        places = [self._text.find(each) for each in self._stop]
        if found := [place for place in places if place >= 0]:
            self._stopped = True
            self._text = self._text[: min(found)]
        return self._text[before:]

    def _count(self, usage: Any) -> None:
        if isinstance(usage, dict):
            self._read = tokens_of(usage, "prompt_tokens", self._read)
            self._written = tokens_of(usage, "completion_tokens", self._written)

    def _odd(self, what: str) -> Trouble:
        return Trouble(
            ServerError(
                f"{self._endpoint.host} sent what is no part of an answer: its {what!r} cannot be "
                "read. Look at the server's log."
            )
        )


def tokens_of(usage: dict[str, Any], name: str, otherwise: int | None = None) -> int | None:
    """Return a count of tokens, `otherwise` if there is none that can be one."""
    found = usage.get(name)
    return found if type(found) is int and found >= 0 else otherwise


def read_vectors(answer: Any, count: int, endpoint: Endpoint) -> tuple[np.ndarray, int | None]:
    """Return the vectors in an answer, in the order of the texts, and the tokens read.

    Returns:
        float32 of shape `(count, d)`, each of length 1, and the tokens, `None` if not told.

    Raises:
        ServerError: there are other vectors than those that were asked for.
    """
    import numpy as np

    wrong = ServerError(
        f"{endpoint.host} sent what are no vectors of {count:,} texts. Look at the server's log, "
        "and check that the model makes vectors."
    )
    data = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(data, list) or len(data) != count:
        raise wrong
    try:
        ordered = sorted(data, key=lambda each: int(each["index"]))
        if [each["index"] for each in ordered] != list(range(count)):
            raise wrong
        vectors = np.array([each["embedding"] for each in ordered], dtype=np.float32)
    except (KeyError, TypeError, ValueError):
        raise wrong from None
    if vectors.ndim != 2 or not np.isfinite(vectors).all():  # noqa: PLR2004 - texts and dimensions
        raise wrong
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not (lengths > 0).all():
        raise wrong
    usage = answer.get("usage")
    tokens = tokens_of(usage, "prompt_tokens") if isinstance(usage, dict) else None
    return vectors / lengths, tokens
