"""Models on a server that speaks the OpenAI protocol, behind the interface of a local one."""

from __future__ import annotations

import asyncio
import contextlib
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from fmagic.errors import FmagicError, FmagicWarning, OptionError, ServerError, UnsuitableModelError
from fmagic.models.licenses import classify
from fmagic.models.remote import choices as choosing
from fmagic.models.remote.client import Client
from fmagic.models.remote.endpoint import is_public
from fmagic.models.remote.errors import NOT_FOUND, Trouble
from fmagic.models.remote.pump import pump
from fmagic.models.remote.reading import Reply, read_vectors
from fmagic.models.remote.request import REFUSED, Form, with_instruction
from fmagic.models.sampling import Completion, Sampling
from fmagic.models.writer import WAITING, Decision, Writer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    import numpy as np

    from fmagic.models.remote.endpoint import Endpoint
    from fmagic.models.remote.request import Message
    from fmagic.template import Turn

T = TypeVar("T")

MILLION = 1_000_000
EMBED_TEXTS, EMBED_CHARACTERS = 64, 64_000  # most of one request
NO_CUTTING = (
    "--truncate needs the model's tokenizer, and only the server has it. Shorten the text, for "
    "example with {{ text[:2000] }} in the template."
)


@dataclass(eq=False, kw_only=True)
class RemoteModel(Writer):
    """A model on a server; made by `fmagic.models.remote.loading.connect`.

    Attributes:
        endpoint: the server.
        model: the model's name there.
        owner: who made it, as the server says; servers like vLLM name themselves.
        concurrency: most requests at once.
        price_in: US dollars for a million tokens read, `None` if not known.
        price_out: the same for tokens written.
    """

    endpoint: Endpoint
    model: str
    owner: str | None = None
    concurrency: int = 4
    price_in: float | None = None
    price_out: float | None = None
    _form: Form = field(init=False, repr=False)
    _way: int = field(default=0, init=False, repr=False)
    _way_works: bool = field(default=False, init=False, repr=False)

    def __post_init__(self) -> None:
        self._form = Form(self.model, self.owner, self.endpoint.host)
        if self.is_commercial:
            self.license = classify("commercial")

    @property
    def is_commercial(self) -> bool:
        """Whether its use is bought: it has a price, or is served on a public address by HTTPS."""
        priced = bool(self.price_in or self.price_out)
        return priced or (self.endpoint.base.startswith("https:") and is_public(self.endpoint.base))

    def info(self) -> dict[str, Any]:
        """Return what a run's record says about the model."""
        prices = {"price_in": self.price_in, "price_out": self.price_out}
        return {
            "name": str(self.spec),
            "device": self.endpoint.host,
            "license": self.license.info(),
            **{name: price for name, price in prices.items() if price is not None},
        }

    def unload(self) -> int:
        """Forget the server and return 0: nothing of it is in this memory."""
        self.__dict__.pop("module", None)
        self.__dict__.pop("tokenizer", None)
        return 0

    def cost(self, input_tokens: int | None, output_tokens: int | None) -> float | None:
        """Return what tokens cost, in US dollars; `None` where there is no price or no count."""
        spent = 0.0
        for tokens, price in ((input_tokens, self.price_in), (output_tokens, self.price_out)):
            if tokens is None or (tokens and price is None):
                return None
            spent += tokens * (price or 0.0)
        return spent / MILLION if (self.price_in, self.price_out) != (None, None) else None

    def encode(
        self,
        turns: Sequence[Turn],
        *,
        reserve: int = 1,  # noqa: ARG002 - the server counts its tokens itself
        spare: int = 0,  # noqa: ARG002 - as above
        truncate: bool = False,
    ) -> list[Message]:
        """Return turns as messages.

        Raises:
            OptionError: `truncate`, for which the tokenizer would have to be here.
        """
        if truncate:
            raise OptionError(NO_CUTTING)
        return [{"role": turn.role, "content": turn.text} for turn in turns]

    def count(self, prompts: Sequence[Any]) -> None:  # noqa: ARG002 - as in the interface
        """Return nothing: the server tells the tokens with its answers."""
        return

    def run(
        self,
        prompts: Sequence[list[Message]],
        sampling: Sampling,
        *,
        places: Sequence[int] | None = None,
    ) -> Iterator[tuple[int, str, Completion | None]]:
        """Answer prompts; see `Writer.run`.

        One prompt streams; rows of a table come whole, so that one that was broken off can be asked
        for again. Row `r` of a table is given the seed `seed + r`.
        """
        single = len(prompts) == 1

        async def answer(
            client: Client, index: int, put: Callable[[tuple[int, str, Completion | None]], None]
        ) -> None:
            place = index if places is None else places[index]
            body = self._form.chat(prompts[index], sampling, sampling.seed + place)

            def show(text: str) -> None:
                put((index, text, None))

            async def attempt() -> Completion:
                return await self._complete(client, body, sampling, show if single else None)

            put((index, "", await client.patiently(attempt, self._form.adapter(body))))

        for item in self._all(len(prompts), answer):
            yield (WAITING, "", None) if item is None else item

    def decide(
        self,
        prompts: Sequence[list[Message]],
        choices: Sequence[str],
        asked: Sequence[Sequence[Turn]],  # noqa: ARG002 - messages are alike for all servers
    ) -> Iterator[tuple[int, Decision | None]]:
        """Answer each prompt with one of the choices; see `choices`."""

        async def answer(
            client: Client, index: int, put: Callable[[tuple[int, Decision]], None]
        ) -> None:
            put((index, await self._decision(client, prompts[index], choices)))

        for item in self._all(len(prompts), answer):
            yield (WAITING, None) if item is None else item

    def passages(self, texts: Sequence[str], *, truncate: bool = False) -> list[Any]:
        """Return the texts: the server splits them.

        Raises:
            OptionError: `truncate`, for which the tokenizer would have to be here.
        """
        if truncate:
            raise OptionError("--truncate needs the model's tokenizer, and only the server has it.")
        return list(texts)

    def vectors(
        self, passages: Sequence[Any]
    ) -> Iterator[tuple[list[int], np.ndarray, int | None]]:
        """Make one vector of length 1 for each text; see `Loaded.vectors`."""
        import numpy as np

        batches = _batches(passages)

        async def answer(
            client: Client,
            index: int,
            put: Callable[[tuple[list[int], np.ndarray, int | None]], None],
        ) -> None:
            places = batches[index]
            body = {
                "model": self.model,
                "input": [passages[place] for place in places],
                "encoding_format": "float",
            }

            async def attempt() -> Any:
                try:
                    return await client.json("POST", "/embeddings", body)
                except Trouble as trouble:
                    if trouble.status == NOT_FOUND and "model" not in trouble.said.lower():
                        raise Trouble(self._no_vectors()) from None
                    raise

            found = await client.patiently(attempt)
            put((places, *read_vectors(found, len(places), self.endpoint)))

        nothing = np.empty((0, 0), dtype=np.float32)
        for item in self._all(len(batches), answer):
            yield ([], nothing, None) if item is None else item

    def _no_vectors(self) -> UnsuitableModelError:
        return UnsuitableModelError(
            f"{self.endpoint.host} makes no vectors: it has no {self.endpoint.base}/embeddings. "
            "Load an encoder, or another server."
        )

    def _all(
        self, count: int, answer: Callable[[Client, int, Callable[[T], None]], Awaitable[None]]
    ) -> Iterator[T | None]:
        """Run `answer` for each index, so many at once as the server is to be asked."""
        self._must_be_loaded()
        self.endpoint.key()  # an error about it is for the first line

        async def work(put: Callable[[T], None]) -> None:
            left = iter(range(count))

            async def take() -> None:
                for index in left:
                    try:
                        await answer(client, index, put)
                    except FmagicError as error:
                        error.place = index
                        raise

            async with (
                Client(self.endpoint, self.model, connections=self.concurrency) as client,
                asyncio.TaskGroup() as group,
            ):
                for _ in range(min(count, self.concurrency)):
                    group.create_task(take())

        for item in pump(work):
            self._tell()
            yield item
        self._tell()

    def _must_be_loaded(self) -> None:
        self.module  # noqa: B018 - says how to load the model again, if it was unloaded

    def _tell(self) -> None:
        """Say in the main thread what was found out in the other one."""
        while self._form.untold:
            text = self._form.untold.popleft()
            self.notices = (*self.notices, text)
            warnings.warn(text, FmagicWarning, stacklevel=2)

    async def _complete(
        self,
        client: Client,
        body: dict[str, Any],
        sampling: Sampling,
        show: Callable[[str], None] | None = None,
    ) -> Completion:
        reply = Reply(client.endpoint, sampling.stop)
        shown = False
        try:
            async with contextlib.aclosing(client.events("/chat/completions", body)) as events:
                async for event in events:
                    if (text := reply.take(event)) and show is not None:
                        shown = True
                        show(text)
            return reply.completion()
        except Trouble as trouble:
            # What the reader has seen is not written a second time.
            trouble.again = trouble.again and not shown
            raise

    async def _decision(
        self, client: Client, messages: list[Message], choices: Sequence[str]
    ) -> Decision:
        ways = choosing.ways(self.owner)
        while True:
            tried = self._way
            way = ways[tried]
            asked = with_instruction(messages, choosing.instruction(way, choices))
            fields = choosing.request(way, choices)
            sampling = Sampling(max_tokens=fields.pop("max_tokens"))
            body = {**self._form.chat(asked, sampling, 0), **fields}
            is_last = way == ways[-1]
            try:
                done = await self._patient(client, body, sampling, refusable=not is_last)
            except _NoWay:
                self._next_way(tried, ways)
                continue
            found = choosing.read(way, done.text, choices)
            if found is None and not is_last and not self._way_works:
                self._next_way(tried, ways)
                continue
            if found is not None and tried == self._way:
                self._way_works = True
            return Decision(found or done.text, None, done.input_tokens, done.output_tokens)

    async def _patient(
        self, client: Client, body: dict[str, Any], sampling: Sampling, *, refusable: bool
    ) -> Completion:
        async def attempt() -> Completion:
            return await self._complete(client, body, sampling)

        adapt = self._form.adapter(body)

        def adapt_or_leave(trouble: Trouble) -> bool:
            if adapt(trouble):
                return True
            unknown = trouble.status in REFUSED and isinstance(trouble.error, ServerError)
            if unknown and refusable and not self._way_works:
                raise _NoWay from None
            return False

        return await client.patiently(attempt, adapt_or_leave)

    def _next_way(self, tried: int, ways: Sequence[str]) -> None:
        if self._way != tried:  # another row found it out before
            return
        self._way = tried + 1
        if self._way == len(ways) - 1:
            self._form.untold.append(
                f"{self.endpoint.host} cannot hold an answer to given choices: the prompt names "
                "them instead, and an answer that is none of them is kept as it was written."
            )


class _NoWay(Exception):  # noqa: N818 - never seen by anybody
    """The server refuses a way of holding it to choices."""


def _batches(texts: Sequence[str]) -> list[list[int]]:
    """Return the places of texts that go into one request each."""
    batches: list[list[int]] = []
    size = 0
    for place, text in enumerate(texts):
        full = not batches or len(batches[-1]) == EMBED_TEXTS
        if full or size + len(text) > EMBED_CHARACTERS:
            batches.append([])
            size = 0
        batches[-1].append(place)
        size += len(text)
    return batches
