"""What a model is, from its config.json: a writer of text, or an encoder.

Decided by the tables of transformers' Auto classes and by what the model's class reads; there is no
list of models here, so what a new version of transformers knows is known.
"""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fmagic.errors import ModelError, UnsafeModelError, UnsuitableModelError
from fmagic.models.spec import read_json

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from fmagic.models.loaded import Kind

# Inputs of a model's `forward` that are no text, and what they are.
OTHER_INPUTS = {
    r"pixel_values|image": "images",
    r"video": "videos",
    r"input_features|input_values|audio|speech|spectrogram": "sound",
    r"past_values|time_series": "time series",
}
CLASSIFIERS = (
    "SEQUENCE_CLASSIFICATION",
    "TOKEN_CLASSIFICATION",
    "QUESTION_ANSWERING",
    "MULTIPLE_CHOICE",
    "NEXT_SENTENCE_PREDICTION",
)
AUTO_CLASSES: dict[Kind, str] = {
    "causal": "AutoModelForCausalLM",
    "seq2seq": "AutoModelForSeq2SeqLM",
    "encoder": "AutoModel",
}
NEED_IMAGES = ("mllama", "git", "got_ocr2")
TEXT_ENCODER = "AutoModelForTextEncoding"
CAUSAL, SEQ2SEQ = "MODEL_FOR_CAUSAL_LM_MAPPING", "MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING"
TABLES = {
    "AutoModelForCausalLM": CAUSAL,
    "AutoModelForSeq2SeqLM": SEQ2SEQ,
    "AutoModel": "MODEL_MAPPING",
    TEXT_ENCODER: "MODEL_FOR_TEXT_ENCODING_MAPPING",
}


@dataclass(frozen=True, slots=True)
class Plan:
    """How a model is to be loaded.

    Attributes:
        kind: what it will be used as.
        auto_class: of transformers that loads it.
        config: of transformers.
        with_code: whether Python files of its repository run.
        notice: what the user should know, if anything.
    """

    kind: Kind
    auto_class: str
    config: Any
    with_code: bool
    notice: str | None = None


def make_plan(folder: Path, *, name: str, trust_remote_code: bool, is_vectors: bool) -> Plan:
    """Read config.json and decide how to load the model.

    Args:
        folder: with config.json.
        name: of the model, for messages.
        trust_remote_code: whether Python files of the model may run.
        is_vectors: whether its files say how to make vectors (modules.json). A causal model that
            has them still writes.

    Raises:
        ModelError: config.json is missing or broken.
        UnsafeModelError: the model is Python code, and that is not trusted.
        UnsuitableModelError: it reads images or sound, or transformers does not know it.
    """
    content = read_json(folder / "config.json")
    if content is None:
        raise ModelError(f"{name} has no config.json. Fetch or save the model again.")
    with_code = _runs_code(content, name=name, trusted=trust_remote_code)
    config = _config(folder, name=name, with_code=with_code)
    if getattr(config, "rescale_every", 0):
        # RWKV halves weights in place whenever it goes from learning to writing, to suit float16:
        # quantized ones and those of an adapter it would spoil, and full training would save them
        # so. Without that it is not computed in float16, see `reading.must_work`.
        config.rescale_every = 0
    if with_code:
        return _by_code(content["auto_map"], config, name=name, is_vectors=is_vectors)
    architecture = next(iter(content.get("architectures") or ()), None)
    if not is_vectors and (others := _beside_text(architecture, config)):
        said = f"{name} reads {' and '.join(others)} too; here it reads text alone."
        return Plan("causal", AUTO_CLASSES["causal"], config, with_code=False, notice=said)
    _must_read_text(architecture, name)
    kind, auto_class, notice = _decide(architecture, config, is_vectors=is_vectors, name=name)
    plan = Plan(kind, auto_class, config, with_code=False, notice=notice)
    _must_read_text(_class_name(plan), name)
    return plan


def reads_images_too(model_type: str) -> bool:
    """Whether models of a type read images and text, and write with text alone.

    These are those that the Auto class of causal models loads, unless some of their layers look at
    the image alone.
    """
    return (
        model_type in _names(CAUSAL)
        and model_type in _names("MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING")
        and model_type not in NEED_IMAGES
    )


def _runs_code(content: dict[str, Any], *, name: str, trusted: bool) -> bool:
    """Tell whether to run the model's own code; transformers' own class comes first."""
    import transformers

    if "auto_map" not in content:
        return False
    architectures = content.get("architectures") or ()
    # Some classes are written otherwise there than in the model's own code: MPTForCausalLM.
    classes = {name.lower() for name in dir(transformers)}
    native = content.get("model_type") in _names("CONFIG_MAPPING") and any(
        str(each).lower() in classes for each in architectures
    )
    if native:
        return False
    if not trusted:
        raise UnsafeModelError(
            f"{name} is Python code of its own ({', '.join(architectures) or 'unnamed'}), which "
            "would run on this machine. If you have read and trust it, add --trust-remote-code."
        )
    return True


def _config(folder: Path, *, name: str, with_code: bool) -> Any:
    import transformers

    try:
        return transformers.AutoConfig.from_pretrained(
            folder, trust_remote_code=with_code, local_files_only=True
        )
    except Exception as error:  # noqa: BLE001 - validators of any configuration class
        kind = (read_json(folder / "config.json") or {}).get("model_type")
        if kind and kind not in _names("CONFIG_MAPPING") and not with_code:
            raise UnsuitableModelError(
                f"transformers {transformers.__version__} does not know {name}'s architecture "
                f"({kind!r}). A newer version may: pip install -U transformers"
            ) from None
        if not kind and not with_code:
            raise ModelError(
                f"config.json of {name} names no model_type, so nobody can tell what it is. "
                "Fetch or save the model again."
            ) from None
        raise ModelError(
            f"config.json of {name} is broken: {str(error).splitlines()[0]} "
            "Fetch or save the model again."
        ) from None


