"""What the methods of bitsandbytes share."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from fmagic.models.quiet import quiet
from fmagic.shield import import_whole

if TYPE_CHECKING:
    from fmagic.models.devices import Device

KERNELS = "kernels"


def why_not(device: Device) -> str | None:
    """Return why bitsandbytes cannot be used on the device, `None` if it can."""
    try:
        library = import_quietly()
    except (ImportError, OSError, RuntimeError) as error:
        return f"bitsandbytes does not start ({str(error).splitlines()[0]})."
    supported = getattr(library, "supported_torch_devices", {"cuda"})
    if device.type not in supported:
        return f"bitsandbytes {library.__version__} does not run there."
    if type(library.cextension.lib).__name__ == "ErrorHandlerMockBNBNativeLibrary":
        return "bitsandbytes has no compiled code for this machine."
    return None


def import_quietly() -> Any:
    """Import bitsandbytes without its advice.

    On some processors it would fetch compiled code from the hub as soon as it is imported, if the
    package `kernels` is there: a network call, and code that nobody asked to run. It does well
    without.
    """
    if "bitsandbytes" in sys.modules:
        return sys.modules["bitsandbytes"]
    hidden = sys.modules.get(KERNELS)
    sys.modules[KERNELS] = None  # type: ignore[assignment]  # how Python marks "not importable"
    try:
        with quiet():
            import_whole("bitsandbytes")
        return sys.modules["bitsandbytes"]
    finally:
        del sys.modules[KERNELS]
        if hidden is not None:
            sys.modules[KERNELS] = hidden
