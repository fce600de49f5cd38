"""From a name to a model in memory.

Everything that can be known from files is looked at first, so that what cannot work is refused in
milliseconds: the kind of model, its safety, its files, its tokenizer, its size. A load that fails
leaves nothing in memory.
"""

from __future__ import annotations

import dataclasses
import gc
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fmagic.errors import FmagicError, ModelError, OptionError, OutOfMemoryError, empty_frames
from fmagic.models import copies, fit, keeping, quant, sharing
from fmagic.models.adapters import CONFIG as ADAPTER_CONFIG
from fmagic.models.adapters import Adapter, attach, find_adapter, open_adapter
from fmagic.models.architecture import Plan, make_plan
from fmagic.models.catalog import license_for
from fmagic.models.checkpoint import Weights, find_weights
from fmagic.models.devices import detect
from fmagic.models.hub import resolve
from fmagic.models.measures import context_length, weight_bytes
from fmagic.models.memory import is_shortage, shortage_message
from fmagic.models.precision import BYTES, choose_dtype
from fmagic.models.quiet import hush_casts
from fmagic.models.reading import (
    load_module,
    load_tokenizer,
    method_options,
    must_work,
    nothing_to_quantize,
    skeleton,
)
from fmagic.models.shape import Shape
from fmagic.models.spec import TUNED_FILE, ModelSpec, known_names, parse_spec, read_json
from fmagic.settings import Fmagic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from fmagic.models.devices import Device
    from fmagic.models.encoder import Encoder
    from fmagic.models.hub import LocalModel
    from fmagic.models.language import LanguageModel
    from fmagic.models.licenses import License
    from fmagic.models.loaded import Loaded

# Tokens that must fit beside the weights, or the model's context if that is shorter.
CONTEXT_TO_FIT = 2048
TEXT_TO_FIT = 512  # for an encoder


