"""The bundled model `tiny`: its weights, its card, and the script that made it.

`train.py` makes everything in `weights/` from the word lists in `corpus/` and the
task modules in `tasks/`; `score.py` measures it on the part that was held out.
"""

from pathlib import Path

WEIGHTS = Path(__file__).parent / "weights"
"""Folder of the shipped model; `AutoModelForCausalLM.from_pretrained` loads it."""
