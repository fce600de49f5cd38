"""No quantization: every weight in the type that the model computes in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fmagic.models.devices import Device

name = "none"
requires: tuple[str, ...] = ()
trainable = True
bytes_per_parameter = None


def check(device: Device) -> str | None:  # noqa: ARG001 - runs everywhere
    """Return why it cannot be used on the device: never."""
    return None


def load_kwargs(dtype: str) -> dict[str, Any]:  # noqa: ARG001 - nothing depends on it
    """Return no arguments."""
    return {}
