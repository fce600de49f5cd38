"""The sizes of a model out of its files, without building it: the heads of safetensors files.

`fit.take_census` looks at the model itself and is exact; this is for lists, where many models are
looked at and none is built.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from fmagic.errors import ModelError
from fmagic.models.checkpoint import find_weights, read_header
from fmagic.models.fit import COLUMNS, ROWS, Census
from fmagic.models.shape import Shape
from fmagic.models.spec import read_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

# Weights of two dimensions that are no linear layers, or are not quantized.
_STAYS = re.compile(
    r"embed|embd|wte|wpe|word_emb|position|relative_attention_bias|shared\.weight|lm_head|pooler"
    r"|^score\.|^classifier|norm|DenseReluDense\.wo"
    # Experts stand one by one in files, and in memory as one tensor, which is not quantized.
    r"|\.experts\.",
    re.IGNORECASE,
)


def census_of(
    shapes: Mapping[str, tuple[int, ...]], config: Mapping[str, Any] | None = None
) -> Census:
    """Count the weights of a model by the names and shapes of its tensors.

    Args:
        shapes: of all tensors.
        config: the content of config.json, which says in which type they are stored.
    """
    said = config or {}
    dtype = said.get("dtype") or said.get("torch_dtype") or ""  # the older name
    linear = sum(math.prod(shape) for name, shape in shapes.items() if _is_linear(name, shape))
    total = sum(math.prod(shape) for shape in shapes.values())
    largest = max((math.prod(shape) for shape in shapes.values()), default=0)
    return Census(linear, total - linear, largest, str(dtype))


def local_size(folder: Path) -> tuple[Census, Shape] | None:
    """Return the sizes of a model in a folder; `None` if its files do not tell them."""
    try:
        config = read_json(folder / "config.json")
        files = find_weights(folder, allow_pickle=False).files
        shapes = dict(_shapes(files))
    except ModelError:
        return None
    return None if config is None or not shapes else (census_of(shapes, config), shape_of(config))


def shape_of(config: Mapping[str, Any]) -> Shape:
    """Return the sizes in the content of a config.json, with the defaults of its model type."""
    from transformers import AutoConfig

    values = dict(config)
    kind = values.pop("model_type", None)
    try:
        return Shape.of(AutoConfig.for_model(str(kind), **values))
    except Exception:  # noqa: BLE001 - any validator of any configuration; a list shows the rest
        return Shape(0, 0, 0, 0, 0, 0, 0, 0, 0, 0)


def _shapes(files: Iterable[Path]) -> Iterable[tuple[str, tuple[int, ...]]]:
    for file in files:
        for name, entry in read_header(file).items():
            if isinstance(entry, dict) and isinstance(shape := entry.get("shape"), list):
                yield name, tuple(int(each) for each in shape)


def _is_linear(name: str, shape: tuple[int, ...]) -> bool:
    if len(shape) != 2 or not name.endswith("weight") or _STAYS.search(name):  # noqa: PLR2004 - rows and columns
        return False
    rows, columns = shape
    return rows % ROWS == 0 and columns % COLUMNS == 0
