"""The curated list: open models that are worth a look, with the numbers that decide what fits.

The facts are in `known.toml`; `fmagic.models.known_check` works out again what follows from others.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Literal, get_args

from fmagic.models.fit import FULL, Census
from fmagic.models.licenses import License, classify
from fmagic.models.shape import Shape

if TYPE_CHECKING:
    from collections.abc import Mapping

Task = Literal[
    "text-generation",
    "embedding",
    "seq2seq",
    "image-classification",
    "image-text-embedding",
    "image-generation",
]
TASKS: tuple[Task, ...] = get_args(Task)


PUBLISHED_IN = "bfloat16"  # where the list says nothing else


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A model of the curated list.

    Attributes:
        name: of the hub, `org/name`.
        task: what it is for.
        good_at: in one line.
        parameters: number of weights, all of them.
        published: the same as its makers round it.
        active: weights that one token uses, in words, where it is not all; else empty.
        context: most tokens that it was made to read and write together; 0 for images.
        license: of the weights.
        gated: whether the hub asks for consent first.
        released: year and month, `2025-04`.
        languages: that it was made for, in words; empty if its makers do not say.
        source: address of the facts.
        stored_bytes: what its file of weights takes, where that is not two bytes for each.
        shape: sizes that decide cache and activations, `None` without layers of one width.
        census: weights by what can become of them. Of image generation all count as `other`.
        parts: weights of each part of a model for image generation.
        config: what its config.json says about sizes, by the names of transformers.
    """

    name: str
    task: Task
    good_at: str
    parameters: int
    published: str
    active: str
    context: int
    license: License
    gated: bool
    released: str
    languages: str
    source: str
    stored_bytes: int | None
    shape: Shape | None
    census: Census
    parts: Mapping[str, int]
    config: Mapping[str, Any]

    @property
    def organisation(self) -> str:
        """Who made it, as the hub names them."""
        return self.name.partition("/")[0]


@lru_cache(maxsize=1)
def known_models() -> tuple[KnownModel, ...]:
    """Return the curated list, in the order of its file: by task, then by family."""
    return tuple(_model(entry) for entry in tomllib.loads(data_text())["model"])


def find(name: str) -> KnownModel | None:
    """Return the model with this name on the hub, in any case; `None` if it is not on the list."""
    return _by_name().get(name.lower())


def data_text() -> str:
    """Return the file of the list."""
    return files("fmagic.models").joinpath("known.toml").read_text(encoding="utf-8")


@lru_cache(maxsize=1)
def _by_name() -> dict[str, KnownModel]:
    return {model.name.lower(): model for model in known_models()}


def _model(entry: dict[str, Any]) -> KnownModel:
    parts = entry.get("parts", {})
    total = entry["parameters"] if "parameters" in entry else sum(parts.values())
    shape, stored = entry.get("shape"), entry.get("stored_bytes")
    is_whole = stored is not None and round(stored / total) == FULL
    counted = entry.get("census", {"linear": 0, "other": total, "largest": 0})
    return KnownModel(
        name=entry["name"],
        task=entry["task"],
        good_at=entry["good_at"],
        parameters=total,
        published=entry["published"],
        active=entry.get("active", ""),
        context=entry["context"],
        license=classify(
            entry["license"], name=entry.get("license_name"), link=entry.get("license_link")
        ),
        gated=entry["gated"],
        released=entry["released"],
        languages=entry.get("languages", ""),
        source=entry["source"],
        stored_bytes=stored,
        shape=Shape(**shape) if shape else None,
        census=Census(**counted, stored="float32" if is_whole else PUBLISHED_IN),
        parts=parts,
        config=entry.get("config", {}),
    )
