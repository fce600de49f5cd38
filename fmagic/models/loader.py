"""From a name to a model in memory.

Everything that can be known from files is looked at first, so that what cannot work is refused in
milliseconds: the kind of model, its safety, its files, its tokenizer, its size. A load that fails
leaves nothing in memory.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gc
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fmagic.errors import FmagicError, ModelError, OptionError, OutOfMemoryError, empty_frames
from fmagic.models import fit, spread
from fmagic.models.adapters import CONFIG as ADAPTER_CONFIG
from fmagic.models.adapters import Adapter, find_adapter, open_adapter
from fmagic.models.architecture import make_plan
from fmagic.models.assembly import Order, Request, build
from fmagic.models.catalog import license_for
from fmagic.models.checkpoint import transformer_folder
from fmagic.models.devices import detect
from fmagic.models.hub import resolve
from fmagic.models.memory import is_shortage, shortage_message
from fmagic.models.placing import find_place
from fmagic.models.precision import choose_dtype
from fmagic.models.reading import (
    UnfitTypeError,
    skeleton,
)
from fmagic.models.spec import TUNED_FILE, ModelSpec, known_names, parse_spec, read_json
from fmagic.models.tiny import weights_digest
from fmagic.settings import Fmagic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from contextlib import AbstractContextManager

    from fmagic.models.devices import Device
    from fmagic.models.encoder import Encoder
    from fmagic.models.language import LanguageModel
    from fmagic.models.loaded import Loaded


def load(
    spec: str | ModelSpec,
    *,
    quant: str | None = None,
    dtype: str | None = None,
    device: str | None = None,
    adapter: str | Path | None = None,
    name: str | None = None,
    trust_remote_code: bool = False,
    allow_pickle: bool = False,
    offline: bool = False,
    progress: Callable[[int, int], None] | None = None,
    settings: Fmagic | None = None,
    replaces: Loaded | None = None,
    beside: Iterable[Loaded] = (),
    alone: AbstractContextManager[object] | None = None,
) -> LanguageModel | Encoder:
    """Load a model.

    Args:
        spec: its name, see `fmagic.models.spec`.
        quant: `auto`, `none`, or a method of `fmagic.models.quant`; `None` takes the setting.
        dtype: `auto`, `bfloat16`, `float16` or `float32`.
        device: `cuda`, `cuda:1`, `mps` or `cpu`, several as in `cuda:0+cuda:1`, or `auto` for as
            many as it takes; `None` takes the setting.
        adapter: folder of an adapter of peft, or name of a model that `%%finetune` made.
        name: under which the session knows it; the model's own name if `None`.
        trust_remote_code: run Python files of the model if transformers has no class for it.
        allow_pickle: read pickled weights if there are no safetensors.
        offline: never use the network.
        progress: called with bytes done and bytes in all while the model is fetched.
        settings: of the session.
        replaces: a model that is freed for this one, once nothing but the reading of the weights
            can fail any more; what it holds counts as free.
        beside: models in memory; an adapter shares the weights of its base, if that is among them.
        alone: entered once everything is on this disk, to read the weights.

    Raises:
        ModelError: one of its subclasses says why the model cannot be loaded.
        OptionError: an option has a value that it does not take, or that does not work here.

    What else goes wrong becomes a `ModelError` too; the error itself is its `__cause__`.
    """
    settings = settings or Fmagic()
    failure: BaseException
    try:
        models_dir = Path(settings.models_dir)
        if isinstance(spec, str):
            spec = parse_spec(spec, models_dir=models_dir)
        request = Request(
            quant=quant or settings.quant,
            dtype=dtype,
            ways=_ways(device or settings.device, replaces),
            trust_remote_code=trust_remote_code,
            allow_pickle=allow_pickle,
        )
        base, found = _base_and_adapter(
            spec, str(adapter) if adapter else None, models_dir, allow_pickle=allow_pickle
        )
        local = resolve(
            base,
            offline=offline,
            allow_pickle=allow_pickle,
            with_code=trust_remote_code,
            known=known_names(models_dir),
            look=None if trust_remote_code else partial(_must_suit, request, spec.name),
            progress=progress,
        )
        stated = license_for(base, local.root, models_dir, adapter=found.path if found else None)
        with alone or contextlib.nullcontext():
            # Much may have happened while it was fetched.
            request = dataclasses.replace(request, ways=_ways(device or settings.device, replaces))
            order = Order(
                spec,
                base,
                local,
                found,
                request,
                name=name,
                settings=settings,
                replaces=replaces,
                beside=[each for each in beside if each is not replaces],
                stated=stated,
            )
            return _in_some_type(order)
    except BaseException as error:  # noqa: BLE001 - also Ctrl-C has to give the memory back
        failure = error
    empty_frames(failure)  # they hold the model
    gc.collect()
    said = _in_words(failure, str(spec), device or settings.device)
    try:
        if said is failure:
            raise failure.with_traceback(None)
        raise said from failure
    finally:
        del failure, said


def _in_some_type(order: Order) -> LanguageModel | Encoder:
    """Build a model, in a better type if it does not work in ours and none was asked for."""
    try:
        return build(order)
    except UnfitTypeError as error:
        if not order.request.takes_any_dtype:
            raise
        better, because = error.better, error.because
        empty_frames(error)
    gc.collect()
    notice = f"{order.spec.name} computes in {better}: {because}."
    request = dataclasses.replace(order.request, dtype=better, notice=notice)
    try:
        return build(dataclasses.replace(order, request=request))
    except OutOfMemoryError as error:
        raise OutOfMemoryError(f"{notice} {error}") from None


def _must_suit(request: Request, label: str, folder: Path) -> None:
    """Refuse a model by its config.json: before hours of fetching, not after them.

    Raises:
        ModelError: it is of no use here, or does not fit.
    """
    path = transformer_folder(folder)
    is_vectors = (folder / "modules.json").is_file()
    plan = make_plan(path, name=label, trust_remote_code=False, is_vectors=is_vectors)
    find_place(
        plan,
        fit.take_census(skeleton(plan)),
        ways=request.ways,
        asked=request.quant,
        dtype=choose_dtype(request.dtype, request.ways[0]),
        label=label,
    )


def _ways(device: str | None, replaces: Loaded | None) -> tuple[Device, ...]:
    """Return the devices to try one after the other, with what is free on each now."""
    return tuple(_with_room(way, replaces) for way in spread.ways(device))


def _with_room(device: Device, replaces: Loaded | None) -> Device:
    if replaces is None or not replaces.is_loaded or not replaces.device.touches(device):
        return device
    return dataclasses.replace(device, free_bytes=device.free_bytes + replaces.weight_bytes)


def _in_words(failure: BaseException, name: str, device: str | None) -> BaseException:
    if isinstance(failure, FmagicError) or not isinstance(failure, Exception):
        return failure
    if is_shortage(failure):
        advice = f"{name} did not fit after all. Try --quant nf4, or a smaller model."
        return OutOfMemoryError(shortage_message(detect(device), advice))
    lines = [line.strip() for line in str(failure).splitlines() if line.strip()]
    said = (lines or [""])[0].rstrip(".:")
    return ModelError(f"{name} cannot be loaded: {type(failure).__name__}: {said[:300]}.")


def _base_of(made: Mapping[str, Any], models_dir: Path) -> ModelSpec:
    """Return the very weights that a model was tuned on, as its fmagic.json names them.

    Raises:
        ModelNotFoundError: they are not there any more.
    """
    base = parse_spec(str(made.get("base") or ""), models_dir=models_dir)
    revision = made.get("base_revision")
    if base.kind == "tuned" and revision:
        return parse_spec(f"{base.name}@{revision}", models_dir=models_dir)
    return dataclasses.replace(base, revision=revision) if base.kind == "hub" else base


def _base_and_adapter(
    spec: ModelSpec, adapter: str | None, models_dir: Path, *, allow_pickle: bool
) -> tuple[ModelSpec, Adapter | None]:
    """Return the model whose weights to load, and what to put on it."""
    if spec.kind == "tuned":
        assert spec.path is not None
        made = read_json(spec.path / TUNED_FILE) or {}
        if (spec.path / ADAPTER_CONFIG).is_file():
            if adapter is not None:
                raise OptionError(
                    f"{spec.name} is an adapter itself, and one model takes one. Load its base: "
                    f"%model {made.get('base')} --adapter {adapter}"
                )
            base = _base_of(made, models_dir)
            found = open_adapter(spec.path, name=spec.name, allow_pickle=allow_pickle)
            if base.kind == "tiny" and made.get("base_revision") not in (None, weights_digest()):
                notice = (
                    f"{spec.name} was tuned on the tiny of another version of fmagic, which had other "
                    "weights: its answers may be worse than they were. Tune it again."
                )
                found = dataclasses.replace(found, notice=notice)
            return base, found
    if adapter is None:
        return spec, None
    return spec, find_adapter(adapter, models_dir=models_dir, allow_pickle=allow_pickle)
