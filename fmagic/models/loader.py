"""From a name to a model in memory.

Everything that can be known from files is looked at first, so that what cannot work is refused in
milliseconds: the kind of model, its safety, its files, its tokenizer, its size. A load that fails
leaves nothing in memory.
"""

from __future__ import annotations

import gc
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fmagic.errors import FmagicError, ModelError, OptionError, OutOfMemoryError, UnsafeModelError
from fmagic.models import fit, quant
from fmagic.models.adapters import CONFIG as ADAPTER_CONFIG
from fmagic.models.adapters import Adapter, attach, find_adapter, open_adapter
from fmagic.models.architecture import Plan, make_plan
from fmagic.models.checkpoint import find_weights
from fmagic.models.devices import detect
from fmagic.models.hub import resolve
from fmagic.models.measures import context_length, count_quantized, weight_bytes
from fmagic.models.memory import is_shortage, shortage_message
from fmagic.models.precision import BYTES, choose_dtype
from fmagic.models.probe import probe
from fmagic.models.quiet import hush_casts, quiet
from fmagic.models.spec import TUNED_FILE, ModelSpec, known_names, parse_spec, read_json
from fmagic.settings import Fmagic

if TYPE_CHECKING:
    from collections.abc import Callable

    from fmagic.models.checkpoint import Weights
    from fmagic.models.devices import Device
    from fmagic.models.encoder import Encoder
    from fmagic.models.hub import LocalModel
    from fmagic.models.language import LanguageModel

# Tokens that must fit beside the weights, or the model's context if that is shorter.
CONTEXT_TO_FIT = 2048
TEXT_TO_FIT = 512  # for an encoder
SHOWN_KEYS = 3


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
    adapter: str | None = None,
    name: str | None = None,
    trust_remote_code: bool = False,
    allow_pickle: bool = False,
    offline: bool = False,
    progress: Callable[[int, int], None] | None = None,
    settings: Fmagic | None = None,
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

    Raises:
        ModelError: one of its subclasses says why the model cannot be loaded.
        OptionError: an option has a value that it does not take, or that does not work here.
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
            device=detect(device or settings.device),
            trust_remote_code=trust_remote_code,
            allow_pickle=allow_pickle,
        )
        base, found = _base_and_adapter(spec, adapter, models_dir, allow_pickle=allow_pickle)
        local = resolve(
            base,
            offline=offline,
            allow_pickle=allow_pickle,
            with_code=trust_remote_code,
            known=known_names(models_dir),
            progress=progress,
        )
        return _load(spec, local, found, request, name=name, batch_tokens=settings.batch_tokens)
    except BaseException as error:  # noqa: BLE001 - also Ctrl-C has to give the memory back
        failure = error
    # The frames of a failed load hold the model: in their variables, and through `__context__`.
    traceback.clear_frames(failure.__traceback__)
    failure.__context__ = failure.__cause__ = None
    gc.collect()
    try:
        raise _in_words(failure, str(spec), device or settings.device).with_traceback(
            None
        ) from None
    finally:
        del failure


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
    local: LocalModel,
    adapter: Adapter | None,
    request: _Request,
    *,
    name: str | None,
    batch_tokens: int,
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
    tokenizer = _load_tokenizer(local, plan, label)
    dtype = choose_dtype(request.dtype, request.device)
    skeleton = _skeleton(plan)
    census, choice = _choose_method(plan, skeleton, request, dtype, label)
    options = _method_options(plan, skeleton, choice.method, dtype)
    module = _load_module(local, plan, weights, request, dtype, label, options)
    _must_work(module, tokenizer, choice.method.name, dtype, label)
    notices = [plan.notice] if plan.notice else []
    taken = weight_bytes(module)
    if adapter is not None:
        module, notice = attach(module, adapter, tokenizer)
        notices += [notice] if notice else []
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
        batch_tokens=batch_tokens,
        notices=tuple(notices),
    )


def _load_tokenizer(local: LocalModel, plan: Plan, label: str) -> Any:
    from transformers import AutoTokenizer

    folder = next(
        (each for each in (local.path, local.root) if any(each.glob("*token*"))), local.path
    )
    try:
        with quiet():
            tokenizer = AutoTokenizer.from_pretrained(
                folder, trust_remote_code=plan.with_code, local_files_only=True
            )
    except Exception as error:  # noqa: BLE001 - each tokenizer class has failures of its own
        if "trust_remote_code" in str(error):
            raise UnsafeModelError(
                f"The tokenizer of {label} is Python code of its own, which would run on this "
                "machine. If you have read and trust it, add --trust-remote-code."
            ) from None
        tokenizer = None
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    else:
        reason = "it is empty"
    if tokenizer is None or len(tokenizer) == 0 or not tokenizer("a", verbose=False)["input_ids"]:
        files = sorted(each.name for each in folder.glob("*token*"))
        what = f"is broken: {reason[:200]}" if files else "is missing"
        raise ModelError(
            f"The tokenizer of {label} {what}. Fetch the model again, or save its tokenizer "
            "(tokenizer.json, tokenizer_config.json) into the same folder."
        )
    return tokenizer


