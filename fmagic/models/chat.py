"""Turns to the text that a model reads: its own chat template, or plain text for a base model."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from fmagic.errors import TemplateError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fmagic.template import Turn

BETWEEN_TURNS = "\n\n"
# Some templates open a thought before the answer and know no `enable_thinking`. An empty thought is
# how a model is asked not to think.
_OPEN_THOUGHT = re.compile(r"<think>\s*\Z")
NO_THOUGHT = "\n</think>\n\n"
# Some templates write today's date, and the same cell would give another answer tomorrow. This is the
# day that those of Llama 3 name where they know no other.
DAY = date(2024, 7, 26)
_PROBE = "ANSWER"
_ANSWERED = {"role": "assistant", "content": _PROBE}
_TODAY = re.compile(r"strftime_now\(\s*([\"'])(?P<format>[^\"'{}]*)\1\s*\)")


@dataclass(frozen=True, slots=True)
class Rendered:
    """The text before an answer, and how an answer is written after it.

    Attributes:
        text: what the model reads, ready for its answer.
        special: whether `text` already holds the tokens that begin a sequence.
        opening: the end of `text` that the chat template does not write until there is an answer: an
            empty thought, the name of a channel.
        answer_prefix: what stands between `text` and an answer.
        answer_suffix: what the chat template puts after an answer, empty for plain text.
        messages: that the chat template was given, empty for plain text.
    """

    text: str
    special: bool
    opening: str = ""
    answer_prefix: str = ""
    answer_suffix: str = ""
    messages: tuple[dict[str, str], ...] = ()


def render(tokenizer: Any, turns: Sequence[Turn]) -> Rendered:
    """Render turns so that an answer of the assistant comes next.

    A model with a chat template gets it. Without one, a single user turn is taken as it is, for the
    model to go on with; several turns stand in paragraphs of their own.

    Raises:
        TemplateError: the chat template refuses these turns.
    """
    if getattr(tokenizer, "chat_template", None):
        return _by_template(tokenizer, turns)
    if len(turns) == 1:
        text = turns[0].text
        return Rendered(text, special=False, answer_prefix="" if text[-1:].isspace() else " ")
    return Rendered(
        "".join(turn.text + BETWEEN_TURNS for turn in turns),
        special=False,
    )


def _by_template(tokenizer: Any, turns: Sequence[Turn]) -> Rendered:
    messages = [{"role": turn.role, "content": turn.text} for turn in turns]
    try:
        text = _apply(tokenizer, messages)
    except Exception as error:  # noqa: BLE001 - a template may raise anything of its own
        merged = _merge_system(messages)
        if merged == messages:
            raise TemplateError(
                f"The model's chat template refuses these turns: {error}. "
                "Most templates want user: and assistant: in turns, beginning with user:."
            ) from None
        messages = merged
        try:
            text = _apply(tokenizer, messages)
        except Exception as second:  # noqa: BLE001 - as above
            raise TemplateError(
                f"The model's chat template refuses these turns: {second}."
            ) from None
    opening = NO_THOUGHT if _OPEN_THOUGHT.search(text) else ""
    prefix, suffix = _around(tokenizer, messages, text, opening)
    if prefix.strip():
        # A space stays with the answer: most tokenizers have it in the answer's first token.
        opening += prefix.rstrip(" ")
        prefix = prefix[len(prefix.rstrip(" ")) :]
    return Rendered(text + opening, True, opening, prefix, suffix, tuple(messages))


def as_text(tokenizer: Any, rendered: Rendered) -> list[int]:
    """Return the token ids of a rendered text in which no turn ends a turn or begins another.

    What looks like a token of the chat template in a turn is read as the characters it is, also where
    the author of the template wrote it.

    Raises:
        TemplateError: the tokenizer cannot do that.
    """
    if not rendered.messages:
        plain: list[int] = tokenizer(rendered.text, split_special_tokens=True, verbose=False)[
            "input_ids"
        ]
        return plain
    try:
        ids: list[int] = tokenizer.apply_chat_template(
            list(rendered.messages),
            add_generation_prompt=True,
            enable_thinking=False,
            return_dict=False,
            sanitize_control_tokens=True,
            chat_template=_of_one_day(tokenizer),
        )
    except ValueError as error:
        raise TemplateError(
            f"A value holds a control token, which this model's tokenizer cannot read as text "
            f"({error}). Take it out of the data."
        ) from None
    if rendered.opening:
        ids += tokenizer(rendered.opening, add_special_tokens=False)["input_ids"]
    return ids


@dataclass(frozen=True, slots=True)
class Controls:
    """The tokens that steer a model, as they are written: the end of a turn, a role, padding."""

    marks: tuple[str, ...]
    first: frozenset[str]

    @classmethod
    def of(cls, tokenizer: Any) -> Controls:
        """Find those of a tokenizer."""
        added = getattr(tokenizer, "added_tokens_decoder", None)
        if not isinstance(added, Mapping):  # of mistral-common, which reads no text as a token
            return cls((), frozenset())
        marks = tuple(str(each) for each in added.values() if each.special and str(each).strip())
        return cls(marks, frozenset(mark[0] for mark in marks))

    def inserted(self, turns: Sequence[Turn]) -> bool:
        """Tell whether a value brought one along; the author of a template may write them."""
        return any(self.stand_in(turn.text, but=turn.source) for turn in turns)

    def stand_in(self, text: str, *, but: str = "") -> bool:
        """Tell whether one stands in a text, and not in `but`."""
        return any(first in text for first in self.first) and any(
            mark in text and mark not in but for mark in self.marks
        )


def _apply(tokenizer: Any, messages: list[dict[str, str]], *, ready: bool = True) -> str:
    # A template that knows no `enable_thinking` ignores it. Answers are scored and tuned on as they
    # stand, so a model that can think first is asked not to.
    text: str = tokenizer.apply_chat_template(
        messages,
        tokenize=False,
        add_generation_prompt=ready,
        enable_thinking=False,
        chat_template=_of_one_day(tokenizer),
    )
    return text


def _of_one_day(tokenizer: Any) -> str | None:
    """Return the chat template with `DAY` for today, `None` if it does not ask for today."""
    template = tokenizer.chat_template
    return _with_day(template) if isinstance(template, str) and "strftime_now" in template else None


@lru_cache(maxsize=8)
def _with_day(template: str) -> str:
    return _TODAY.sub(lambda asked: repr(DAY.strftime(asked["format"])), template)


def _merge_system(messages: list[dict[str, str]]) -> list[dict[str, str]]:
    """Put the system text before the first user text, for templates without a system role."""
    if len(messages) < 2 or messages[0]["role"] != "system" or messages[1]["role"] != "user":  # noqa: PLR2004 - a system and a user turn
        return messages
    content = messages[0]["content"] + BETWEEN_TURNS + messages[1]["content"]
    return [{"role": "user", "content": content}, *messages[2:]]


def _around(
    tokenizer: Any, messages: list[dict[str, str]], asked: str, opening: str
) -> tuple[str, str]:
    """Return what the template writes between what is asked with its opening and an answer, and after."""
    try:
        whole = _apply(tokenizer, [*messages, _ANSWERED], ready=False)
        before = asked + opening
        if not whole.startswith(before) and messages[0]["role"] == "system":
            # Mistral's has the system's text in the last turn alone, and only while that is the user's.
            rest = messages[1:]
            return _around(tokenizer, rest, _apply(tokenizer, rest), opening)
    except Exception:  # noqa: BLE001 - a template that takes no answer has nothing around it
        return "", ""
    prefix, found, suffix = whole.removeprefix(before).partition(_PROBE)
    return (prefix, suffix) if whole.startswith(before) and found else ("", "")


def before_next_turn(tokenizer: Any, rendered: Rendered) -> str:
    """Return what the template writes between an answer and what the user says next."""
    said = {"role": "user", "content": _PROBE}
    try:
        whole = _apply(tokenizer, [*rendered.messages, _ANSWERED, said], ready=False)
    except Exception:  # noqa: BLE001 - a template of a single answer has nothing after it
        return ""
    parts = whole.split(_PROBE)
    return parts[1] if len(parts) == 3 else ""  # noqa: PLR2004 - what two probes leave