def _decide(
    architecture: str | None, config: Any, *, is_vectors: bool, name: str
) -> tuple[Kind, str, str | None]:
    """Return kind, Auto class and notice for an architecture that transformers has.

    The named architecture decides before the model type, which is all that some files give.
    """
    kind = _by_architecture(architecture, config, is_vectors=is_vectors) or _by_type(config)
    if kind is None:
        raise UnsuitableModelError(
            f"{name} is a {architecture or config.model_type}, which neither writes text nor makes "
            "vectors of it."
        )
    if kind != "encoder":
        return kind, AUTO_CLASSES[kind], None
    notice = None
    if not is_vectors and any(
        architecture in _classes(f"MODEL_FOR_{each}_MAPPING") for each in CLASSIFIERS
    ):
        notice = f"{name} is a classifier ({architecture}). Its head is left out: it makes vectors."
    alone = _classes(TABLES[TEXT_ENCODER]) - _classes("MODEL_MAPPING")
    half = architecture in alone or (
        config.is_encoder_decoder and config.model_type in _names(TABLES[TEXT_ENCODER])
    )
    return kind, TEXT_ENCODER if half else AUTO_CLASSES[kind], notice


def _by_architecture(architecture: str | None, config: Any, *, is_vectors: bool) -> Kind | None:
    whole = not is_vectors and config.is_encoder_decoder and config.model_type in _names(SEQ2SEQ)
    rules: list[tuple[bool, Kind]] = [
        (architecture in _classes(SEQ2SEQ), "encoder" if is_vectors else "seq2seq"),
        (architecture in _classes("MODEL_FOR_MASKED_LM_MAPPING"), "encoder"),
        (architecture in _classes(CAUSAL), "causal"),
        *(
            (architecture in _classes(f"MODEL_FOR_{each}_MAPPING"), "encoder")
            for each in CLASSIFIERS
        ),
        (architecture in _classes(TABLES[TEXT_ENCODER]), "encoder"),
        # BART is published as the bare encoder-decoder; its head is its embedding.
        (architecture in _classes("MODEL_MAPPING"), "seq2seq" if whole else "encoder"),
        (is_vectors, "encoder"),
    ]
    return next((kind for holds, kind in rules if holds), None)


def _by_type(config: Any) -> Kind | None:
    reads = config.model_type in _names("MODEL_FOR_MASKED_LM_MAPPING")
    rules: list[tuple[bool, Kind]] = [
        (config.is_encoder_decoder and config.model_type in _names(SEQ2SEQ), "seq2seq"),
        (reads and not getattr(config, "is_decoder", False), "encoder"),
        (config.model_type in _names(CAUSAL), "causal"),
        (config.model_type in _names("MODEL_MAPPING"), "encoder"),
    ]
    return next((kind for holds, kind in rules if holds), None)


def _by_code(auto_map: dict[str, Any], config: Any, *, name: str, is_vectors: bool) -> Plan:
    order: list[Kind] = ["encoder"] if is_vectors else ["causal", "seq2seq", "encoder"]
    for kind in order:
        if AUTO_CLASSES[kind] in auto_map:
            return Plan(
                kind,
                AUTO_CLASSES[kind],
                config,
                with_code=True,
                notice=f"Python code from {name} runs in this kernel (--trust-remote-code).",
            )
    raise UnsuitableModelError(
        f"The code of {name} offers {', '.join(auto_map)}; fmagic runs text models."
    )


def _class_name(plan: Plan) -> str | None:
    return _first(_names(TABLES[plan.auto_class]).get(plan.config.model_type))


def _first(found: str | Sequence[str] | None) -> str | None:
    return found if found is None or isinstance(found, str) else found[0]


def _must_read_text(architecture: str | None, name: str) -> None:
    if reads := _other_inputs(architecture):
        raise UnsuitableModelError(
            f"{name} is a {architecture}: it reads {' and '.join(reads)}. fmagic runs models that "
            "read text alone."
        )
    if (inputs := _inputs(architecture)) and not {"input_ids", "args"} & set(inputs):
        raise UnsuitableModelError(f"{name} is a {architecture}, which reads no text.")


def _beside_text(architecture: str | None, config: Any) -> list[str]:
    """Return what a model reads beside text if it does without, else nothing."""
    if not reads_images_too(config.model_type):
        return []
    whole = architecture or _first(_names(CAUSAL)[config.model_type])
    # The same body with the head of a classifier does not write.
    if whole is None or not whole.endswith(("ForConditionalGeneration", "ForCausalLM")):
        return []
    return _other_inputs(whole)


def _other_inputs(architecture: str | None) -> list[str]:
    """Return what a class of transformers reads beside text."""
    inputs = _inputs(architecture)
    return [
        what
        for pattern, what in OTHER_INPUTS.items()
        if any(re.search(pattern, each) for each in inputs)
    ]


def _inputs(architecture: str | None) -> list[str]:
    import transformers

    found = getattr(transformers, architecture or "", None)
    if not inspect.isclass(found) or not hasattr(found, "forward"):
        return []
    return list(inspect.signature(found.forward).parameters)


def _names(table: str) -> dict[str, Any]:
    """Return one of the tables of the Auto classes: model type to class names."""
    from transformers.models.auto import configuration_auto, modeling_auto

    module = configuration_auto if table == "CONFIG_MAPPING" else modeling_auto
    return dict(getattr(module, f"{table}_NAMES", {}))


def _classes(table: str) -> set[str]:
    names: set[str] = set()
    for value in _names(table).values():
        names.update([value] if isinstance(value, str) else value)
    return names
