"""Train the bundled model from the word lists and task modules beside this file.

    python -m fmagic.models.tiny.train --out weights

writes tokenizer, weights, scores and card. A run that was stopped goes on with `--resume`
and ends in the same weights as an unbroken one on the same device.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
import random
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from fmagic.models.tiny.config import TrainConfig
from fmagic.models.tiny.data import stream
from fmagic.models.tiny.model import (
    deepen,
    language_loss,
    load_model,
    new_model,
    number_type,
    pair_loss,
    save_model,
)
from fmagic.models.tiny.optimizer import MasterOptimizer, rate
from fmagic.models.tiny.score import score, write
from fmagic.models.tiny.tasks import load_tasks, paraphrase
from fmagic.models.tiny.tokenizer import texts, train_tokenizer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from concurrent.futures import Executor

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

    from fmagic.models.tiny.data import Batch, Step

log = logging.getLogger("fmagic.models.tiny")

CHECKPOINT = "checkpoint.pt"
LOG_EVERY = 20


def make_tokenizer(config: TrainConfig, folder: Path) -> None:
    """Train the tokenizer on text of all tasks, and save it."""
    rng = random.Random(f"vocabulary-{config.seed}")  # noqa: S311 - reproducible, not secret
    tasks = load_tasks()

    def lines() -> Iterator[str]:
        for _ in range(config.tokenizer_examples // len(tasks)):
            yield from texts(task.example(rng, "train") for task in tasks.values())
            yield from paraphrase.pair(rng, "train")

    tokenizer = train_tokenizer(lines(), config.model.vocabulary, config.seed)
    tokenizer.save_pretrained(folder)


def train(
    config: TrainConfig,
    folder: Path,
    *,
    device: str = "cpu",
    resume: bool = False,
    start: Path | None = None,
    layers: int | None = None,
    minutes: float | None = None,
    stop_after: int | None = None,
) -> LlamaForCausalLM:
    """Train, with checkpoints, and save the model into `folder`.

    Args:
        config: every setting.
        folder: where tokenizer, checkpoint and weights go.
        device: "cpu" or "cuda".
        resume: go on from the checkpoint in `folder`.
        start: a finished model to go on from, with its tokenizer: its steps count, the learning
            rates rise once more, and the optimizer begins afresh.
        layers: depth to which the model of `start` grows first.
        minutes: end after this time in place of `config.steps`; not repeatable.
        stop_after: leave after this step with a checkpoint, as if interrupted.
    """
    import torch

    folder.mkdir(parents=True, exist_ok=True)
    model, tokenizer = _at_first(config, folder, start, layers, resume=resume)
    begun = first = _steps_of(start) if start is not None else 0
    seconds = 0.0
    model.to(device, number_type(device))
    # In bfloat16 the fused attention is the slower one on a CPU at these lengths.
    model.set_attn_implementation("eager" if model.dtype == torch.bfloat16 else "sdpa")
    optimizer = MasterOptimizer(model, config)
    if resume:
        state = torch.load(folder / CHECKPOINT, map_location=device, weights_only=True)
        optimizer.load_state_dict(state["optimizer"])
        begun, first, seconds = state["begun"], state["step"], state["seconds"]
    steps = config.steps if minutes is None else 10**7
    started = time.monotonic() - seconds
    progress = _Progress()
    last = first
    with _threads(config, device) as pool:
        for step, made in enumerate(stream(config, folder, first, steps), first):
            spent = time.monotonic() - started
            past = step - begun
            done = past / (steps - begun) if minutes is None else spent / (60 * minutes)
            if done >= 1 or (stop_after is not None and step >= stop_after):
                break
            losses, gradients = _learn(model, made, config, pool)
            norm = optimizer.step(gradients, rate(config, done, past), pool)
            last = step + 1
            progress.add(made, losses)
            if last % LOG_EVERY == 0:
                log.info("step %d norm %.2f %s", last, norm, progress.line())
                progress = _Progress()
            if last % config.checkpoint_every == 0:
                _checkpoint(optimizer, folder, begun, last, time.monotonic() - started)
                save_model(model, tokenizer, folder)
    _checkpoint(optimizer, folder, begun, last, time.monotonic() - started)
    save_model(model, tokenizer, folder)
    _record(config, model, folder, steps=last, seconds=time.monotonic() - started)
    return model


def _at_first(
    config: TrainConfig, folder: Path, start: Path | None, layers: int | None, *, resume: bool
) -> tuple[LlamaForCausalLM, PreTrainedTokenizerFast]:
    """Return the network before the first step, and its tokenizer, which is in `folder` then."""
    if resume:
        # Its shape may be that of an earlier recipe; the checkpoint holds the exact weights.
        return load_model(folder), _load_tokenizer(folder)
    if start is not None:
        tokenizer = _load_tokenizer(start)
        tokenizer.save_pretrained(folder)
        model = load_model(start)
        return (model if layers is None else deepen(model, layers)), tokenizer
    make_tokenizer(config, folder)
    tokenizer = _load_tokenizer(folder)
    return new_model(config.model, tokenizer, config.seed), tokenizer


def _record(
    config: TrainConfig, model: LlamaForCausalLM, folder: Path, *, steps: int, seconds: float
) -> None:
    """Write what the card says about the training; the network may have another shape than asked."""
    settings = config.as_dict()
    settings["model"] |= {
        "layers": model.config.num_hidden_layers,
        "heads": model.config.num_attention_heads,
        "kv_heads": model.config.num_key_value_heads,
    }
    record = {
        "steps": steps,
        "tokens": steps * config.parts * config.part_tokens,
        "minutes": seconds / 60,
        "device": model.device.type,
        "config": settings,
    }
    (folder / "training.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def _threads(config: TrainConfig, device: str) -> ThreadPoolExecutor:
    """Return the threads that compute the parts of a step: one core each, or one for a GPU."""
    import torch

    if device != "cpu":
        return ThreadPoolExecutor(1)
    torch.set_num_threads(1)
    return ThreadPoolExecutor(config.threads, initializer=torch.set_num_threads, initargs=(1,))


def _learn(
    model: LlamaForCausalLM, made: Step, config: TrainConfig, pool: Executor
) -> tuple[list[float], list[Sequence[Tensor]]]:
    """Return the losses and the gradients of a step's parts, that of the pairs last."""
    import torch

    parameters = list(model.parameters())
    weight = made.weight

    def language(batch: Batch) -> tuple[float, Sequence[Tensor]]:
        loss = language_loss(model, batch) / weight
        return float(loss.detach()), torch.autograd.grad(loss, parameters)

    def near(ids: NDArray[np.int64]) -> tuple[float, Sequence[Tensor]]:
        pairs = torch.from_numpy(ids).to(model.device)
        loss = pair_loss(model, pairs, model.config.pad_token_id, config.temperature)
        return float(loss.detach()), torch.autograd.grad(config.pairs_weight * loss, parameters)

    coming = [pool.submit(language, batch) for batch in made.batches]
    if made.pairs is not None:
        coming.append(pool.submit(near, made.pairs))
    results = [future.result() for future in coming]
    return [loss for loss, _ in results], [gradient for _, gradient in results]


