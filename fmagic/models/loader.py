"""From a name to a model in memory.

Everything that can be known from files is looked at first, so that what cannot work is refused in
milliseconds: the kind of model, its safety, its files, its tokenizer, its size. A load that fails
leaves nothing in memory.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gc
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fmagic.errors import FmagicError, ModelError, OptionError, OutOfMemoryError, empty_frames
from fmagic.models import copies, fit, keeping, quant, sharing, spread
from fmagic.models.adapters import CONFIG as ADAPTER_CONFIG
from fmagic.models.adapters import Adapter, attach, find_adapter, open_adapter
from fmagic.models.architecture import Plan, make_plan
from fmagic.models.catalog import license_for
from fmagic.models.checkpoint import Weights, find_weights, transformer_folder
from fmagic.models.devices import detect
from fmagic.models.hub import resolve
from fmagic.models.measures import context_length, weight_bytes
from fmagic.models.memory import is_shortage, shortage_message
from fmagic.models.placing import find_place
from fmagic.models.precision import choose_dtype
from fmagic.models.quiet import hush_casts
from fmagic.models.reading import (
    UnfitTypeError,
    load_module,
    load_tokenizer,
    method_options,
    must_work,
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
    from fmagic.models.hub import LocalModel
    from fmagic.models.language import LanguageModel
    from fmagic.models.licenses import License
    from fmagic.models.loaded import Loaded


@dataclass(frozen=True, slots=True)
class _Request:
    """What was asked for, with names resolved."""

    quant: str
    dtype: str | None
    ways: tuple[Device, ...]  # to be tried one after the other
    trust_remote_code: bool
    allow_pickle: bool
    notice: str | None = None

    @property
    def takes_any_dtype(self) -> bool:
        """Whether the type of numbers is left to fmagic."""
        return self.dtype in (None, "auto")


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
        request = _Request(
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
            read = partial(
                _load,
                spec,
                base,
                local,
                found,
                name=name,
                settings=settings,
                replaces=replaces,
                beside=[each for each in beside if each is not replaces],
                stated=stated,
            )
            # Much may have happened while it was fetched.
            request = dataclasses.replace(request, ways=_ways(device or settings.device, replaces))
            return _in_some_type(read, request, spec.name)
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


def _in_some_type(
    read: Callable[[_Request], LanguageModel | Encoder], request: _Request, name: str
) -> LanguageModel | Encoder:
    """Read a model, in a better type if it does not work in ours and none was asked for."""
    try:
        return read(request)
    except UnfitTypeError as error:
        if not request.takes_any_dtype:
            raise
        better, because = error.better, error.because
        empty_frames(error)
    gc.collect()
    notice = f"{name} computes in {better}: {because}."
    try:
        return read(dataclasses.replace(request, dtype=better, notice=notice))
    except OutOfMemoryError as error:
        raise OutOfMemoryError(f"{notice} {error}") from None


def _must_suit(request: _Request, label: str, folder: Path) -> None:
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


def _load(
    spec: ModelSpec,
    base: ModelSpec,
    local: LocalModel,
    adapter: Adapter | None,
    request: _Request,
    *,
    name: str | None,
    settings: Fmagic,
    replaces: Loaded | None,
    beside: Iterable[Loaded],
    stated: License,
) -> LanguageModel | Encoder:
    from fmagic.models.encoder import Encoder
    from fmagic.models.generating import beams_of
    from fmagic.models.language import LanguageModel

    label = spec.name
    plan = make_plan(
        local.path,
        name=label,
        trust_remote_code=request.trust_remote_code,
        is_vectors=(local.root / "modules.json").is_file(),
    )
    weights = find_weights(local.path, allow_pickle=request.allow_pickle)
    tokenizer = load_tokenizer(local, plan, label)
    dtype = choose_dtype(request.dtype, request.ways[0])
    empty = skeleton(plan)
    lends = adapter and sharing.lender(
        beside,
        local.root,
        local.revision,
        quant=None if request.quant == quant.AUTO else request.quant,
        # A base may have needed another type than the usual one.
        dtype=None if request.takes_any_dtype else dtype,
        devices=[str(part) for way in request.ways for part in way.each],
    )
    census = fit.take_census(empty)
    if lends:
        device, dtype, choice = lends.device, lends.dtype, _same_method(lends)
    else:
        device, choice, needed = find_place(
            plan, census, ways=request.ways, asked=request.quant, dtype=dtype, label=label
        )
    if replaces is not None:
        replaces.unload()
    if lends:
        module, notices = sharing.share(lends.module), [plan.notice, request.notice]
    else:
        module, notices = _read(
            base,
            local,
            weights,
            plan,
            choice.method,
            tokenizer=tokenizer,
            empty=empty,
            dtype=dtype,
            device=device,
            needed=needed,
            settings=settings,
            parameters=census.parameters,
            label=label,
        )
        notices.append(request.notice)
        device = spread.settled(device, module)
        if adapter is not None and spread.offloads(device):
            raise OptionError(
                f"{label} does not fit on the GPUs, and an adapter cannot be put on a model of "
                "which a part stays in the processor's memory. Add --quant nf4."
            )
        notices.append(spread.warning(device, module))
    if plan.kind == "encoder" and local.doubtful:
        notices.append(
            f"How the vectors of {label} are pooled could not be looked up; the mean of the tokens is "
            f"taken. With a network, `hf download {base.name}` fetches what its makers say."
        )
    taken = weight_bytes(module)
    if adapter is not None:
        module, notice = attach(module, adapter, tokenizer)
        notices += [notice, adapter.notice]
    if choice.method.name == "int8":
        hush_casts(module)
    if plan.kind == "seq2seq" and (beams := beams_of(module)) > 1:
        notices.append(
            f"{label} searches with {beams} beams, as its makers set it: answers come whole, unless "
            "--temperature is above 0."
        )
    return (Encoder if plan.kind == "encoder" else LanguageModel)(
        name=name or label,
        spec=spec,
        kind=plan.kind,
        module=module,
        tokenizer=tokenizer,
        folder=local.root,
        device=device,
        dtype=dtype,
        quant=choice.method.name,
        quant_reason=choice.reason,
        revision=spec.revision if spec.kind == "tuned" else local.revision,
        adapter=adapter.name if adapter else None,
        adapter_run=adapter.run if adapter else None,
        parameters=census.parameters,
        weight_bytes=taken,
        context_length=context_length(module, tokenizer, encoder=plan.kind == "encoder"),
        batch_tokens=settings.batch_tokens,
        notices=tuple(filter(None, notices)),
        license=stated,
        trust_remote_code=plan.with_code,
        allow_pickle=weights.pickled,
    )


def _read(
    spec: ModelSpec,
    local: LocalModel,
    weights: Weights,
    plan: Plan,
    method: quant.Method,
    *,
    tokenizer: Any,
    empty: Any,
    dtype: str,
    device: Device,
    needed: fit.Fit,
    settings: Fmagic,
    parameters: int,
    label: str,
) -> tuple[Any, list[str | None]]:
    """Return a model with its weights, and notices: from its quantized copy if there is one."""
    options = method_options(plan, empty, method, dtype)
    alone = not device.parts  # a copy is for one device
    place = (settings.keep_quantized and alone) and copies.place_of(
        copies.root_of(settings.cache_dir),
        spec,
        local,
        weights,
        plan=plan,
        method=method,
        options=options,
        dtype=dtype,
        device=device,
        parameters=parameters,
    )
    module, broken = keeping.read(place) if place else (None, None)
    kept = None
    if module is None:
        module = load_module(
            local.path,
            plan,
            dtype=dtype,
            placement=spread.placement(device, needed),
            pickled=weights.pickled,
            options=options,
            label=label,
        )
        logits = must_work(module, tokenizer, method.name, dtype, label)
        if place:
            kept = keeping.keep(place, keeping.Fresh(module, tokenizer, logits, parameters))
    return module, [plan.notice, broken, kept]


def _same_method(lends: Loaded) -> quant.Choice:
    method = quant.get(lends.quant, lends.device)
    return quant.Choice(method, f"it shares the weights of {lends.name}")
