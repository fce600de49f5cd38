"""From an address to a model that can be asked: is the server there, and does it know the name?"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from fmagic.errors import ModelNotFoundError, OptionError, ServerError, did_you_mean
from fmagic.models.devices import Device
from fmagic.models.remote.client import Client
from fmagic.models.remote.endpoint import Endpoint, Patience, is_local
from fmagic.models.remote.errors import Trouble
from fmagic.models.remote.model import RemoteModel
from fmagic.models.remote.pump import pump
from fmagic.models.remote.request import REFUSED

if TYPE_CHECKING:
    from collections.abc import Callable

    from fmagic.models.spec import ModelSpec
    from fmagic.settings import Fmagic

# Whose key is where everybody keeps it.
WELL_KNOWN = {"api.openai.com": "OPENAI_API_KEY"}
UNLISTED = frozenset({404, 405, 501})
SHOWN_NAMES = 8
# Under these names servers tell how many tokens a model reads and writes together.
CONTEXT_NAMES = ("max_model_len", "context_length", "max_context_length")


@dataclass(frozen=True, slots=True)
class Access:
    """How a server is used; each is `None` if not given.

    Attributes:
        key_env: environment variable with the key.
        price_in: US dollars for a million tokens read.
        price_out: the same for tokens written.
        concurrency: most requests at once.
    """

    key_env: str | None = None
    price_in: float | None = None
    price_out: float | None = None
    concurrency: int | None = None

    def check(self) -> None:
        """Raise `OptionError` for a value out of its range."""
        for option, price in (("--price-in", self.price_in), ("--price-out", self.price_out)):
            if price is not None and not (price >= 0 and math.isfinite(price)):
                raise OptionError(
                    f"{option} is in US dollars for a million tokens, 0 or more, not {price}."
                )
        if self.concurrency is not None and self.concurrency < 1:
            raise OptionError(f"--concurrency must be at least 1, not {self.concurrency}.")

    @property
    def given(self) -> list[str]:
        """The options that were given, as they are typed."""
        pairs = (
            ("--key-env", self.key_env),
            ("--price-in", self.price_in),
            ("--price-out", self.price_out),
            ("--concurrency", self.concurrency),
        )
        return [option for option, value in pairs if value is not None]


@dataclass(frozen=True, slots=True)
class _Found:
    """What a server says about a model."""

    owner: str | None = None
    context_length: int = 0
    notice: str | None = None


def connect(
    spec: ModelSpec,
    *,
    name: str,
    access: Access,
    settings: Fmagic,
    patience: Patience | None = None,
) -> RemoteModel:
    """Look a server and a model up, and return the model.

    Args:
        spec: of the kind `remote`.
        name: under which the session knows it.
        access: key, prices and concurrency.
        settings: of the session.
        patience: how long to wait; that of the settings if not given.

    Raises:
        OptionError: a value out of its range, or no such environment variable.
        ServerError: nobody answers there, or the key is refused.
        ModelNotFoundError: the server has no model of that name.
    """
    access.check()
    base, model = spec.address, spec.name_there
    parts = urlsplit(base)
    endpoint = Endpoint(
        base,
        access.key_env or WELL_KNOWN.get(parts.hostname or ""),
        patience or Patience(silence=settings.remote_timeout, retries=settings.remote_retries),
    )
    endpoint.key()
    found = _look(endpoint, model)
    notices = [found.notice] if found.notice else []
    if endpoint.key_env and parts.scheme == "http" and not is_local(base):
        notices.append(f"The key travels to {endpoint.host} unencrypted: the address is http://.")
    return RemoteModel(
        name=name,
        spec=spec,
        kind="causal",
        module=None,
        tokenizer=None,
        folder=Path(os.devnull),  # it has no files here
        device=Device("remote", 0, endpoint.host, 0, 0),
        dtype="",
        quant="",
        context_length=found.context_length,
        notices=tuple(notices),
        endpoint=endpoint,
        model=model,
        owner=found.owner,
        concurrency=access.concurrency or settings.remote_concurrency,
        price_in=access.price_in,
        price_out=access.price_out,
    )


def _look(endpoint: Endpoint, model: str) -> _Found:
    async def look(put: Callable[[_Found], None]) -> None:
        async with Client(endpoint, model, silence=endpoint.patience.check) as client:
            try:
                listed = _listed(await client.json("GET", "/models"), endpoint)
            except Trouble as trouble:
                if trouble.status not in UNLISTED:
                    raise trouble.error from None
                listed = None
            if listed is not None and model in listed:
                put(_about(listed[model]))
                return
            await _probe(client, model, listed)
            put(_Found(notice=f"{endpoint.host} does not list {model}, but answers for it."))

    found = [each for each in pump(look) if each is not None]
    return found[0]


def _listed(answer: Any, endpoint: Endpoint) -> dict[str, dict[str, Any]]:
    data = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(data, list):
        raise ServerError(
            f"{endpoint.base} does not speak the OpenAI protocol: its /models is no list. Check "
            "the address; it usually ends in /v1."
        )
    return {str(each["id"]): each for each in data if isinstance(each, dict) and "id" in each}


async def _probe(client: Client, model: str, listed: dict[str, dict[str, Any]] | None) -> None:
    """Ask for one token: a server may know more names than it lists.

    Raises:
        ModelNotFoundError: it lists others, and refuses this one.
        ServerError: there is no such server.
    """
    body = {"model": model, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1}
    endpoint = client.endpoint
    try:
        answer = await client.json("POST", "/chat/completions", body)
        if isinstance(answer, dict) and answer.get("choices"):
            return
    except Trouble as trouble:
        if trouble.status not in (UNLISTED if listed is None else REFUSED):
            raise trouble.error from None
    if listed is None:
        raise ServerError(
            f"There is no OpenAI-compatible server at {endpoint.base}: it has neither /models nor "
            "/chat/completions. Check the address; it usually ends in /v1."
        )
    names = [endpoint.hidden(each) for each in listed]
    shown = ", ".join(names[:SHOWN_NAMES])
    more = f" and {len(names) - SHOWN_NAMES:,} more" if len(names) > SHOWN_NAMES else ""
    has = f" It has {shown}{more}." if names else " It lists none."
    raise ModelNotFoundError(
        f"{endpoint.host} has no model {model!r}.{did_you_mean(model, names)}{has}"
    )


def _about(entry: dict[str, Any]) -> _Found:
    owner = entry.get("owned_by")
    lengths = [entry.get(each) for each in CONTEXT_NAMES]
    length = next((each for each in lengths if type(each) is int and each > 0), 0)
    return _Found(owner if isinstance(owner, str) else None, length)