@dataclass(slots=True)
class _Progress:
    """Means over the steps since the last line of the log."""

    since: float = field(default_factory=time.monotonic)
    tokens: int = 0
    language: list[float] = field(default_factory=list)
    near: list[float] = field(default_factory=list)

    def add(self, made: Step, losses: list[float]) -> None:
        count = len(made.batches)
        self.tokens += sum(batch.ids.size for batch in made.batches)
        self.language.append(sum(losses[:count]))
        self.near += losses[count:]

    def line(self) -> str:
        near = f" pairs {sum(self.near) / len(self.near):.3f}" if self.near else ""
        pace = self.tokens / (time.monotonic() - self.since)
        return f"loss {sum(self.language) / len(self.language):.3f}{near} {pace:.0f} tokens/s"


def _load_tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast.from_pretrained(folder)


def _steps_of(folder: Path) -> int:
    """Return how many steps a finished model has learnt."""
    steps = json.loads((folder / "training.json").read_text(encoding="utf-8"))["steps"]
    return int(steps)


def _checkpoint(
    optimizer: MasterOptimizer, folder: Path, begun: int, step: int, seconds: float
) -> None:
    import torch

    state = {
        "optimizer": optimizer.state_dict(),
        "begun": begun,
        "step": step,
        "seconds": seconds,
    }
    new = folder / f"{CHECKPOINT}.new"
    torch.save(state, new)
    new.replace(folder / CHECKPOINT)


def main(argv: list[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, required=True, help="folder of the model")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--steps", type=int, help="number of steps")
    length.add_argument("--minutes", type=float, help="time to train; not repeatable")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint")
    parser.add_argument("--start", type=Path, help="folder of a finished model to go on from")
    parser.add_argument("--layers", type=int, help="depth to which the model of --start grows")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    config = dataclasses.replace(
        TrainConfig(), seed=options.seed, steps=options.steps or TrainConfig().steps
    )
    train(
        config,
        options.out,
        device=options.device,
        resume=options.resume,
        start=options.start,
        layers=options.layers,
        minutes=options.minutes,
    )
    write(score(options.out), options.out)


if __name__ == "__main__":
    main()
