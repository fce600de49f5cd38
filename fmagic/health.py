"""What is here and whether it works: status, loaded models, and the checks of `doctor`."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from fmagic.results import View
from fmagic.views import Card, KeyValue, Stack, Table, Text, size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fmagic.models.loaded import Loaded
    from fmagic.runs.log import RunLog
    from fmagic.settings import Fmagic
    from fmagic.shelf import Shelf
    from fmagic.views import Block

PACKAGES = (
    "torch",
    "transformers",
    "bitsandbytes",
    "peft",
    "accelerate",
    "ipykernel",
    "jupyterlab",
)
OPTIONAL = {"ipykernel", "jupyterlab"}
LABEXTENSION = "fmagic-labextension"
HOW_TO_BUILD = (
    "With Node.js 20.19 or newer, in a clone: cd labextension && npm ci && npm run build; "
    "then install fmagic again."
)
OLDEST_PYTHON = (3, 11)


def loaded_view(shelf: Shelf) -> View:
    """Show the loaded models, the current one first."""
    block = _loaded(shelf) or Text("No model is loaded. `%model tiny` loads the bundled one.")
    return View(block, dict(shelf.by_name))


def freed_view(shelf: Shelf, amount: int) -> View:
    """Show how much came back, and what is still loaded."""
    blocks: list[Block] = [Text(f"{size(amount)} came back.")]
    if (rest := _loaded(shelf)) is not None:
        blocks.append(rest)
    return View(Stack(blocks), amount)


def status_view(shelf: Shelf, log: RunLog) -> View:
    """Show device, memory, loaded models, and where the journal is."""
    from fmagic.models.devices import detect, memory_in_use

    device = detect(shelf.settings.device)
    pairs: list[tuple[str, object]] = [
        ("device", device.name),
        ("memory", f"{size(device.free_bytes)} of {size(device.total_bytes)} free"),
        ("runs in this kernel", len(log.session())),
        ("journal", log.journal.path),
    ]
    held = [each for each in shelf.holdings(device) if each.what != "model"]
    pairs[2:2] = [
        (f"{each.name} ({each.what})", f"{size(each.bytes)}, back with `{each.free}`")
        for each in held
    ]
    if (others := device.total_bytes - device.free_bytes - memory_in_use(device)[0]) > 0:
        pairs.insert(2, ("other processes", size(others)))
    blocks: list[Block] = [KeyValue(pairs)]
    blocks.append(_loaded(shelf) or Text("No model is loaded. `%model tiny` loads the bundled."))
    version = importlib.metadata.version("fmagic")
    return View(Card(f"fmagic {version}", blocks), dict(pairs))


def _loaded(shelf: Shelf) -> Block | None:
    if not shelf.by_name:
        return None
    names = sorted(shelf.by_name, key=lambda name: name != shelf.current)
    rows = [_row(shelf.by_name[name], current=name == shelf.current) for name in names]
    columns = ["model", "kind", "weights", "quant", "type", "device", "reads", "licence"]
    models = [shelf.by_name[name] for name in names]
    below = [Text(text, tone="muted") for model in models for text in _remarks(model)]
    return Stack([Table(columns, rows), *below])


def _remarks(model: Loaded) -> Iterator[str]:
    if model.quant_reason not in ("", "asked for"):
        chosen = "not quantized" if model.quant == "none" else f"quantized with {model.quant}"
        yield f"{model.name} is {chosen}: {model.quant_reason}."
    yield from model.notices
    yield from model.remarks()


def _row(model: Loaded, *, current: bool) -> tuple[object, ...]:
    return (
        f"{model.name} (current)" if current else model.name,
        model.kind + (f" + {model.adapter}" if model.adapter else ""),
        _weights(model),
        model.quant,
        model.dtype,
        str(model.device),
        f"{model.context_length:,} tokens" if model.context_length else "not known",
        model.license.said,
    )


def _weights(model: Loaded) -> str:
    if not model.weight_bytes:
        return f"on {model.device.name}"
    return f"{size(model.weight_bytes)}, {model.parameters / 1e6:,.1f}M parameters"


@dataclass(frozen=True, slots=True)
class Check:
    """One finding of `doctor`.

    Attributes:
        name: what was looked at.
        verdict: `ok`, `note` (works without it) or `bad`.
        found: what is there.
        remedy: what to do, empty if nothing.
    """

    name: str
    verdict: Literal["ok", "note", "bad"]
    found: str
    remedy: str = ""


def doctor_view(settings: Fmagic) -> View:
    """Check the installation and say what to mend; the data is a list of `Check`."""
    checks = list(_checks(settings))
    bad = sum(check.verdict == "bad" for check in checks)
    rows = [(check.verdict, check.name, check.found, check.remedy) for check in checks]
    title = f"{bad} of {len(checks)} checks need mending" if bad else "All is well"
    block = Card(
        title,
        [Table(["", "what", "found", "what to do"], rows)],
        tone="bad" if bad else "good",
    )
    return View(block, checks)


def _checks(settings: Fmagic) -> Iterator[Check]:
    python = platform.python_version()
    if sys.version_info >= OLDEST_PYTHON:
        yield Check("python", "ok", python)
    else:
        yield Check("python", "bad", python, "Use Python 3.11 or newer.")
    yield from (_package(name) for name in PACKAGES)
    for name, probe in (
        ("device", lambda: _device(settings)),
        ("quantization", lambda: _quantization(settings)),
        ("tiny answers", lambda: _tiny(settings)),
        ("labextension", _labextension),
        ("journal_dir", lambda: _folder("journal_dir", settings.journal_dir)),
        ("models_dir", lambda: _folder("models_dir", settings.models_dir)),
        ("cache_dir", lambda: _folder("cache_dir", settings.cache_dir)),
    ):
        yield _probed(name, probe)


def _package(name: str) -> Check:
    try:
        return Check(name, "ok", importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        extra = "fmagic[lab]" if name in OPTIONAL else name
        verdict: Literal["note", "bad"] = "note" if name in OPTIONAL else "bad"
        return Check(name, verdict, "not installed", f"pip install '{extra}'")


def _probed(name: str, probe: Callable[[], Check]) -> Check:
    try:
        return probe()
    except Exception as error:  # noqa: BLE001 - a check reports whatever is broken
        return Check(name, "bad", f"{type(error).__name__}: {error}", "See the message.")


def _device(settings: Fmagic) -> Check:
    from fmagic.models.devices import detect

    device = detect(settings.device)
    found = f"{device.name}, {size(device.free_bytes)} of {size(device.total_bytes)} free"
    if device.type == "cpu":
        return Check("device", "ok", found, "A GPU is faster; none was found.")
    return Check("device", "ok", found)


def _quantization(settings: Fmagic) -> Check:
    from fmagic.models.devices import detect
    from fmagic.models.quant import methods

    device = detect(settings.device)
    reasons = {name: method.check(device) for name, method in methods().items()}
    usable = ", ".join(name for name, reason in reasons.items() if reason is None)
    refused = "; ".join(f"{name}: {reason}" for name, reason in reasons.items() if reason)
    return Check("quantization", "note" if refused else "ok", usable, refused)


def _tiny(settings: Fmagic) -> Check:
    from fmagic.models.sampling import Sampling
    from fmagic.shelf import Shelf
    from fmagic.template import Turn

    shelf = Shelf(settings)
    shelf.load("tiny")
    model = shelf.writer("tiny", "doctor")
    ids = model.encode([Turn("user", "Is this review positive or negative?\n\nI love it.")])
    answers = [end.text for _, _, end in model.run([ids], Sampling(max_tokens=8)) if end]
    shelf.unload(everything=True)
    return Check("tiny answers", "ok", repr(answers[0]))


def _labextension() -> Check:
    try:
        from jupyter_core.paths import jupyter_path
    except ImportError:  # no Jupyter here, so nothing is missing
        return Check("labextension", "note", "not looked for: Jupyter is not installed")
    for folder in jupyter_path("labextensions"):
        if (Path(folder) / LABEXTENSION / "package.json").exists():
            return Check("labextension", "ok", "the JupyterLab extension is installed")
    return Check("labextension", "note", "the JupyterLab extension was not built", HOW_TO_BUILD)


def _folder(setting: str, folder: str) -> Check:
    path = Path(folder).absolute()
    existing = next(place for place in (path, *path.parents) if place.exists())
    if existing.is_dir() and os.access(existing, os.W_OK):
        return Check(setting, "ok", str(path))
    remedy = f"Make it writable, or set Fmagic.{setting} to another folder."
    return Check(setting, "bad", f"{path} cannot be written", remedy)
