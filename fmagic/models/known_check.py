"""Work out the numbers of the curated list that follow from others, and compare.

`python -m fmagic.models.known_check` builds each model without weights from its `config` in
`known.toml` and says what differs; `--write` puts the numbers into the file of this clone.
"""

from __future__ import annotations

import argparse
import dataclasses
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fmagic.models import fit, known
from fmagic.models.quiet import quiet
from fmagic.models.shape import Shape

if TYPE_CHECKING:
    from collections.abc import Mapping

AUTO_CLASSES = {
    "text-generation": "AutoModelForCausalLM",
    "embedding": "AutoModel",
    "seq2seq": "AutoModelForSeq2SeqLM",
    "image-classification": "AutoModelForImageClassification",
    "image-text-embedding": "AutoModel",
}
DERIVED = ("parameters", "shape", "census")
TOLERANCE = 0.02
UNITS = {"M": 10**6, "B": 10**9}
HEADER = "[[model]]"


def derive(config: Mapping[str, Any], task: str) -> tuple[Shape | None, fit.Census]:
    """Return the numbers of a model, built without weights.

    Args:
        config: what its config.json says, by the names of transformers.
        task: of the list; it decides which head the model has.
    """
    import torch
    import transformers

    values = {name: None if value == "" else value for name, value in config.items()}
    with quiet(), torch.device("meta"):
        made = transformers.AutoConfig.for_model(values.pop("model_type"), **values)
        module = getattr(transformers, AUTO_CLASSES[task]).from_config(made)
        _part_head(module, values)
    shape = Shape.of(made)
    return (shape if shape.layers and shape.hidden else None), fit.take_census(module)


def agrees(parameters: int, published: str) -> bool:
    """Tell whether a number of weights is the published one, within 2% or its last digit."""
    figure, unit = float(published[:-1]), UNITS[published[-1]]
    digits = len(published[:-1].partition(".")[2])
    rounding = 0.5 * unit / float(10**digits)
    return abs(parameters - figure * unit) <= max(TOLERANCE * figure * unit, rounding)


def problems(model: known.KnownModel) -> list[str]:
    """Return what is wrong with the numbers of a model of the list."""
    if not model.config:
        return []
    shape, census = derive(model.config, model.task)
    # How the weights are stored is said by the size of their file, and not by the configuration.
    census = dataclasses.replace(census, stored=model.census.stored)
    found = []
    if shape != model.shape:
        found.append(f"shape is {shape}, the file has {model.shape}")
    if census != model.census:
        found.append(f"census is {census}, the file has {model.census}")
    if census.parameters != model.parameters:
        found.append(f"{census.parameters:,} parameters, the file has {model.parameters:,}")
    if not agrees(census.parameters, model.published):
        found.append(f"{census.parameters:,} parameters, published are {model.published}")
    return [f"{model.name}: {problem}" for problem in found]


def rewritten(text: str) -> str:
    """Return the file of the list with the numbers that follow from `config` put in."""
    import tomllib

    head, *blocks = text.split(HEADER)
    made = []
    for block in blocks:
        (entry,) = tomllib.loads(HEADER + block)["model"]
        lines = [line for line in block.strip("\n").split("\n") if not _is_derived(line, entry)]
        if "config" in entry:
            shape, census = derive(entry["config"], entry["task"])
            lines.append(f"parameters = {census.parameters}")
            if shape is not None:
                lines.append(f"shape = {_inline(shape)}")
            lines.append(f"census = {_inline(census)}")
        made.append("\n".join(lines) + "\n")
    return head + "\n".join(f"{HEADER}\n{block}" for block in made)


def main(arguments: list[str] | None = None) -> int:
    """Compare, or write; return how many models are wrong, at most 1."""
    parser = argparse.ArgumentParser(prog="fmagic.models.known_check", description=__doc__)
    parser.add_argument("--write", action="store_true", help="put the numbers into known.toml")
    if parser.parse_args(arguments).write:
        file = Path(known.__file__).with_name("known.toml")
        file.write_text(rewritten(known.data_text()), encoding="utf-8")
        known.known_models.cache_clear()
    found = [problem for model in known.known_models() for problem in problems(model)]
    sys.stdout.write("\n".join(found or ["all numbers agree"]) + "\n")
    return int(bool(found))


def _part_head(module: Any, config: Mapping[str, Any]) -> None:
    """Give the head weights of its own where the files have them.

    transformers ties the two of a T5 in every skeleton, and parts them when it reads the files.
    """
    import torch

    head = getattr(module, "get_output_embeddings", lambda: None)()
    if head is None or config.get("tie_word_embeddings") is not False:
        return
    if head.weight is module.get_input_embeddings().weight:
        head.weight = torch.nn.Parameter(torch.empty_like(head.weight))


def _is_derived(line: str, entry: Mapping[str, Any]) -> bool:
    name = re.match(r"(\w+) *=", line)
    return "config" in entry and name is not None and name[1] in DERIVED


def _inline(part: Shape | fit.Census) -> str:
    # What the weights are stored in follows from the size of their file.
    numbers = {
        name: number
        for name, number in dataclasses.asdict(part).items()
        if name != "stored" and (name != "latent" or number)
    }
    return "{ " + ", ".join(f"{name} = {number}" for name, number in numbers.items()) + " }"


if __name__ == "__main__":
    sys.exit(main())
