"""What goes wrong between here and a server, in words for the user."""

from __future__ import annotations

import contextlib
import json
import re
import ssl
import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from fmagic.errors import ContextLengthError, FmagicError, ModelNotFoundError, ServerError

if TYPE_CHECKING:
    import httpx

    from fmagic.models.remote.endpoint import Endpoint

AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
TOO_MANY, DENIED, NOT_FOUND, FAILED = 429, (401, 403), 404, 500
TOO_LONG = re.compile(
    r"context[ _]length|context[ _]window|context size|maximum (?:sequence|input|prompt) length|"
    r"too many (?:input )?tokens|(?:prompt|input|text)s? (?:is|are) too long|"
    r"longer than the (?:maximum|model)|exceeds? the (?:available )?context",
    re.IGNORECASE,
)


class Trouble(Exception):  # noqa: N818 - for use between here and the one who retries
    """A request that failed.

    Attributes:
        error: what to tell the user.
        again: whether the same request may succeed later.
        after: seconds that the server wants to be left alone, if it says so.
        status: of the answer, `None` without one.
        said: the server's words.
    """

    def __init__(
        self,
        error: FmagicError,
        *,
        again: bool = False,
        after: float | None = None,
        status: int | None = None,
        said: str = "",
    ) -> None:
        super().__init__(str(error))
        self.error = error
        self.again = again
        self.after = after
        self.status = status
        self.said = said


def transport_trouble(endpoint: Endpoint, error: Exception, silence: float) -> Trouble:
    """Say what an error of httpx means.

    Args:
        endpoint: the server.
        error: a `TransportError`, `DecodingError` or `InvalidURL`.
        silence: seconds without a byte that were waited.
    """
    import httpx

    host = endpoint.host
    if isinstance(error, httpx.ConnectTimeout | httpx.ConnectError | httpx.ProxyError):
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, ssl.SSLError):
            cause = cause.__cause__ or cause.__context__
        if cause is not None:
            return Trouble(
                ServerError(f"No safe connection to {host}: {endpoint.hidden(str(cause))}.")
            )
        return Trouble(
            ServerError(f"No server answers at {host}. Start it, or check the address."), again=True
        )
    if isinstance(error, httpx.TimeoutException):
        said = (
            f"{host} sent nothing for {silence:g} seconds. Wait until it is less busy, or raise "
            "`%config Fmagic.remote_timeout` and load the model again."
        )
        return Trouble(ServerError(said), again=True)
    if isinstance(error, httpx.NetworkError | httpx.RemoteProtocolError):
        said = f"{host} broke off its answer. Look whether the server still runs, and run it again."
        return Trouble(ServerError(said), again=True)
    said = endpoint.hidden(str(error))
    return Trouble(ServerError(f"{endpoint.base} cannot be asked: {said}."))


def refusal(endpoint: Endpoint, model: str, status: int, said: str, after: float | None) -> Trouble:
    """Say what a status means.

    Args:
        endpoint: the server.
        model: name of the model there.
        status: of the answer, 400 or more.
        said: the server's words, fit to be shown.
        after: seconds that the server wants to be left alone.
    """
    host, words = endpoint.host, f": {said}" if said else ""
    error: FmagicError
    if status in DENIED:
        if endpoint.key_env is None:
            remedy = "Put a key into an environment variable and name it: --key-env VARIABLE."
        else:
            remedy = f"Check the key in the environment variable {endpoint.key_env}."
        error = ServerError(f"{host} does not let us in ({status}). {remedy}")
    elif TOO_LONG.search(said):
        error = ContextLengthError(
            f"The text is too long for {model} on {host}{words}. Shorten it, or ask for fewer "
            "tokens with --max-tokens."
        )
    elif status == NOT_FOUND and "model" in said.lower():
        error = ModelNotFoundError(f"{host} has no model {model!r}{words}")
    elif status == TOO_MANY:
        wait = f" It wants to be left alone for {after:,.0f} seconds." if after else ""
        error = ServerError(
            f"{host} takes no more requests now (429){words}.{wait} Wait, or load the model again "
            "with a smaller --concurrency."
        )
    elif status in AGAIN or status >= FAILED:
        error = ServerError(f"{host} failed ({status}){words}. Look at the server's log.")
    else:
        error = ServerError(f"{host} refuses the request ({status}){words}")
    spent = "insufficient_quota" in said or "exceeded your current quota" in said
    return Trouble(
        error, again=status in AGAIN and not spent, after=after, status=status, said=said
    )


def words_of(content: bytes, response: httpx.Response) -> str:
    """Return what a refusal says, or what its status means."""
    try:
        return message_of(json.loads(content)) or response.reason_phrase
    except ValueError:
        # A page of HTML says nothing here that its status does not say.
        return response.reason_phrase


def message_of(error: Any) -> str:
    """Return the words in an error's JSON, of which each server has a form of its own."""
    if isinstance(error, str):
        return error
    if isinstance(error, list):  # FastAPI: [{"loc": ["body", "seed"], "msg": ...}]
        return "; ".join(message_of(each) for each in error[:4])
    if not isinstance(error, dict):
        return ""
    if "msg" in error:
        place = error.get("loc")
        named = ".".join(map(str, place)) + ": " if isinstance(place, list) else ""
        return f"{named}{error['msg']}"
    for name in ("error", "message", "detail"):
        if found := message_of(error.get(name)):
            code = error.get("code")
            return f"{found} ({code})" if isinstance(code, str) and code not in found else found
    return ""


def retry_after(response: httpx.Response) -> float | None:
    """Return the seconds of a Retry-After, which may also be a date."""
    text = response.headers.get("retry-after", "").strip()
    with contextlib.suppress(ValueError):
        return max(0.0, float(text))
    with contextlib.suppress(ValueError):
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    return None
