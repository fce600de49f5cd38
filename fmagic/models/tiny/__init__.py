"""The bundled model `tiny`: its weights, its card, and the script that made it.

`train.py` makes everything in `weights/` from the word lists in `corpus/` and the
task modules in `tasks/`; `score.py` measures it on the part that was held out.
"""

import hashlib
from functools import cache
from pathlib import Path

WEIGHTS = Path(__file__).parent / "weights"
"""Folder of the shipped model; `AutoModelForCausalLM.from_pretrained` loads it."""


@cache
def weights_digest() -> str:
    """Return a short digest of the shipped weights: an adapter fits those it was trained on."""
    with (WEIGHTS / "model.safetensors").open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:12]
