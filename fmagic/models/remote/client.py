"""HTTP to a server that speaks the OpenAI protocol: requests, and when they are made again."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import time
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from fmagic.errors import FmagicError, ServerError
from fmagic.models.remote.endpoint import is_local
from fmagic.models.remote.errors import (
    FAILED,
    TOO_MANY,
    Trouble,
    message_of,
    refusal,
    retry_after,
    transport_trouble,
    words_of,
)
from fmagic.models.remote.sse import EventStream

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator

    import httpx

    from fmagic.models.remote.endpoint import Endpoint

T = TypeVar("T")

MOST_OF_AN_ERROR = 64 * 1024  # bytes of a refusal
LAST_WORDS = 0.5  # seconds for what a server sends after the end of a stream


def _bytes_of(response: httpx.Response) -> AsyncGenerator[bytes, None]:
    """Return the body in pieces, as what it is: a generator that has to be closed."""
    return cast("AsyncGenerator[bytes, None]", response.aiter_bytes())


async def _drained(pieces: AsyncGenerator[bytes, None]) -> None:
    """Read what comes after the end of a stream: only then can the connection serve once more."""
    import httpx

    with contextlib.suppress(TimeoutError, httpx.HTTPError):
        async with asyncio.timeout(LAST_WORDS):
            async for _ in pieces:
                continue


def _no_authorities() -> ssl.SSLContext:
    """Return a context that trusts nobody; reading all authorities takes a while."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class Client:
    """Requests of one run; an asynchronous context.

    Args:
        endpoint: the server.
        model: name of the model there, for messages.
        connections: most requests at once.
        silence: seconds without a byte, if not those of the endpoint.
    """

    def __init__(
        self, endpoint: Endpoint, model: str, *, connections: int = 1, silence: float | None = None
    ) -> None:
        self.endpoint = endpoint
        self._model = model
        self._connections = connections
        self._silence = silence or endpoint.patience.silence
        self._resume = 0.0  # no request starts before this moment of the monotonic clock

    async def __aenter__(self) -> Self:
        import httpx

        key, base = self.endpoint.key(), self.endpoint.base
        wait = httpx.Timeout(self._silence, connect=self.endpoint.patience.connect, pool=None)
        try:
            self._client = httpx.AsyncClient(
                headers={"Authorization": f"Bearer {key}"} if key else {},
                timeout=wait,
                limits=httpx.Limits(max_connections=self._connections),
                verify=True if base.startswith("https:") else _no_authorities(),
                # A proxy reaches no server of this machine.
                trust_env=not is_local(base),
            )
        except (ImportError, ValueError) as error:
            # The address of a proxy may hold a password.
            how = "install httpx[socks]" if isinstance(error, ImportError) else "correct it"
            raise ServerError(
                f"The proxy that this machine names (ALL_PROXY, HTTPS_PROXY, HTTP_PROXY) cannot be "
                f"used: {how}, or unset it for this server with NO_PROXY."
            ) from None
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def json(self, method: str, path: str, body: Any = None) -> Any:
        """Return what the server answers, once.

        Raises:
            Trouble: it does not answer, or with an error, or no JSON.
        """
        with self._in_words():
            async with self._client.stream(
                method, self.endpoint.base + path, json=body
            ) as response:
                await self._check(response)
                return self._parsed(await response.aread(), response)

    async def events(self, path: str, body: Any) -> AsyncGenerator[dict[str, Any], None]:
        """Yield the objects of an event stream; a plain JSON answer counts as one.

        The stream ends with `[DONE]` or with the connection; whether anything is missing is for
        the reader to say.

        Raises:
            Trouble: as for `json`, or an event that is no JSON object.
        """
        with self._in_words():
            async with self._client.stream(
                "POST", self.endpoint.base + path, json=body
            ) as response:
                await self._check(response)
                if "json" in response.headers.get("content-type", ""):
                    yield self._object(self._parsed(await response.aread(), response))
                    return
                stream = EventStream()
                async with contextlib.aclosing(_bytes_of(response)) as found:
                    async for piece in found:
                        for data in stream.feed(piece):
                            if data.strip() == "[DONE]":
                                await _drained(found)
                                return
                            yield self._event(data)

    async def patiently(
        self, attempt: Callable[[], Awaitable[T]], adapt: Callable[[Trouble], bool] | None = None
    ) -> T:
        """Return the result of an attempt, made again after failures that may pass.

        Args:
            attempt: makes a request; may raise `Trouble`.
            adapt: may change what is requested; says whether it did.

        Raises:
            FmagicError: what the last trouble means.
        """
        patience = self.endpoint.patience
        failed = 0
        while True:
            if (wait := self._resume - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            try:
                return await attempt()
            except Trouble as trouble:
                if adapt is not None and adapt(trouble):
                    continue
                failed += 1
                wants = trouble.after or 0.0
                if not trouble.again or failed > patience.retries or wants > patience.longest_wait:
                    raise self._final(trouble, failed) from None
                wait = max(wants, patience.delay(failed))
                if trouble.status == TOO_MANY:  # a limit holds for all rows
                    self._resume = max(self._resume, time.monotonic() + wait)
            await asyncio.sleep(wait)

    def _final(self, trouble: Trouble, attempts: int) -> FmagicError:
        error = trouble.error
        if not trouble.again or attempts == 1:
            return error
        made = type(error)(f"{error} It was asked {attempts} times.")
        made.place = error.place
        return made

    @contextlib.contextmanager
    def _in_words(self) -> Iterator[None]:
        import httpx

        try:
            yield
        except (httpx.TransportError, httpx.DecodingError, httpx.InvalidURL) as error:
            raise transport_trouble(self.endpoint, error, self._silence) from None

    async def _check(self, response: httpx.Response) -> None:
        if response.is_success:
            return
        content = b""
        async with contextlib.aclosing(_bytes_of(response)) as found:
            async for piece in found:
                content += piece
                if len(content) > MOST_OF_AN_ERROR:
                    break
        said = self.endpoint.hidden(words_of(content, response))
        raise refusal(self.endpoint, self._model, response.status_code, said, retry_after(response))

    def _parsed(self, content: bytes, response: httpx.Response) -> Any:
        try:
            return json.loads(content)
        except ValueError:
            kind = response.headers.get("content-type", "an unknown type").partition(";")[0]
            raise Trouble(
                ServerError(
                    f"{self.endpoint.base} does not speak the OpenAI protocol: it answered with "
                    f"{self.endpoint.hidden(kind)} that is no JSON. Check the address; it usually "
                    "ends in /v1."
                )
            ) from None

    def _event(self, data: str) -> dict[str, Any]:
        try:
            found = json.loads(data)
        except ValueError:
            raise Trouble(self._malformed(data)) from None
        return self._object(found)

    def _object(self, found: Any) -> dict[str, Any]:
        if not isinstance(found, dict):
            raise Trouble(self._malformed(json.dumps(found)))
        if error := found.get("error"):
            said = self.endpoint.hidden(message_of(error) or "an error without words")
            code = error.get("code") if isinstance(error, dict) else None
            status = code if isinstance(code, int) else FAILED
            raise refusal(self.endpoint, self._model, status, said, None)
        return cast("dict[str, Any]", found)

    def _malformed(self, data: str) -> ServerError:
        return ServerError(
            f"{self.endpoint.host} sent what is no part of an answer: "
            f"{self.endpoint.hidden(data)[:80]!r}. Look at the server's log."
        )
