"""What models really take in memory, against what was estimated before they were loaded."""

from __future__ import annotations

import gc
import multiprocessing
import random
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .harness import Measured, Row, Settings
from .models import VOCABULARY, make_tokenizer

if TYPE_CHECKING:
    from pathlib import Path

    from fmagic.models.fit import Fit, Training
    from fmagic.models.loaded import Loaded

NAME = "memory"
TITLE = "peak memory of small models, estimated before loading and measured, MB"
TARGET = "weights within 3%, a prompt's peak within 15%, a LoRA tuning's within 25%"

BATCH, CONTEXT, NEW = 4, 512, 8  # texts at once, and their tokens
ROWS, TOKENS, ANSWER, RANK = 8, 128, 8, 16  # of a step of tuning
WARM = {"num_hidden_layers": 1, "n_layer": 1, "num_layers": 1, "encoder_layers": 1}
WARM["decoder_layers"] = 1

_COMMON: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 2048,
    "max_position_embeddings": 1024,
    "bos_token_id": None,
    "eos_token_id": 1,
    "pad_token_id": 0,
}
_GROUPED = {**_COMMON, "num_key_value_heads": 4}
_GPT2 = {
    "vocab_size": VOCABULARY,
    "n_embd": 768,
    "n_layer": 12,
    "n_head": 12,
    "n_positions": 1024,
    "bos_token_id": None,
    "eos_token_id": 1,
}
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("AutoModelForCausalLM", _GROUPED),
    "qwen3": ("AutoModelForCausalLM", {**_GROUPED, "head_dim": 64, "tie_word_embeddings": True}),
    "mistral": ("AutoModelForCausalLM", {**_GROUPED, "sliding_window": 256}),
    "gemma3_text": ("AutoModelForCausalLM", {**_GROUPED, "head_dim": 64, "sliding_window": 256}),
    "phi3": ("AutoModelForCausalLM", _GROUPED),
    "olmo2": ("AutoModelForCausalLM", _GROUPED),
    "granite": ("AutoModelForCausalLM", _GROUPED),
    "gpt2": ("AutoModelForCausalLM", _GPT2),
    "gpt_neox": ("AutoModelForCausalLM", {**_COMMON, "intermediate_size": 3072}),
    "bert": ("AutoModelForMaskedLM", {**_COMMON, "intermediate_size": 3072}),
    "modernbert": ("AutoModelForMaskedLM", {**_COMMON, "cls_token_id": 1, "sep_token_id": 1}),
}


@dataclass(frozen=True, slots=True)
class Case:
    """A model and how it is loaded."""

    kind: str
    quant: str
    dtype: str

    @property
    def said(self) -> str:
        """For the table."""
        method = f", {self.quant}" if self.quant != "none" else ""
        return f"{self.kind}, {self.dtype}{method}"


CASES = (
    *(Case(kind, "none", "float32") for kind in MODELS),
    *(Case(kind, "none", "bfloat16") for kind in ("llama", "qwen3", "gpt2", "bert")),
    *(Case("llama", method, "bfloat16") for method in ("nf4", "int8")),
)


@dataclass(frozen=True, slots=True)
class Found:
    """Bytes estimated and measured: of the weights, a prompt, and a tuning (0 without one)."""

    estimated: tuple[int, int, int]
    measured: tuple[int, int, int]


def run(settings: Settings) -> list[Row]:
    """Measure each case in a process of its own: what one leaves behind must not count again."""
    rows = []
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context, max_tasks_per_child=1) as pool:
        for case in CASES:
            folder = settings.folder / f"{case.kind}-{case.dtype}"
            pool.submit(_make, case, folder).result()
            rows += _rows(case, pool.submit(_measure, case, folder).result())
    return rows


def _rows(case: Case, found: Found) -> list[Row]:
    rows = []
    for what, limit, said, taken in zip(
        ("weights", "prompts", "LoRA"), (3, 15, 25), found.estimated, found.measured, strict=True
    ):
        if not taken:
            continue
        off = 100 * (said / taken - 1)
        rows.append(
            Row(
                f"{case.said}: {what}",
                "the estimate",
                _megabytes(said),
                _megabytes(taken),
                "MB",
                better="lower",
                target=f"within {limit}%",
                note=f"{off:+.0f}%",
            )
        )
    return rows


def _megabytes(amount: int) -> Measured:
    return Measured.of([amount / 1e6])


