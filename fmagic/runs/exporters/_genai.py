"""The names of OpenTelemetry's conventions for generative AI, all in this one place.

They are in development and still move: https://github.com/open-telemetry/semantic-conventions-genai
has them; here they are as they stood beside version 1.44 of the general conventions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fmagic.runs.exporters._fields import FieldPath

OPERATION_NAME = "gen_ai.operation.name"
PROVIDER_NAME = "gen_ai.provider.name"
PROVIDER = "fmagic"  # of none of the conventions' providers: the model runs in the kernel

# Operations that the conventions have a word for; another kind of run keeps its own.
OPERATIONS = {"prompt": "chat", "embed": "embeddings", "search": "retrieval"}


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute of a span, where a record has its value, and the type it has to be of."""

    name: str
    path: FieldPath
    type: type[str] | type[int] | type[float] | None = None


ATTRIBUTES = (
    Attribute("gen_ai.request.model", ("model", "name")),
    Attribute("gen_ai.request.max_tokens", ("params", "max_tokens"), int),
    Attribute("gen_ai.request.temperature", ("params", "temperature"), float),
    Attribute("gen_ai.request.top_p", ("params", "top_p"), float),
    Attribute("gen_ai.request.top_k", ("params", "top_k"), int),
    Attribute("gen_ai.request.stop_sequences", ("params", "stop")),
    Attribute("gen_ai.request.seed", ("seed",), int),
    Attribute("gen_ai.usage.input_tokens", ("metrics", "input_tokens"), int),
    Attribute("gen_ai.usage.output_tokens", ("metrics", "output_tokens"), int),
    Attribute("gen_ai.response.time_to_first_chunk", ("metrics", "ttft_seconds"), float),
    Attribute("gen_ai.embeddings.dimension.count", ("output", "table", "dimensions"), int),
    Attribute("error.type", ("error", "type")),
)


def operation(kind: str) -> str:
    """Return the conventions' name of an operation."""
    return OPERATIONS.get(kind, kind)


def attributes(values: Mapping[FieldPath, Any]) -> dict[str, Any]:
    """Return the attributes that the conventions have for a run.

    Args:
        values: of the record, by their paths.
    """
    found: dict[str, Any] = {
        OPERATION_NAME: operation(values["kind",]),
        PROVIDER_NAME: PROVIDER,
    }
    for each in ATTRIBUTES:
        value = values.get(each.path)
        if value in (None, []):
            continue
        number = isinstance(value, int | float) and not isinstance(value, bool)
        found[each.name] = each.type(value) if each.type and number else value
    return found
