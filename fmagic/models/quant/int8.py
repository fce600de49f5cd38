"""Weights of linear layers in 8 bits, with outlier columns in 16 bits: LLM.int8.

Dettmers et al. 2022, arXiv:2208.07339, in bitsandbytes. Half the memory of bfloat16; slower than it
on every device, so `auto` never takes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fmagic.models.quant import _bitsandbytes

if TYPE_CHECKING:
    from fmagic.models.devices import Device

name = "int8"
requires: tuple[str, ...] = ("bitsandbytes",)
trainable = True
storable = True
bytes_per_parameter = 1.0


def check(device: Device) -> str | None:
    """Return why it cannot be used on the device, `None` if it can."""
    return _bitsandbytes.why_not(device)


def load_kwargs(dtype: str) -> dict[str, Any]:  # noqa: ARG001 - LLM.int8 has its own
    """Return the arguments of `from_pretrained`."""
    from transformers import BitsAndBytesConfig

    return {"quantization_config": BitsAndBytesConfig(load_in_8bit=True)}
