"""The format `fmagic.run/1` as a JSON Schema, for readers in any language."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from fmagic.runs.record import RunRecord

if TYPE_CHECKING:
    from collections.abc import Mapping


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema, draft 2020-12, of the current version."""
    text = files(__name__).joinpath("fmagic.run.v1.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def validate(data: Mapping[str, Any]) -> list[str]:
    """Return what keeps `data` from being a record of the current version; empty if nothing does.

    The record's own model is asked: it accepts what the JSON Schema accepts.
    """
    try:
        RunRecord.model_validate_json(json.dumps(data), strict=True)
    except ValidationError as error:
        return [
            f"{'.'.join(map(str, problem['loc'])) or 'record'}: {problem['msg']}"
            for problem in error.errors(include_url=False, include_input=False)
        ]
    return []
