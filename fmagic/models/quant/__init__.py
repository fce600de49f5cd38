"""Quantization methods: one file each, found by its presence in this folder.

A file holds `name`, `requires`, `trainable`, `bytes_per_parameter`, `check(device)` and
`load_kwargs(dtype)`, see `Method`. Another package adds one with an entry point of the group
`fmagic.quant` that names such a module or object.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from fmagic.errors import OptionError, did_you_mean
from fmagic.models.devices import processor_has
from fmagic.plugins import plugins

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fmagic.models.devices import Device
    from fmagic.models.fit import Fit

AUTO = "auto"
GROUP = "fmagic.quant"
# Measured with bitsandbytes 0.50 on two cores with AVX512-BF16, tokens/s of one stream: a 40M model
# writes 78 in bf16 and 97 in nf4, a 428M model 17 and 28. But nf4 reads a prompt three times slower
# (32 tokens of the 428M model: 230 ms against 71 ms), so it has to be clearly larger to pay.
NF4_PAYS_ON_CPU = 300_000_000  # parameters


class Method(Protocol):
    """What a file in this folder provides.

    Attributes:
        name: after `--quant`.
        requires: packages that must be importable.
        trainable: whether an adapter can be trained on top.
        bytes_per_parameter: of a quantized weight, with its constants; `None` if weights keep the
            type they are computed in.

    `storable = True` beside them says that transformers saves and reads quantized weights, so that
    a copy can be kept; without it none is.
    """

    @property
    def name(self) -> str: ...  # noqa: D102 - described above
    @property
    def requires(self) -> tuple[str, ...]: ...  # noqa: D102 - described above
    @property
    def trainable(self) -> bool: ...  # noqa: D102 - described above
    @property
    def bytes_per_parameter(self) -> float | None: ...  # noqa: D102 - described above

    def check(self, device: Device) -> str | None:
        """Return why the method cannot be used on the device, `None` if it can."""

    def load_kwargs(self, dtype: str) -> dict[str, Any]:
        """Return the arguments of `from_pretrained` that apply the method.

        Args:
            dtype: in which the model computes, for example `bfloat16`.
        """


@dataclass(frozen=True, slots=True)
class Choice:
    """A method and why it was taken."""

    method: Method
    reason: str


def methods() -> dict[str, Method]:
    """Return all methods by name, those of this folder first."""
    found: dict[str, Method] = {}
    for method in plugins(__name__, GROUP):
        found.setdefault(method.name, method)
    return found


def get(name: str, device: Device) -> Method:
    """Return the method of that name, ready for use on the device.

    Raises:
        OptionError: there is none, or it cannot be used there, with the reason.
    """
    known = methods()
    if name not in known:
        raise OptionError(
            f"There is no quantization {name!r}.{did_you_mean(name, [AUTO, *known])} "
            f"It is one of {', '.join([AUTO, *known])}."
        )
    if (reason := why_not(known[name], device)) is not None:
        raise OptionError(f"--quant {name} cannot be used on {device}: {reason}")
    return known[name]


def why_not(method: Method, device: Device) -> str | None:
    """Return why a method cannot be used on a device, `None` if it can."""
    for package in method.requires:
        if importlib.util.find_spec(package) is None:
            return f"it needs the package {package} (pip install {package})."
    return method.check(device)


def choose(
    device: Device,
    estimate: Callable[[Method], Fit],
    *,
    parameters: int,
    writes: bool,
    among: Mapping[str, Method] | None = None,
) -> Choice:
    """Choose the method that is fastest among those that fit.

    Args:
        device: where the model will run.
        estimate: what the model takes with a method.
        parameters: of the model.
        writes: whether it writes text; an encoder only reads, which quantization slows down.
        among: the methods that work there, where the caller knows them already.
    """
    known = methods() if among is None else among
    plain, nf4 = known["none"], known.get("nf4")
    room = estimate(plain)
    lacking = f"unquantized it would take {room.said} of {room.free_said} free"
    if device.type == "cpu":
        pays = writes and parameters >= NF4_PAYS_ON_CPU and processor_has("avx512_bf16")
        if room.fits and not writes:
            return Choice(plain, "it fits, and an encoder only gets slower when quantized")
        if room.fits and not pays:
            return Choice(
                plain, "it fits, and a model of this size is fastest so on this processor"
            )
        reason = "a model of this size writes fastest so on this processor" if pays else lacking
    else:
        if room.is_comfortable:
            return Choice(plain, "it fits with room to spare, and unquantized is fastest and exact")
        reason = lacking
    if nf4 is None:
        return Choice(plain, f"nf4 cannot be used on {device}")
    if among is None and (obstacle := why_not(nf4, device)) is not None:
        return Choice(plain, f"nf4 cannot be used on {device}: {obstacle}")
    return Choice(nf4, reason)
