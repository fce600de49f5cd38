"""In which number type a model computes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fmagic.errors import OptionError, did_you_mean
from fmagic.models.devices import capability, processor_has

if TYPE_CHECKING:
    from fmagic.models.devices import Device

BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
ALIASES = {"fp32": "float32", "float": "float32", "bf16": "bfloat16", "fp16": "float16"}
ALIASES["half"] = "float16"
FIRST_WITH_BFLOAT16 = (8, 0)  # compute capability: Ampere


def choose_dtype(request: str | None, device: Device) -> str:
    """Return the number type to compute in, as torch writes it without `torch.`.

    Args:
        request: `bfloat16`, `float16`, `float32` or a short form of these; `auto` or `None` to take
            the fastest that keeps the model's answers.
        device: on which the model runs.

    Raises:
        OptionError: no such type.
    """
    name = (request or "auto").lower().removeprefix("torch.")
    name = ALIASES.get(name, name)
    if name == "auto":
        return _fastest(device)
    if name not in BYTES:
        known = ["auto", *BYTES]
        raise OptionError(
            f"There is no dtype {request!r}.{did_you_mean(name, known)} It is {', '.join(known)}."
        )
    return name


def _fastest(device: Device) -> str:
    if device.type == "cuda":
        return "bfloat16" if capability(device) >= FIRST_WITH_BFLOAT16 else "float16"
    if device.type == "mps":
        return "float16"
    return "bfloat16" if has_fast_bfloat16() else "float32"


def has_fast_bfloat16() -> bool:
    """Tell whether the processor multiplies in bfloat16; without that it is slower than float32."""
    return processor_has("avx512_bf16") or processor_has("amx_bf16")
