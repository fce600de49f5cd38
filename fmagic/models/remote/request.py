"""What a chat asks of a server, and what is left out for one that does not know it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from fmagic.models.remote.errors import Trouble
    from fmagic.models.sampling import Sampling

Message = dict[str, str]

# Servers known by their own name take what their chat template is to be told.
TEMPLATE_OWNERS = frozenset({"vllm", "llamacpp", "sglang"})
# Without these a request means nearly the same; a server that refuses one is asked without it.
DISPENSABLE = ("stream_options", "chat_template_kwargs", "seed", "temperature")
TOLD = {
    "seed": "takes no seed: answers may vary.",
    "temperature": "takes no temperature for this model: it samples as its makers set it.",
}
REFUSED = frozenset({400, 404, 422, 501})


@dataclass(slots=True)
class Form:
    """How chats are put to one server.

    Attributes:
        model: the model's name there.
        owner: who made it, as the server says.
        host: of the server, for messages.
        untold: what was found out and not said yet.
    """

    model: str
    owner: str | None
    host: str
    untold: deque[str] = field(default_factory=deque)
    _left_out: set[str] = field(default_factory=set)
    _limit: str = "max_tokens"

    def chat(self, messages: list[Message], sampling: Sampling, seed: int) -> dict[str, Any]:
        """Return the body of a request that streams its answer."""
        body: dict[str, Any] = {
            "model": self.model,
            "messages": messages,
            "stream": True,
            "stream_options": {"include_usage": True},
            "max_tokens": sampling.max_tokens,
            "temperature": sampling.temperature,
            "seed": seed % 2**31,
        }
        if sampling.temperature and sampling.top_p < 1:
            body["top_p"] = sampling.top_p
        if sampling.stop:
            body["stop"] = list(sampling.stop)
        if self.owner in TEMPLATE_OWNERS:
            # As for a model of this machine: an answer is scored as it stands.
            body["chat_template_kwargs"] = {"enable_thinking": False}
        self._without_refused(body)
        return body

    def adapter(self, body: dict[str, Any]) -> Callable[[Trouble], bool]:
        """Return a function that takes out of a body what the server says it does not know.

        It tells whether it did. What is learned holds for all later bodies.
        """

        def adapt(trouble: Trouble) -> bool:
            if trouble.status not in REFUSED:
                return False
            if "max_completion_tokens" in trouble.said and "max_tokens" in body:
                self._limit = "max_completion_tokens"
            elif name := next((n for n in self._dispensable(body) if n in trouble.said), None):
                if name in TOLD and name not in self._left_out:
                    self.untold.append(f"{self.host} {TOLD[name]}")
                self._left_out.add(name)
            else:
                return False
            self._without_refused(body)
            return True

        return adapt

    @staticmethod
    def _dispensable(body: dict[str, Any]) -> list[str]:
        """Return what may be left out of a body; a temperature only if it is none to speak of."""
        return [
            name
            for name in DISPENSABLE
            if name in body and not (name == "temperature" and body[name])
        ]

    def _without_refused(self, body: dict[str, Any]) -> None:
        for name in self._left_out & {*self._dispensable(body)}:
            del body[name]
        if self._limit not in body:
            body[self._limit] = body.pop("max_tokens")


def with_instruction(messages: list[Message], text: str) -> list[Message]:
    """Return messages whose last one ends in an instruction, if there is one."""
    if not text:
        return messages
    last = messages[-1]
    return [*messages[:-1], {**last, "content": f"{last['content']}\n\n{text}"}]