def _choose_method(
    plan: Plan, skeleton: Any, request: _Request, dtype: str, label: str
) -> tuple[fit.Census, quant.Choice]:
    """Return the size of the model, and a quantization with which it fits."""
    census = fit.take_census(skeleton)
    stored = getattr(plan.config, "quantization_config", None)
    if stored:
        return census, _stored_method(stored, request.quant, request.device, label)
    longest = CONTEXT_TO_FIT if plan.kind != "encoder" else TEXT_TO_FIT

    def estimate(method: quant.Method) -> fit.Fit:
        return fit.estimate(
            plan.config,
            census,
            method,
            request.device,
            dtype_bytes=BYTES[dtype],
            context=min(_positions(plan.config), longest),
        )

    if request.quant != quant.AUTO:
        choice = quant.Choice(quant.get(request.quant, request.device), "asked for")
        if choice.method.name != "none" and not census.linear:
            raise OptionError(_nothing_to_quantize(label, request.quant))
    else:
        choice = quant.choose(
            request.device, estimate, parameters=census.parameters, writes=plan.kind != "encoder"
        )
    if not estimate(choice.method).fits:
        usable = [each for each in quant.methods().values() if not _why_not(each, request, census)]
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


def _skeleton(plan: Plan) -> Any:
    """Return the model without its weights."""
    import torch
    import transformers

    with quiet(), torch.device("meta"):
        return getattr(transformers, plan.auto_class).from_config(
            plan.config, trust_remote_code=plan.with_code
        )


def _positions(config: Any) -> int:
    found = getattr(config.get_text_config(decoder=True), "max_position_embeddings", None)
    return int(found) if isinstance(found, int) and found > 0 else CONTEXT_TO_FIT


def _load_module(
    local: LocalModel,
    plan: Plan,
    weights: Weights,
    request: _Request,
    dtype: str,
    label: str,
    options: dict[str, Any],
) -> Any:
    import transformers

    with quiet():
        module, info = getattr(transformers, plan.auto_class).from_pretrained(
            local.path,
            config=plan.config,
            dtype=dtype,
            device_map={"": str(request.device)},
            use_safetensors=not weights.pickled,
            trust_remote_code=plan.with_code,
            local_files_only=True,
            output_loading_info=True,
            **options,
        )
    missing = sorted(key for key in info["missing_keys"] if not _may_miss(key, plan))
    if missing:
        shown = ", ".join(missing[:SHOWN_KEYS]) + (", …" if len(missing) > SHOWN_KEYS else "")
        raise ModelError(
            f"{label} is not whole: {len(missing)} weights are not in its files ({shown}) and "
            "would be random numbers. Fetch or save the model again."
        )
    module.requires_grad_(requires_grad=False)
    return module.eval()


def _may_miss(key: str, plan: Plan) -> bool:
    # Vectors are pooled from the states of tokens; the pooler of BERT and its kin is never used.
    return plan.kind == "encoder" and "pooler" in key.split(".")


def _method_options(plan: Plan, skeleton: Any, method: quant.Method, dtype: str) -> dict[str, Any]:
    """Return the arguments of `from_pretrained` for a quantization method."""
    if getattr(plan.config, "quantization_config", None):
        return {}
    options = method.load_kwargs(dtype)
    config = options.get("quantization_config")
    if hasattr(config, "llm_int8_skip_modules"):
        config.llm_int8_skip_modules = fit.left_alone(skeleton)
    return options


def _must_work(module: Any, tokenizer: Any, method: str, dtype: str, label: str) -> None:
    """See that the model is quantized as asked, and that numbers come out of it."""
    if method != "none" and count_quantized(module) == 0:
        raise OptionError(_nothing_to_quantize(label, method))
    try:
        states = probe(module, tokenizer)
    except Exception as error:
        if method == "none" or is_shortage(error):
            raise
        raise OptionError(
            f"{label} does not work in {method}: its {type(module).__name__} uses its weights in a "
            "way that this quantization does not allow. Use --quant none."
        ) from None
    if not bool(states.isfinite().all()):
        raise ModelError(
            f"{label} computes no finite numbers in {dtype}. Try --dtype float32, or fetch the "
            "model again if that does not help."
        )


def _nothing_to_quantize(label: str, method: str) -> str:
    return (
        f"Nothing in {label} can be quantized with {method}: it has no linear layers of the usual "
        f"kind, or none with sizes that divide by {fit.COLUMNS}. Use --quant none."
    )
