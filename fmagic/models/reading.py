"""A tokenizer, a model without weights, and a model with them, out of a folder."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar

from fmagic.errors import ModelError, OptionError, UnsafeModelError
from fmagic.models import fit
from fmagic.models.measures import count_quantized
from fmagic.models.memory import is_shortage
from fmagic.models.probe import probe
from fmagic.models.quiet import quiet

if TYPE_CHECKING:
    from pathlib import Path

    from fmagic.models.architecture import Plan
    from fmagic.models.hub import LocalModel
    from fmagic.models.quant import Method

SHOWN_KEYS = 3
# What torch says of types that differ; a byte among them comes from a quantization.
_DTYPES = re.compile(
    r"^(?!.*\b(?:char|byte|u?int8)\b).*(?:dtype|scalar type|should be the same)",
    re.IGNORECASE | re.DOTALL,
)


def load_tokenizer(local: LocalModel, plan: Plan, label: str) -> Any:
    """Return the tokenizer of a model.

    Raises:
        ModelError: it is missing or broken.
        UnsafeModelError: it is Python code, and that is not trusted.
    """
    from transformers import AutoTokenizer

    folder = next(
        (each for each in (local.path, local.root) if any(each.glob("*token*"))), local.path
    )
    cause: Exception | None = None
    try:
        with quiet():
            tokenizer = AutoTokenizer.from_pretrained(
                folder,
                trust_remote_code=plan.with_code,
                local_files_only=True,
                # Where mistral-common is installed its tokenizer is taken, which has no template.
                mistral_format=False if (folder / "tokenizer.json").is_file() else None,
            )
    except Exception as error:  # noqa: BLE001 - each tokenizer class has failures of its own
        if "trust_remote_code" in str(error):
            raise UnsafeModelError(
                f"The tokenizer of {label} is Python code of its own, which would run on this "
                "machine. If you have read and trust it, add --trust-remote-code."
            ) from None
        tokenizer, cause = None, error
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
    else:
        reason = "it is empty"
    if tokenizer is None or len(tokenizer) == 0 or not tokenizer("a", verbose=False)["input_ids"]:
        files = sorted(each.name for each in folder.glob("*token*"))
        if isinstance(cause, ImportError):
            raise ModelError(
                f"The tokenizer of {label} needs a package that is not installed: {reason[:200]}"
            ) from cause
        what = f"is broken: {reason[:200]}" if files else "is missing"
        raise ModelError(
            f"The tokenizer of {label} {what}. Fetch the model again, or save its tokenizer "
            "(tokenizer.json, tokenizer_config.json) into the same folder."
        ) from cause
    return tokenizer


def skeleton(plan: Plan) -> Any:
    """Return the model without its weights."""
    import torch
    import transformers

    with quiet(), torch.device("meta"):
        return getattr(transformers, plan.auto_class).from_config(
            plan.config, trust_remote_code=plan.with_code
        )


def load_module(
    folder: Path,
    plan: Plan,
    *,
    dtype: str,
    placement: dict[str, Any],
    pickled: bool,
    options: dict[str, Any],
    label: str,
) -> Any:
    """Read a model's weights.

    Args:
        folder: with config.json and the weights.
        plan: what to load them into.
        dtype: of unquantized weights.
        placement: arguments of `from_pretrained` that say where to put them.
        pickled: whether they are pickled.
        options: of the quantization.
        label: name of the model, for messages.

    Raises:
        ModelError: weights are missing that the model needs.
    """
    import transformers

    with quiet():
        module, info = getattr(transformers, plan.auto_class).from_pretrained(
            folder,
            config=plan.config,
            dtype=dtype,
            use_safetensors=not pickled,
            trust_remote_code=plan.with_code,
            local_files_only=True,
            output_loading_info=True,
            **placement,
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


def method_options(plan: Plan, empty: Any, method: Method, dtype: str) -> dict[str, Any]:
    """Return the arguments of `from_pretrained` for a quantization method.

    Args:
        plan: of the model.
        empty: the model without its weights.
        method: of quantization.
        dtype: in which the model computes.
    """
    if getattr(plan.config, "quantization_config", None):
        return {}
    options = method.load_kwargs(dtype)
    config: Any = options.get("quantization_config")
    if hasattr(config, "llm_int8_skip_modules"):
        config.llm_int8_skip_modules = fit.left_alone(empty)
    return options


class UnfitTypeError(ModelError):
    """A model does not compute in the type of numbers that was tried, and may in `better`."""

    better: ClassVar[str] = "float32"
    because: ClassVar[str]


class MixedTypesError(UnfitTypeError):
    """A model whose code sets some numbers to float32 and does not compute in another type."""

    because = "its code does not work in a smaller type"


class OutOfRangeError(UnfitTypeError):
    """A model whose numbers are too large for float16; Gemma 3 is one."""

    better = "bfloat16"  # of the same size; a device without it computes it slowly
    because = "its numbers are too large for float16"


def must_work(module: Any, tokenizer: Any, method: str, dtype: str, label: str) -> Any:
    """See that the model is quantized as asked, and that numbers come out of it; return these.

    Raises:
        OptionError: it does not work in this quantization.
        UnfitTypeError: it does not work in this type of numbers.
        ModelError: what comes out is not finite.
    """
    if method != "none" and count_quantized(module) == 0:
        raise OptionError(nothing_to_quantize(label, method))
    try:
        states = probe(module, tokenizer)
    except Exception as error:
        if dtype != "float32" and isinstance(error, RuntimeError) and _DTYPES.search(str(error)):
            raise MixedTypesError(
                f"{label} does not compute in {dtype}: its {type(module).__name__} mixes types of "
                "numbers. Use --dtype float32."
            ) from error
        if method == "none" or is_shortage(error):
            raise
        raise OptionError(
            f"{label} does not work in {method}: its {type(module).__name__} uses its weights in a "
            "way that this quantization does not allow. Use --quant none."
        ) from error
    # RWKV's numbers grow from layer to layer; `architecture` turns off what its class does about it.
    needs_range = hasattr(module.config, "rescale_every") and dtype == "float16"
    if needs_range or not bool(states.isfinite().all()):
        failure = OutOfRangeError if dtype == "float16" else ModelError
        raise failure(
            f"{label} computes no finite numbers in {dtype}. Try --dtype float32, or fetch the "
            "model again if that does not help."
        )
    return states


def nothing_to_quantize(label: str, method: str) -> str:
    """Say that a model has no layer for a quantization."""
    return (
        f"Nothing in {label} can be quantized with {method}: it has no linear layers of the usual "
        f"kind, or none with sizes that divide by {fit.COLUMNS}. Use --quant none."
    )
