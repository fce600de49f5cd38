"""Teach a model to answer a template as the rows of a table do."""

from __future__ import annotations

import gc
import math
import random
import time
import traceback
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fmagic.errors import Interrupted, OptionError, OutOfMemoryError, TrainingError
from fmagic.models.quiet import quiet
from fmagic.operations.events import Advanced, Event, Notice, Point, Started
from fmagic.operations.training.options import FinetuneOptions
from fmagic.operations.training.saving import saved_digest
from fmagic.shield import Shield, import_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence
    from pathlib import Path

    from fmagic.models.cards import Tuning
    from fmagic.models.language import LanguageModel
    from fmagic.operations.training.examples import Example
    from fmagic.operations.training.tuner import Tuner
    from fmagic.template import Turn

CARD_FIGURES = (
    *("steps", "epochs", "trainable_parameters", "loss"),
    *("held_out_loss_before", "held_out_loss_after"),
)
RISEN = 1.2  # a loss this many times the one at the start has risen, whatever rows the steps had
STOPPED_EARLY = "Stopped before the first step: nothing was learned, and nothing is saved."

__all__ = ["FinetuneOptions", "FinetuneResult", "finetune"]


@dataclass(slots=True)
class FinetuneResult:
    """What was learned and what it took.

    Attributes:
        folder: with the adapter, or with the whole model.
        method: `lora`, `qlora` or `full`.
        rows: to learn from.
        trainable_parameters: number of weights that learned.
        lr: highest learning rate.
        losses: mean loss for each learned token of each step, in nats.
        epochs: passes over the rows.
        tokens: tokens of all steps, padding not counted.
        step_seconds: duration of the steps alone.
        loss_before: on the held-out rows; `None` without them, or if Stop came first.
        loss_after: the same for the weights that are saved.
        seconds: duration of all.
        interrupted: whether Stop ended it.
        example: one row as text, with the part that is learned.
    """

    folder: Path
    method: str
    rows: int
    trainable_parameters: int
    lr: float
    losses: list[float] = field(default_factory=list)
    epochs: float = 0.0
    tokens: int = 0
    step_seconds: float = 0.0
    loss_before: float | None = None
    loss_after: float | None = None
    seconds: float = 0.0
    interrupted: bool = False
    example: str = ""

    @property
    def steps(self) -> int:
        """Number of updates of the weights."""
        return len(self.losses)

    def summary(self) -> dict[str, object]:
        """Return what the record of the run says about the output."""
        return {
            "text": self.example,
            "table": {"rows": self.rows, "steps": self.steps, "method": self.method},
            # Two tunings gave the same if they learned the same.
            "sha256": saved_digest(self.folder),
        }

    def metrics(self) -> dict[str, float]:
        """Return the figures for the record of the run."""
        figures: dict[str, float] = {
            "rows": self.rows,
            "steps": self.steps,
            "epochs": round(self.epochs, 3),
            "lr": self.lr,
            "trainable_parameters": self.trainable_parameters,
            "tokens": self.tokens,
        }
        if self.losses:
            last = self.losses[-max(1, len(self.losses) // 10) :]
            figures["loss"] = sum(last) / len(last)
        if self.loss_before is not None:
            figures["held_out_loss_before"] = self.loss_before
        if self.loss_after is not None:
            figures["held_out_loss_after"] = self.loss_after
        if self.step_seconds > 0:
            figures["tokens_per_second"] = self.tokens / self.step_seconds
        return figures


def finetune(
    model: LanguageModel,
    examples: Sequence[tuple[Turn, ...] | None],
    *,
    held_out: Sequence[tuple[Turn, ...] | None] = (),
    options: FinetuneOptions,
    folder: Path,
    template: str | None = None,
    data: Mapping[str, object] | None = None,
) -> Generator[Event, None, FinetuneResult]:
    """Train on examples and save what was learned; the model itself stays what it is.

    Only the answers are learned, with the token that ends them. With `held_out` the weights that
    did best on it at the end of an epoch are the ones that are saved, else the last.

    Args:
        model: the base, without an adapter.
        examples: the turns of each row, the answer last; `None` rows are left out.
        held_out: rows to measure the loss on.
        options: how to tune.
        folder: for the result; must not be there yet.
        template: to note in the folder.
        data: what the model's card says of the rows: `name`, `rows`, `sha256`.

    Raises:
        OptionError: the method does not go with the base, or the folder cannot be written.
        TrainingError: there is nothing to learn, or the loss became no number.
        ContextLengthError: a row is too long.
        OutOfMemoryError: it does not, or did not, fit; the base is usable.
        Interrupted: Stop came before the first step.
    """
    from fmagic.operations.training.examples import check_answers, read_examples, show_example
    from fmagic.operations.training.saving import prepare_folder, save

    started = time.perf_counter()
    _check_method(model, options.method)
    prepare_folder(folder)
    tuner: Tuner | None = None
    try:
        rows = yield from read_examples(
            model, examples, truncate=options.truncate, label="Read rows"
        )
        for notice in check_answers(model, examples, rows):
            yield Notice(notice)
        tests = yield from read_examples(
            model, held_out, truncate=options.truncate, label="Read held-out rows"
        )
        learned = set(rows)
        if shared := sum(test in learned for test in tests):
            yield Notice(
                f"{shared:,} of the held-out rows are also learned from: their loss says little "
                "about new rows."
            )
        tuner = _make_tuner(model, options, rows)
        result = FinetuneResult(
            folder=folder,
            method=options.method,
            rows=len(rows),
            trainable_parameters=tuner.trainable,
            lr=tuner.rate,
            example=show_example(model, rows[0]),
        )
        yield from _learn(tuner, options, rows, tests, result)

        def keep(tuner: Tuner) -> None:
            about = {"method": result.method, "template": template}
            save(tuner, model, folder, about, _tuning(model, result, data or {}, options))

        _finish(tuner, model, rows, result, keep)
    except KeyboardInterrupt:
        # Once a step is done, `_learn` keeps Stop to itself.
        raise Interrupted(STOPPED_EARLY) from None
    except Exception as error:
        if (shortage := _as_shortage(error, model, options)) is None:
            raise
        failure = shortage
    else:
        result.seconds = time.perf_counter() - started
        return result
    finally:
        if tuner is not None:
            tuner.close()
    tuner = None
    gc.collect()
    raise failure


def _check_method(model: LanguageModel, method: str) -> None:
    from fmagic.models.abilities import must_not_look_ahead

    if model.adapter is not None:
        raise OptionError(
            f"{model.name} carries the adapter {model.adapter}, and adapters are not stacked. "
            "Load its base with %model, and tune that."
        )
    must_not_look_ahead(model.network, model.name, "tuning")
    quantized = model.quant != "none"
    if method == "qlora" and not quantized:
        raise OptionError(
            f"qlora wants a quantized base, and {model.name} is not. Load it with "
            f"`%model {model.spec} --quant nf4`, or use --method lora."
        )
    if method == "full" and quantized:
        raise OptionError(
            f"{model.name} is quantized ({model.quant}), and quantized weights cannot learn. Use "
            f"--method qlora, or load it with `%model {model.spec} --quant none`."
        )


def _make_tuner(model: LanguageModel, options: FinetuneOptions, rows: Sequence[Example]) -> Tuner:
    from fmagic.models.devices import free_memory
    from fmagic.models.fit import BYTES_TO_LEARN

    with quiet():
        import_whole("peft")
    from fmagic.operations.training.tuner import Tuner

    model.trim()
    if options.method == "full":
        needed, free = BYTES_TO_LEARN * model.parameters, free_memory(model.device)
        if needed > free:
            raise OutOfMemoryError(
                f"Training all {model.parameters:,} weights of {model.name} takes "
                f"{needed / 1e9:.1f} GB and {free / 1e9:.1f} GB are free. Use --method lora, which "
                "needs a small part of that."
            )
    steps = math.ceil(options.epochs * math.ceil(len(rows) / options.batch_size))
    return Tuner(model, options, rate=options.rate(model.width), steps=steps)


def _learn(
    tuner: Tuner,
    options: FinetuneOptions,
    rows: Sequence[Example],
    tests: Sequence[Example],
    result: FinetuneResult,
) -> Generator[Event, None, None]:
    """Make the steps; after the first, Stop ends them and is noted in the result."""
    from fmagic.operations.training.examples import plan_epoch

    try:
        tuner.prepare([*rows, *tests])
        if tests:
            yield Started("Measure held-out rows", len(tests), "rows")
            result.loss_before = yield from tuner.measure(tests, count=True)
            yield Point("held_out", 0, result.loss_before)
        stream = random.Random(f"order {options.seed}")  # noqa: S311 - an order of rows, no secret
        lengths = [row.tokens for row in rows]
        waiting: list[list[int]] = []
        passes = math.ceil(len(rows) / options.batch_size)
        yield Started("Tune", tuner.steps, "steps")
        while tuner.done < tuner.steps:
            waiting = waiting or plan_epoch(lengths, options.batch_size, stream)
            batch = [rows[place] for place in waiting.pop()]
            yield from _step(tuner, batch, result)
            result.epochs = tuner.done / passes
            if tests and (not waiting or tuner.done == tuner.steps):
                loss = yield from tuner.measure(tests)
                yield Point("held_out", tuner.done, loss)
                if result.loss_after is None or loss < result.loss_after:
                    result.loss_after = loss
                    tuner.keep()
        if warning := _no_gain(result):
            yield Notice(warning)
    except KeyboardInterrupt:
        if not tuner.done:
            raise
        result.interrupted = True


def _no_gain(result: FinetuneResult) -> str | None:
    """Say that the tuning made the model no better, if the losses say so."""
    advice = f"Try a lower --lr, which was {result.lr:g}, or more rows."
    before, after = result.loss_before, result.loss_after
    if before is not None and after is not None:
        if after < before:
            return None
        return (
            f"The held-out loss did not fall: {before:.3g} before, {after:.3g} after the best "
            f"epoch. {advice}"
        )
    tenth = max(1, result.steps // 10)
    first, last = (sum(part) / tenth for part in (result.losses[:tenth], result.losses[-tenth:]))
    if last <= RISEN * first:
        return None
    return f"The loss rose while it learned, from {first:.3g} to {last:.3g}. {advice}"


def _step(
    tuner: Tuner, batch: Sequence[Example], result: FinetuneResult
) -> Generator[Event, None, None]:
    began = time.perf_counter()
    tuner.step(batch)
    result.step_seconds += time.perf_counter() - began
    result.losses = tuner.losses
    result.tokens += sum(row.tokens for row in batch)
    while tuner.notices:
        yield Notice(tuner.notices.pop(0))
    yield Point("loss", tuner.done, tuner.losses[-1])
    yield Advanced(tuner.done)


def _finish(
    tuner: Tuner,
    model: LanguageModel,
    rows: Sequence[Example],
    result: FinetuneResult,
    keep: Callable[[Tuner], None],
) -> None:
    """Save the best weights, if they do anything at all."""
    with Shield() as shield:
        tuner.restore()
        if tuner.has_effect(rows[0]):
            keep(tuner)
        elif result.interrupted:
            raise Interrupted(STOPPED_EARLY)
        else:
            raise TrainingError(
                f"After {tuner.done:,} steps the answers of {model.name} are the same to the last "
                f"digit, so nothing is saved. Raise --lr, which was {tuner.rate:g}, or --epochs."
            )
    result.interrupted = result.interrupted or shield.struck


def _tuning(
    model: LanguageModel,
    result: FinetuneResult,
    data: Mapping[str, object],
    options: FinetuneOptions,
) -> Tuning:
    from importlib.metadata import version

    from fmagic.models.cards import Tuning

    figures = result.metrics()
    return Tuning(
        name=result.folder.parent.name,
        run=result.folder.name,
        base=model.spec,
        base_revision=model.revision,
        license=model.license,
        method=result.method,
        data={"rows": result.rows, **data},
        options={**options.params(model.width), "seed": options.seed},
        figures={name: figures[name] for name in CARD_FIGURES if name in figures},
        interrupted=result.interrupted,
        version=version("fmagic"),
    )


def _as_shortage(
    error: Exception, model: LanguageModel, options: FinetuneOptions
) -> OutOfMemoryError | None:
    """Return the error to raise if memory ran out, `None` if it was something else."""
    from fmagic.models.devices import detect
    from fmagic.models.memory import is_shortage, shortage_message

    if not is_shortage(error):
        return None
    traceback.clear_frames(error.__traceback__)
    smaller = "a smaller model, or one that is quantized (--quant nf4)"
    if options.method == "full":
        smaller = "--method lora"
    return OutOfMemoryError(
        shortage_message(
            detect(str(model.device)),
            f"Tuning {model.name} did not fit, even row by row; the model is as before and usable. "
            f"Use shorter rows, or {smaller}.",
        )
    )
