"""Adapters of peft: put on a base model, and seen to work."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fmagic.errors import ModelError, ModelNotFoundError, UnsafeModelError
from fmagic.models import sharing
from fmagic.models.checkpoint import read_header
from fmagic.models.probe import probe
from fmagic.models.quiet import quiet
from fmagic.models.spec import TUNED_FILE, near_names, read_json, tuned_names, tuned_runs

CONFIG = "adapter_config.json"
SAFE, PICKLED = "adapter_model.safetensors", "adapter_model.bin"


@dataclass(frozen=True, slots=True)
class Adapter:
    """An adapter on this disk.

    Attributes:
        name: for people and for the run record.
        path: folder with adapter_config.json.
        base: name of the model that it was trained on, as its files say.
        notice: what its user should know.
    """

    name: str
    path: Path
    base: str | None
    notice: str | None = None

    @property
    def run(self) -> str | None:
        """Id of the run that made it, `None` if it was made elsewhere."""
        return self.path.name if (self.path / TUNED_FILE).is_file() else None


def find_adapter(text: str, *, models_dir: Path, allow_pickle: bool) -> Adapter:
    """Return the adapter in a folder, or of a model that `%%finetune` made.

    Raises:
        ModelNotFoundError: there is none.
        UnsafeModelError: it is pickled, and `allow_pickle` is false.
        ModelError: its files are broken.
    """
    folder, name = Path(text).expanduser(), Path(text).name
    if not (folder / CONFIG).is_file():
        runs = tuned_runs(models_dir / text) if Path(text).name == text else []
        if not runs:
            names = tuned_names(models_dir)
            raise ModelNotFoundError(
                f"There is no adapter {text!r}.{near_names(text, names)} An adapter is a folder "
                f"with {CONFIG}, or a name that %%finetune made."
            )
        folder = runs[-1]
        if not (folder / CONFIG).is_file():
            raise ModelNotFoundError(
                f"{text} was tuned as a whole and has no adapter. Load it with `%model {text}`."
            )
    return open_adapter(folder, name=name, allow_pickle=allow_pickle)


def open_adapter(folder: Path, *, name: str, allow_pickle: bool) -> Adapter:
    """Return the adapter in a folder, after a look at its files."""
    config = read_json(folder / CONFIG) or {}
    if (folder / SAFE).is_file():
        read_header(folder / SAFE)
    elif not (folder / PICKLED).is_file():
        raise ModelError(f"The adapter {name} has no weights: {SAFE} is missing in its folder.")
    elif not allow_pickle:
        raise UnsafeModelError(
            f"The weights of the adapter {name} are pickled, and a pickle can run any code when it "
            "is read. If you trust their author, add --allow-pickle."
        )
    base = config.get("base_model_name_or_path")
    return Adapter(name, folder, base if isinstance(base, str) else None)


def attach(module: Any, adapter: Adapter, tokenizer: Any) -> tuple[Any, str | None]:
    """Put an adapter on a model.

    Returns:
        The model with its adapter, and a notice if the adapter changes nothing because it is empty.

    Raises:
        ModelError: it was made for another model, or it is attached and has no effect.
    """
    with quiet():
        from peft import PeftModel

        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            try:
                with sharing.packed(module):
                    joined = PeftModel.from_pretrained(module, adapter.path, is_trainable=False)
            except Exception as error:  # peft raises what it meets
                raise _unfit(adapter, str(error)) from error
        for each in seen:
            if "missing adapter keys" in str(each.message):
                raise _unfit(adapter, str(each.message))
        joined.eval()
    if not _has_content(joined):
        return joined, f"The adapter {adapter.name} is empty (all zero): it changes nothing."
    if _is_silent(joined, tokenizer):
        raise ModelError(
            f"The adapter {adapter.name} is attached and changes no figure of the model's output. "
            "Was it made for this model? A change below the dtype's precision shows with "
            "--dtype float32."
        )
    return joined, None


def _unfit(adapter: Adapter, reason: str) -> ModelError:
    made_for = f" It was made for {adapter.base}." if adapter.base else ""
    lines = [line.strip() for line in reason.splitlines() if line.strip()]
    shown = (lines[1] if len(lines) > 1 and lines[0].endswith(":") else (lines or [""])[0])[:200]
    return ModelError(
        f"The adapter {adapter.name} does not fit this model: {shown.rstrip('.')}.{made_for}"
    )


def _has_content(module: Any) -> bool:
    """Tell whether any pair of matrices has a product that is not zero.

    An adapter starts with its second matrix at zero, so a fresh one changes nothing.
    """
    second = [
        weight
        for name, weight in module.named_parameters()
        if "lora_B" in name or "lora_embedding_B" in name
    ]
    return not second or any(bool(weight.detach().any()) for weight in second)


def _is_silent(module: Any, tokenizer: Any) -> bool:
    import torch

    tuned = probe(module.get_base_model(), tokenizer)
    with module.disable_adapter():
        base = probe(module.get_base_model(), tokenizer)
    return bool(torch.equal(tuned, base))
