"""One stream of tokens on a CUDA device: recorded steps against the bare `generate`.

Meant to run unattended where there is a GPU; the other benchmarks take the GPU by themselves there.
"""

from __future__ import annotations

import time
from typing import Any

from fmagic.errors import OptionError

from .decode import PROMPT, compare
from .harness import MissingError, Row, Settings
from .models import HALF_BILLION, make_qwen3
from .texts import of_tokens

NAME = "gpu"
TITLE = "one greedy answer on a CUDA device, Qwen3 of 0.5 billion parameters"
TARGET = "at least 2x `generate` in bfloat16; scores agree up to rounding"

SETTINGS: dict[str, dict[str, Any]] = {
    "bf16": {"quant": "none"},
    "nf4+dq": {"quant": "nf4"},
    "int8": {"quant": "int8"},
}


def run(settings: Settings) -> list[Row]:
    """Decode with one model object, fmagic's streaming loop and `generate` in turns."""
    import torch

    from fmagic.models.language import LanguageModel
    from fmagic.models.loader import load

    if not torch.cuda.is_available():
        raise MissingError("there is no CUDA device")
    hardware = torch.cuda.get_device_name()
    folder = make_qwen3(settings.folder / "qwen3", HALF_BILLION)
    rows = []
    for label, options in SETTINGS.items():
        try:
            model = load(str(folder), device="cuda", **options)
        except OptionError as error:  # this device cannot run the method
            rows.append(Row(label, "generate", None, None, "tokens/s", note=str(error)))
            continue
        assert isinstance(model, LanguageModel)
        first = _first_answer(model)
        note = f"first answer after {first:.2f} s. {' '.join(model.remarks())}"
        work = f"{label}, {hardware}"
        rows.append(compare(model, work, settings.repeats(5), target="2", note=note))
        model.unload()
    return rows


def _first_answer(model: Any) -> float:
    """Return the seconds of the first answer, in which libraries start and steps are recorded."""
    from fmagic.models.sampling import Sampling

    ids = model.tokenizer(of_tokens(model.tokenizer, [PROMPT])[0])["input_ids"]
    started = time.perf_counter()
    for _ in model.run([ids], Sampling(max_tokens=32)):
        pass
    return time.perf_counter() - started
