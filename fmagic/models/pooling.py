"""How a model's token states become one vector, as its own files say.

The layout read is that of sentence-transformers: `modules.json` lists the steps, and the folder of
the pooling step holds its `config.json`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from fmagic.errors import UnsuitableModelError

if TYPE_CHECKING:
    from pathlib import Path

    import torch

Mode = Literal["mean", "cls", "last", "max"]

# The names in config.json: one string in newer files, one flag for each mode in older ones.
MODES: dict[str, Mode] = {"mean": "mean", "cls": "cls", "lasttoken": "last", "max": "max"}
FLAGS: dict[str, Mode] = {
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_cls_token": "cls",
    "pooling_mode_lasttoken": "last",
    "pooling_mode_max_tokens": "max",
}


@dataclass(frozen=True, slots=True)
class Pooling:
    """The way to one vector.

    Attributes:
        mode: mean of the tokens, the first (`cls`), the last, or the maximum of each feature.
        longest: most tokens of a text that the model was made for, if its files say so.
        prompt: what the model's files put before each text, `passage: ` for example.
    """

    mode: Mode
    longest: int | None = None
    prompt: str = ""


def read_pooling(folder: Path | None, *, default: Mode) -> Pooling:
    """Read the pooling of the model in `folder`, `default` where its files say nothing.

    Raises:
        UnsuitableModelError: the files ask for a step that fmagic does not have.
    """
    if folder is None:
        return Pooling(default)
    steps = _json(folder / "modules.json")
    if not isinstance(steps, list):
        # A language model whose states are pooled too says how, and is not listed as an encoder.
        steps = [{"type": "Pooling", "path": "1_Pooling"}]
    mode: Mode = default
    for step in steps:
        kind = str(step.get("type", "")).rpartition(".")[2]
        if kind == "Pooling":
            mode = _mode(_json(folder / str(step.get("path", "")) / "config.json") or {}, default)
        elif kind not in ("Transformer", "Normalize"):
            raise UnsuitableModelError(
                f"The vectors of {folder.name} need a {kind} step (modules.json), which fmagic "
                "does not have. Pick a model with only pooling and normalisation."
            )
    limits = _json(folder / "sentence_bert_config.json") or {}
    longest = limits.get("max_seq_length") if isinstance(limits, dict) else None
    return Pooling(
        mode, longest if isinstance(longest, int) and longest > 0 else None, _prompt(folder)
    )


def pool(states: torch.Tensor, mask: torch.Tensor | None, mode: Mode) -> torch.Tensor:
    """Reduce token states to one vector of length 1 for each text.

    Args:
        states: last hidden states, shape `(texts, tokens, size)`, padded on the right.
        mask: 1 for a token and 0 for padding, shape `(texts, tokens)`; `None` without padding.
        mode: how to reduce.

    Returns:
        Vectors in float32, shape `(texts, size)`.
    """
    import torch

    states = states.float()
    if mode == "cls":
        vectors = states[:, 0]
    elif mask is None:
        vectors = {"mean": states.mean(dim=1), "last": states[:, -1], "max": states.amax(dim=1)}[
            mode
        ]
    elif mode == "mean":
        weights = mask.unsqueeze(-1).float()
        vectors = (states * weights).sum(dim=1) / weights.sum(dim=1)
    elif mode == "last":
        rows = torch.arange(states.shape[0], device=states.device)
        vectors = states[rows, mask.sum(dim=1) - 1]
    else:
        vectors = states.masked_fill(mask.unsqueeze(-1) == 0, float("-inf")).amax(dim=1)
    return torch.nn.functional.normalize(vectors, dim=-1)


def _prompt(folder: Path) -> str:
    config = _json(folder / "config_sentence_transformers.json")
    prompts = config.get("prompts") if isinstance(config, dict) else None
    named = prompts.get(config.get("default_prompt_name")) if isinstance(prompts, dict) else None
    return named if isinstance(named, str) else ""


def _mode(config: Any, default: Mode) -> Mode:
    named = config.get("pooling_mode")
    chosen = [MODES[named]] if named in MODES else []
    chosen += [mode for flag, mode in FLAGS.items() if config.get(flag)]
    if len(set(chosen)) > 1:
        raise UnsuitableModelError(
            f"The model joins several poolings ({', '.join(sorted(set(chosen)))}) into one vector; "
            "fmagic takes one. Pick another model."
        )
    if not chosen and any(value for key, value in config.items() if key.startswith("pooling_mode")):
        raise UnsuitableModelError(
            "The model's pooling (1_Pooling/config.json) is of a kind that fmagic does not have."
        )
    return chosen[0] if chosen else default


def _json(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
