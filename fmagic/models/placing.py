"""On which device a model goes, and in which quantization."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fmagic.errors import OptionError, OutOfMemoryError
from fmagic.models import fit, quant, spread
from fmagic.models.precision import BYTES
from fmagic.models.reading import nothing_to_quantize
from fmagic.models.shape import Shape
from fmagic.views import size

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fmagic.models.architecture import Plan
    from fmagic.models.devices import Device

# Tokens that must fit beside the weights, or the model's context if that is shorter.
CONTEXT_TO_FIT = 2048
TEXT_TO_FIT = 512  # for an encoder
QUANTIZED_STAY = "quantized weights cannot stay in the processor's memory for a GPU"


def find_place(
    plan: Plan,
    census: fit.Census,
    *,
    ways: Sequence[Device],
    asked: str,
    dtype: str,
    label: str,
) -> tuple[Device, quant.Choice, fit.Fit]:
    """Return the first device on which a model fits, its quantization, and what it takes there.

    Args:
        plan: of the model.
        census: its weights.
        ways: devices to try one after the other.
        asked: name of a quantization, or `auto`.
        dtype: of unquantized weights.
        label: name of the model, for messages.

    Raises:
        OptionError: the quantization does not exist, or works neither there nor with this model.
        OutOfMemoryError: the model fits nowhere.
    """
    stored = getattr(plan.config, "quantization_config", None)
    if stored or asked not in (quant.AUTO, "none"):
        kept = [way for way in ways if not spread.offloads(way)]
        if not kept:
            raise OptionError(f"--quant {asked} cannot be used on {ways[0]}: {QUANTIZED_STAY}.")
        ways = kept
    shape, writes = Shape.of(plan.config), plan.kind != "encoder"
    context = min(shape.context or CONTEXT_TO_FIT, CONTEXT_TO_FIT if writes else TEXT_TO_FIT)

    for device in ways:

        def estimate(method: quant.Method, device: Device = device) -> fit.Fit:
            return fit.estimate(
                shape,
                census,
                method,
                device,
                dtype_bytes=BYTES[dtype],
                context=context,
                writes=writes,
            )

        choice = _choose(plan, census, estimate, asked=asked, device=device, label=label)
        needed = estimate(choice.method)
        if spread.fits(device, needed):
            return device, choice, needed
    if needed.fits:  # in sum, but not part by part
        raise OutOfMemoryError(
            f"{label} does not fit on {device.name}: it takes {needed.explain()}; "
            f"{size(needed.free)} are free in all, but each GPU must keep room for the work. Use a "
            "smaller quantization or model."
        )
    methods = () if stored else quant.methods().values()
    others = [estimate(method) for method in methods if not _why_not(method, device, census)]
    raise OutOfMemoryError(fit.refusal(label, needed, others, device, census.parameters))


def _choose(
    plan: Plan,
    census: fit.Census,
    estimate: Callable[[quant.Method], fit.Fit],
    *,
    asked: str,
    device: Device,
    label: str,
) -> quant.Choice:
    """Return the quantization for a device."""
    stored = getattr(plan.config, "quantization_config", None)
    if stored:
        return _stored_method(stored, asked, device, label)
    if asked == quant.AUTO and spread.offloads(device):
        plain = quant.get("none", device)
        return quant.Choice(plain, QUANTIZED_STAY)
    if asked == quant.AUTO:
        writes = plan.kind != "encoder"
        return quant.choose(device, estimate, parameters=census.parameters, writes=writes)
    choice = quant.Choice(quant.get(asked, device), "asked for")
    if choice.method.name != "none" and not census.linear:
        raise OptionError(nothing_to_quantize(label, asked))
    return choice


def _why_not(method: quant.Method, device: Device, census: fit.Census) -> str | None:
    if method.bytes_per_parameter is not None and spread.offloads(device):
        return QUANTIZED_STAY
    if method.bytes_per_parameter is not None and not census.linear:
        return "there is nothing to quantize"
    return quant.why_not(method, device)


def _stored_method(stored: Any, asked: str, device: Device, label: str) -> quant.Choice:
    """Return the method with which the weights were quantized before they were saved."""
    values = stored if isinstance(stored, dict) else stored.to_dict()
    name = str(values.get("quant_method"))
    if name == "bitsandbytes":
        name = "int8" if values.get("load_in_8bit") else str(values.get("bnb_4bit_quant_type"))
    if name not in quant.methods():
        raise OptionError(
            f"{label} is stored in {name}, which fmagic does not read. Pick the original model; "
            "fmagic quantizes while it loads."
        )
    if asked not in (quant.AUTO, name):
        raise OptionError(f"{label} is stored in {name}; --quant {asked} cannot change that.")
    return quant.Choice(quant.get(name, device), "its files are quantized so")