def _make(case: Case, folder: Path) -> None:
    """Save the model, and a small one of its kind to warm up with.

    The files hold the type that is not computed in: all weights are then converted, and none stays
    a part of a mapped file, which the resident size counts and nobody lacks.
    """
    import torch
    import transformers

    auto, values = MODELS[case.kind]
    other = torch.bfloat16 if case.dtype == "float32" else torch.float32
    for name, changes in (("large", {}), ("small", WARM)):
        known = {key: value for key, value in changes.items() if key in values}
        config = transformers.AutoConfig.for_model(case.kind, **{**values, **known})
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model = getattr(transformers, auto).from_config(config).to(other)
        model.save_pretrained(folder / name)
        make_tokenizer().save_pretrained(folder / name)


def _measure(case: Case, folder: Path) -> Found:
    import torch

    from fmagic.models.devices import detect, held_bytes
    from fmagic.models.loader import load
    from fmagic.models.memory import PeakMemory

    device = detect(None if torch.cuda.is_available() else "cpu")
    options: dict[str, Any] = {"quant": case.quant, "dtype": case.dtype, "device": str(device)}
    small = load(str(folder / "small"), **options)
    _use(small)
    _tune(small, case)
    small.unload()
    del small
    gc.collect()
    before = held_bytes(device)
    model = load(str(folder / "large"), **options)
    held_bytes(device)  # gives back what loading left behind, which would count as the prompt's
    # A peak is of all that this process holds, and it held some before.
    fixed = torch.cuda.memory_allocated() - model.weight_bytes if device.type == "cuda" else before
    peak = PeakMemory(device)
    _use(model)
    asking = peak.bytes() - fixed
    gc.collect()
    peak = PeakMemory(device)
    tuning = peak.bytes() - fixed if _tune(model, case) else 0
    said = _estimates(model, case)
    # The allocator of a GPU does not see its context.
    totals = [each.total - (each.overhead if device.type == "cuda" else 0) for each in said]
    return Found((said[0].weights, totals[0], totals[-1]), (model.weight_bytes, asking, tuning))


def _use(model: Loaded) -> None:
    """Read and write a batch."""
    from fmagic.models.encoder import embed
    from fmagic.models.sampling import Sampling

    rng = random.Random(0)
    length = CONTEXT if model.kind == "encoder" else CONTEXT - NEW
    ids = [[rng.randrange(300, VOCABULARY) for _ in range(length)] for _ in range(BATCH)]
    if model.kind == "encoder":
        list(embed(model, ids))
    else:
        list(model.run(ids, Sampling(max_tokens=NEW)))


def _tune(model: Loaded, case: Case) -> bool:
    """Make two steps; return whether the model can be tuned at all."""
    from fmagic.operations.training.examples import Example
    from fmagic.operations.training.options import FinetuneOptions
    from fmagic.operations.training.tuner import Tuner

    if model.kind == "encoder":
        return False
    rng = random.Random(0)

    def tokens(count: int) -> tuple[int, ...]:
        return tuple(rng.randrange(300, VOCABULARY) for _ in range(count))

    rows = [Example(tokens(TOKENS - ANSWER), tokens(ANSWER)) for _ in range(ROWS)]
    options = FinetuneOptions(method=_method(case), batch_size=ROWS, rank=RANK)  # type: ignore[arg-type]  # one of two names
    tuner = Tuner(model, options, rate=1e-4, steps=2)  # type: ignore[arg-type]  # it writes
    tuner.step(rows)
    tuner.step(rows)
    tuner.close()
    return True


def _method(case: Case) -> str:
    return "lora" if case.quant == "none" else "qlora"


def _estimates(model: Loaded, case: Case) -> list[Fit]:
    """Return the estimates for a prompt and for a tuning, from the configuration alone."""
    from fmagic.models import fit, quant
    from fmagic.models.architecture import make_plan
    from fmagic.models.precision import BYTES
    from fmagic.models.reading import skeleton
    from fmagic.models.shape import Shape

    plan = make_plan(model.folder, name="model", trust_remote_code=False, is_vectors=False)
    shape, census = Shape.of(plan.config), fit.take_census(skeleton(plan))

    def estimate(batch: int, training: Training | None = None) -> Fit:
        return fit.estimate(
            shape,
            census,
            quant.methods()[case.quant],
            model.device,
            dtype_bytes=BYTES[case.dtype],
            context=CONTEXT,
            batch=batch,
            writes=model.kind != "encoder",
            training=training,
        )

    found = [estimate(BATCH)]
    if model.kind != "encoder":
        learned = fit.Training(_method(case), RANK, TOKENS, ROWS, ANSWER)
        found.append(estimate(1, learned))
    return found
