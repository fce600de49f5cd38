"""The folder of a tuned model: written beside its place, then moved there at once."""

from __future__ import annotations

import hashlib
import json
import shutil
import uuid
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError

from fmagic.errors import OptionError, TrainingError
from fmagic.models.cards import tuned_card
from fmagic.models.hub import CARD
from fmagic.models.quiet import quiet
from fmagic.models.spec import TUNED_FILE
from fmagic.models.tiny import weights_digest

if TYPE_CHECKING:
    from pathlib import Path

    from fmagic.models.cards import Tuning
    from fmagic.models.language import LanguageModel
    from fmagic.operations.training.tuner import Tuner


def prepare_folder(folder: Path) -> None:
    """See that a model can be saved in `folder`, before time goes into training.

    Raises:
        OptionError: it is there already, or its parent cannot be written.
    """
    if folder.exists():
        raise OptionError(
            f"{folder.parent.name}/{folder.name} is there already, and every tuning gets a folder "
            "of its own."
        )
    trial = folder.parent / f".{uuid.uuid4().hex}"
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        trial.touch()
        trial.unlink()
    except OSError as error:
        raise OptionError(
            f"A tuned model cannot be saved in {folder.parent}: {error.strerror or error}. Choose "
            "another place with `%config Fmagic.models_dir`."
        ) from None


def save(
    tuner: Tuner, model: LanguageModel, folder: Path, about: dict[str, Any], tuning: Tuning
) -> None:
    """Save what was learned.

    An adapter is saved alone, all weights are saved in the number type of the base. The tokenizer,
    with its chat template, and a card lie beside them. fmagic.json comes last: a folder without it is no
    tuned model.

    Args:
        tuner: with the weights to save.
        model: the base.
        folder: that is not there yet.
        about: what fmagic.json says besides the base and the version.
        tuning: what the card says.

    Raises:
        TrainingError: the disk refuses.
    """
    draft = folder.parent / f".{folder.name}-{uuid.uuid4().hex[:8]}"
    try:
        draft.mkdir(parents=True)
        with quiet():
            if tuner.learner is tuner.network:
                _save_whole(tuner, model, draft)
            else:
                _save_adapter(tuner, model, draft)
            model.tokenizer.save_pretrained(draft)
        (draft / CARD).write_text(tuned_card(tuning), encoding="utf-8")
        draft.rename(folder)
        made = {
            "base": str(model.spec),
            "base_revision": weights_digest() if model.spec.kind == "tiny" else model.revision,
            **about,
            "run": folder.name,
            "fmagic": version("fmagic"),
        }
        note = folder / f".{TUNED_FILE}"
        note.write_text(json.dumps(made, indent=2, ensure_ascii=False), encoding="utf-8")
        note.replace(folder / TUNED_FILE)
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or error
        raise TrainingError(
            f"The tuned model could not be saved in {folder.parent}: {reason}."
        ) from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        if folder.is_dir() and not (folder / TUNED_FILE).is_file():
            shutil.rmtree(folder, ignore_errors=True)


def saved_digest(folder: Path) -> str:
    """Return the digest of the weights that were saved in a folder."""
    digest = hashlib.sha256()
    for file in sorted(folder.glob("*.safetensors")):
        with file.open("rb") as content:
            digest.update(hashlib.file_digest(content, "sha256").digest())
    return digest.hexdigest()


def _save_adapter(tuner: Tuner, model: LanguageModel, folder: Path) -> None:
    from peft import get_peft_model_state_dict
    from safetensors.torch import save_file

    weights = get_peft_model_state_dict(tuner.learner, save_embedding_layers=False)
    save_file(
        {name: weight.detach().cpu().contiguous() for name, weight in weights.items()},
        folder / "adapter_model.safetensors",
        metadata={"format": "pt"},
    )
    settings = tuner.learner.active_peft_config
    settings.base_model_name_or_path = str(model.spec)
    settings.revision = model.revision
    settings.inference_mode = True
    settings.save_pretrained(folder)


def _save_whole(tuner: Tuner, model: LanguageModel, folder: Path) -> None:
    import torch

    # The copy is not needed as float32 any more; converting it in place keeps memory flat.
    tuner.network.to(getattr(torch, model.dtype)).save_pretrained(folder)
