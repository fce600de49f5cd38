"""Weights of linear layers in 4 bits, on the quantiles of a normal distribution.

NormalFloat4 with double quantization, of QLoRA (Dettmers et al. 2023, arXiv:2305.14314), in
bitsandbytes. Double quantization is not only smaller: without it a model that has run on a CPU with
AVX512-BF16 saves a corrupt file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fmagic.models.quant import _bitsandbytes

if TYPE_CHECKING:
    from fmagic.models.devices import Device

name = "nf4"
requires: tuple[str, ...] = ("bitsandbytes",)
trainable = True
storable = True
# 4 bits, 8 bits for each block of 64, and 32 bits for each 256 blocks.
bytes_per_parameter = 0.5 + 1 / 64 + 4 / (64 * 256)


def check(device: Device) -> str | None:
    """Return why it cannot be used on the device, `None` if it can."""
    return _bitsandbytes.why_not(device)


def load_kwargs(dtype: str) -> dict[str, Any]:
    """Return the arguments of `from_pretrained`."""
    from transformers import BitsAndBytesConfig

    return {
        "quantization_config": BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=dtype,
        )
    }