@dataclass(frozen=True, slots=True)
class _Request:
    """What was asked for, with names resolved."""

    quant: str
    dtype: str | None
    device: Device
    trust_remote_code: bool
    allow_pickle: bool


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
) -> LanguageModel | Encoder:
    """Load a model.

    Args:
        spec: its name, see `fmagic.models.spec`.
        quant: `auto`, `none`, or a method of `fmagic.models.quant`; `None` takes the setting.
        dtype: `auto`, `bfloat16`, `float16` or `float32`.
        device: `cuda`, `cuda:1`, `mps` or `cpu`; `None` takes the setting.
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
            device=_with_room(detect(device or settings.device), replaces),
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
            progress=progress,
        )
        return _load(
            spec,
            base,
            local,
            found,
            request,
            name=name,
            settings=settings,
            replaces=replaces,
            beside=[each for each in beside if each is not replaces],
            stated=license_for(base, local.root, models_dir, adapter=found.path if found else None),
        )
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


def _with_room(device: Device, replaces: Loaded | None) -> Device:
    if replaces is None or not replaces.is_loaded or str(replaces.device) != str(device):
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
            base = parse_spec(str(made.get("base") or ""), models_dir=models_dir)
            revision = made.get("base_revision") if base.kind == "hub" else base.revision
            base = ModelSpec(base.kind, base.name, revision, base.path)
            found = open_adapter(spec.path, name=spec.name, allow_pickle=allow_pickle)
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
    dtype = choose_dtype(request.dtype, request.device)
    empty = skeleton(plan)
    lends = adapter and sharing.lender(
        beside,
        local.root,
        local.revision,
        quant=None if request.quant == quant.AUTO else request.quant,
        dtype=dtype,
        device=str(request.device),
    )
    census, choice = (
        (fit.take_census(empty), _same_method(lends))
        if lends
        else _choose_method(plan, empty, request, dtype, label)
    )
    if replaces is not None:
        replaces.unload()
    if lends:
        module, notices = sharing.share(lends.module), [plan.notice]
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
            request=request,
            settings=settings,
            parameters=census.parameters,
            label=label,
        )
    taken = weight_bytes(module)
    if adapter is not None:
        module, notice = attach(module, adapter, tokenizer)
        notices.append(notice)
    if choice.method.name == "int8":
        hush_casts(module)
    return (Encoder if plan.kind == "encoder" else LanguageModel)(
        name=name or label,
        spec=spec,
        kind=plan.kind,
        module=module,
        tokenizer=tokenizer,
        folder=local.root,
        device=request.device,
        dtype=dtype,
        quant=choice.method.name,
        quant_reason=choice.reason,
        revision=spec.revision if spec.kind == "tuned" else local.revision,
        adapter=adapter.name if adapter else None,
        parameters=census.parameters,
        weight_bytes=taken,
        context_length=context_length(module, tokenizer, encoder=plan.kind == "encoder"),
        batch_tokens=settings.batch_tokens,
        notices=tuple(filter(None, notices)),
        license=stated,
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
    request: _Request,
    settings: Fmagic,
    parameters: int,
    label: str,
) -> tuple[Any, list[str | None]]:
    """Return a model with its weights, and notices: from its quantized copy if there is one."""
    options = method_options(plan, empty, method, dtype)
    place = settings.keep_quantized and copies.place_of(
        copies.root_of(settings.cache_dir),
        spec,
        local,
        weights,
        plan=plan,
        method=method,
        options=options,
        dtype=dtype,
        device=request.device,
        parameters=parameters,
    )
    module, broken = keeping.read(place) if place else (None, None)
    kept = None
    if module is None:
        module = load_module(
            local.path,
            plan,
            dtype=dtype,
            device=request.device,
            pickled=weights.pickled,
            options=options,
            label=label,
        )
        logits = must_work(module, tokenizer, method.name, dtype, label)
        if place:
            kept = keeping.keep(place, keeping.Fresh(module, tokenizer, logits, parameters))
    return module, [plan.notice, broken, kept]


def _choose_method(
    plan: Plan, empty: Any, request: _Request, dtype: str, label: str
) -> tuple[fit.Census, quant.Choice]:
    """Return the size of the model, and a quantization with which it fits."""
    census = fit.take_census(empty)
    stored = getattr(plan.config, "quantization_config", None)
    writes = plan.kind != "encoder"
    shape = Shape.of(plan.config)
    context = min(shape.context or CONTEXT_TO_FIT, CONTEXT_TO_FIT if writes else TEXT_TO_FIT)

    def estimate(method: quant.Method) -> fit.Fit:
        return fit.estimate(
            shape,
            census,
            method,
            request.device,
            dtype_bytes=BYTES[dtype],
            context=context,
            writes=writes,
        )

    if stored:
        choice = _stored_method(stored, request.quant, request.device, label)
    elif request.quant != quant.AUTO:
        choice = quant.Choice(quant.get(request.quant, request.device), "asked for")
        if choice.method.name != "none" and not census.linear:
            raise OptionError(nothing_to_quantize(label, request.quant))
    else:
        choice = quant.choose(request.device, estimate, parameters=census.parameters, writes=writes)
    if not estimate(choice.method).fits:
        usable = [each for each in quant.methods().values() if not _why_not(each, request, census)]
        usable = [] if stored else usable
        raise OutOfMemoryError(
            fit.refusal(
                label,
                estimate(choice.method),
                [estimate(each) for each in usable],
                request.device,
                census.parameters,
            )
        )
    return census, choice


def _same_method(lends: Loaded) -> quant.Choice:
    method = quant.get(lends.quant, lends.device)
    return quant.Choice(method, f"it shares the weights of {lends.name}")


def _why_not(method: quant.Method, request: _Request, census: fit.Census) -> str | None:
    if method.bytes_per_parameter is not None and not census.linear:
        return "there is nothing to quantize"
    return quant.why_not(method, request.device)


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
