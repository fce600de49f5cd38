"""What an operation asks of a model that writes, wherever it runs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fmagic.models.loaded import Loaded

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fmagic.models.sampling import Completion, Sampling
    from fmagic.template import Turn

# In the place of an index: nothing new, but a moment to look whether Stop was asked for.
WAITING = -1


@dataclass(frozen=True, slots=True)
class Decision:
    """One of a few given answers.

    Attributes:
        text: the choice; what the model wrote instead if nothing held it to the choices.
        probability: of the choice among them, `None` where the model does not tell.
        input_tokens: tokens read, `None` if they were counted before or nobody counted them.
        output_tokens: tokens written; 0 where choices are compared and not written.
    """

    text: str
    probability: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = 0


class Writer(Loaded, ABC):
    """A model that answers prompts: in this kernel, or on a server.

    A prompt is what `encode` made of turns; only the model itself looks into it.
    """

    @abstractmethod
    def encode(
        self, turns: Sequence[Turn], *, reserve: int = 1, spare: int = 0, truncate: bool = False
    ) -> Any:
        """Return turns as the model takes them.

        Args:
            turns: of the conversation, the answer not included.
            reserve: tokens to leave free for the answer.
            spare: tokens to leave free for it in a prompt that is cut.
            truncate: cut the last user turn at its end, if the prompt is too long.

        Raises:
            ContextLengthError: the prompt does not fit, and `truncate` is false or cannot help.
        """

    def room(self, choices: Sequence[str], example: Sequence[Turn]) -> int:  # noqa: ARG002 - a server sees to it
        """Return the tokens to leave free for the longest of some answers; see `decide`."""
        return 1

    @abstractmethod
    def count(self, prompts: Sequence[Any]) -> int | None:
        """Return the tokens of prompts; `None` where only answering them tells."""

    @abstractmethod
    def run(
        self, prompts: Sequence[Any], sampling: Sampling, *, places: Sequence[int] | None = None
    ) -> Iterator[tuple[int, str, Completion | None]]:
        """Answer prompts; yields `(index, new text, completion)` as they come.

        `places` are those of the prompts in their table, which seed their random streams; they stand
        one after the other if not given.
        The completion is `None` until the last text of a row. Rows finish in any order. The index
        may be `WAITING`. An error about one prompt has its index in `place`.
        """

    @abstractmethod
    def decide(
        self, prompts: Sequence[Any], choices: Sequence[str], asked: Sequence[Sequence[Turn]]
    ) -> Iterator[tuple[int, Decision | None]]:
        """Answer each prompt with one of the choices.

        Args:
            prompts: from `encode`.
            choices: at least two different texts.
            asked: the turns of each prompt, which tell how an answer to it is written.

        Yields:
            `(index, decision)` in any order of prompts; `(WAITING, None)` in between.
        """
