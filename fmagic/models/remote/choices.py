"""How a server is held to a few given answers.

A server does not tell how likely a whole answer is, so an answer is written, not compared. Where
the server can, decoding itself is held to the choices: vLLM and llama.cpp have a field for it, and
others have the structured outputs of the OpenAI protocol. Where none of these works, the choices
are named in the prompt, and the answer is matched with them.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

Way = Literal["choice", "grammar", "schema", "words"]

# A server says in its list of models who made them; these say what they are themselves.
BY_OWNER: dict[str, tuple[Way, ...]] = {
    "vllm": ("choice", "schema", "words"),
    "llamacpp": ("grammar", "schema", "words"),
}
OTHERS: tuple[Way, ...] = ("schema", "words")
# Most tokens of an answer. What is held to the choices ends by itself, even after some thinking.
HELD, FREE = 1024, 64
EDGES = " \t\r\n.,;:!?*_`'\"()[]{}“”«»\u2018\u2019"


def ways(owner: str | None) -> tuple[Way, ...]:
    """Return what to try on a server, the best first; the last one always works."""
    return BY_OWNER.get(owner or "", OTHERS)


def request(way: Way, choices: Sequence[str]) -> dict[str, Any]:
    """Return the fields of a request that hold its answer to the choices."""
    longest = max(len(choice.encode()) for choice in choices)
    if way == "choice":
        # The second is the name that vLLM used before version 0.12.
        return {
            "structured_outputs": {"choice": list(choices)},
            "guided_choice": list(choices),
            "max_tokens": HELD + longest,
        }
    if way == "grammar":
        literals = " | ".join(_literal(choice) for choice in choices)
        return {"grammar": f"root ::= {literals}", "max_tokens": HELD + longest}
    if way == "schema":
        schema = {
            "type": "object",
            "properties": {"answer": {"type": "string", "enum": list(choices)}},
            "required": ["answer"],
            "additionalProperties": False,
        }
        form = {"name": "answer", "strict": True, "schema": schema}
        return {
            "response_format": {"type": "json_schema", "json_schema": form},
            "max_tokens": HELD + longest,
        }
    return {"max_tokens": FREE + longest}


def instruction(way: Way, choices: Sequence[str]) -> str:
    """Return what the prompt has to say about the choices."""
    if way != "words":
        return ""
    named = "\n".join(choices)
    return f"Answer with exactly one of the following and nothing else:\n{named}"


def read(way: Way, text: str, choices: Sequence[str]) -> str | None:
    """Return the choice that an answer means, `None` if it means none or several."""
    if way == "schema":
        try:
            found = json.loads(text)
        except ValueError:
            return None
        answer = found.get("answer") if isinstance(found, dict) else None
        return answer if answer in choices else None
    if way != "words":
        return text.strip() if text.strip() in choices else None
    return match(text, choices)


def match(text: str, choices: Sequence[str]) -> str | None:
    """Return the one choice that a text is, or that stands in it as whole words.

    Case and punctuation around it do not matter; of `spam` and `not spam` the longer is meant
    where both stand in one place.
    """
    bare = text.strip(EDGES).casefold()
    by_form = {choice.strip(EDGES).casefold() or choice: choice for choice in choices}
    if text.strip() in choices:
        return text.strip()
    if len(by_form) < len(choices):  # they differ in case alone
        return None
    if bare in by_form:
        return by_form[bare]
    forms = sorted(by_form, key=len, reverse=True)
    pattern = "|".join(rf"(?<!\w){re.escape(form)}(?!\w)" for form in forms)
    found = {by_form[each] for each in re.findall(pattern, text.casefold())}
    return found.pop() if len(found) == 1 else None


def _literal(text: str) -> str:
    """Return a text as a literal of llama.cpp's grammars."""
    return json.dumps(text, ensure_ascii=False).replace("\\u", "\\x").replace("\\b", "\\x08")
