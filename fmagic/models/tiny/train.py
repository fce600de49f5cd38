"""Train the bundled model from the word lists and task modules beside this file.

    python -m fmagic.models.tiny.train --out weights

writes tokenizer, weights, scores and card. A run that was stopped goes on with `--resume`
and ends in the same weights as an unbroken one on the same device.
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
import random
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from fmagic.models.tiny.config import TrainConfig
from fmagic.models.tiny.data import batches
from fmagic.models.tiny.model import language_loss, new_model, pair_loss, save_model
from fmagic.models.tiny.optimizer import MasterOptimizer, rate
from fmagic.models.tiny.tasks import load_tasks, paraphrase
from fmagic.models.tiny.tokenizer import texts, train_tokenizer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

    from fmagic.models.tiny.data import Batch

log = logging.getLogger("fmagic.models.tiny")

CHECKPOINT = "checkpoint.pt"
LOG_EVERY = 20


def make_tokenizer(config: TrainConfig, folder: Path) -> PreTrainedTokenizerFast:
    """Train the tokenizer on text of all tasks, save it, and return it."""
    rng = random.Random(f"vocabulary-{config.seed}")
    tasks = load_tasks()

    def lines() -> Iterator[str]:
        for _ in range(config.tokenizer_examples // len(tasks)):
            yield from texts(task.example(rng, "train") for task in tasks.values())
            yield from paraphrase.pair(rng, "train")

    tokenizer = train_tokenizer(lines(), config.model.vocabulary, config.seed)
    tokenizer.save_pretrained(folder)
    return tokenizer


def train(
    config: TrainConfig,
    folder: Path,
    *,
    device: str = "cpu",
    resume: bool = False,
    minutes: float | None = None,
    stop_after: int | None = None,
) -> LlamaForCausalLM:
    """Train, with checkpoints, and save the model into `folder`.

    Args:
        config: every setting.
        folder: where tokenizer, checkpoint and weights go.
        device: "cpu" or "cuda".
        resume: go on from the checkpoint in `folder`.
        minutes: end after this time in place of `config.steps`; not repeatable.
        stop_after: leave after this step with a checkpoint, as if interrupted.
    """
    import torch

    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = _load_tokenizer(folder) if resume else make_tokenizer(config, folder)
    model = new_model(config.model, tokenizer, config.seed).to(device, torch.bfloat16)
    optimizer = MasterOptimizer(model, config)
    first, seconds = 0, 0.0
    if resume:
        state = torch.load(folder / CHECKPOINT, map_location=device, weights_only=True)
        optimizer.load_state_dict(state["optimizer"])
        first, seconds = state["step"], state["seconds"]
    steps = config.steps if minutes is None else 10**7
    started = time.monotonic() - seconds
    progress = _Progress()
    last = first
    with _lanes(config, device) as pool:
        for step, lanes in enumerate(batches(config, folder, first, steps), first):
            spent = time.monotonic() - started
            done = step / steps if minutes is None else spent / (60 * minutes)
            if done >= 1 or (stop_after is not None and step >= stop_after):
                break
            total = sum(float(batch.weights.sum()) for batch in lanes)
            results = list(pool.map(lambda batch: _gradients(model, batch, config, total), lanes))
            norm = optimizer.step([each[0] for each in results], rate(config, done, step), pool)
            last = step + 1
            progress.add(lanes, [each[1:] for each in results], total)
            if last % LOG_EVERY == 0:
                log.info("step %d norm %.2f %s", last, norm, progress.line())
                progress = _Progress()
            if last % config.checkpoint_every == 0:
                _checkpoint(optimizer, folder, last, time.monotonic() - started)
                save_model(model, tokenizer, folder)
    _checkpoint(optimizer, folder, last, time.monotonic() - started)
    save_model(model, tokenizer, folder)
    return model


def _lanes(config: TrainConfig, device: str) -> ThreadPoolExecutor:
    """Return the threads that compute the lanes: one core each, or one for a GPU."""
    import torch

    if device != "cpu":
        return ThreadPoolExecutor(1)
    torch.set_num_threads(1)
    return ThreadPoolExecutor(config.lanes, initializer=torch.set_num_threads, initargs=(1,))


def _gradients(
    model: LlamaForCausalLM, batch: Batch, config: TrainConfig, total: float
) -> tuple[Sequence[Tensor], float, float | None]:
    """Return the gradients of one lane, its summed loss and its loss on pairs."""
    import torch

    loss = language_loss(model, batch)
    objective = loss / total
    near = None
    if batch.pairs is not None:
        pairs = torch.from_numpy(batch.pairs).to(model.device)
        near = pair_loss(model, pairs, model.config.pad_token_id, config.temperature)
        objective = objective + config.pairs_weight / config.lanes * near
    gradients = torch.autograd.grad(objective, list(model.parameters()))
    return gradients, float(loss.detach()), None if near is None else float(near.detach())


@dataclass(slots=True)
class _Progress:
    """Means over the steps since the last line of the log."""

    since: float = field(default_factory=time.monotonic)
    tokens: int = 0
    loss: float = 0.0
    weight: float = 0.0
    near: list[float] = field(default_factory=list)

    def add(
        self, lanes: list[Batch], losses: list[tuple[float, float | None]], total: float
    ) -> None:
        self.tokens += sum(batch.ids.size for batch in lanes)
        self.loss += sum(loss for loss, _ in losses)
        self.weight += total
        self.near += [near for _, near in losses if near is not None]

    def line(self) -> str:
        near = f" pairs {sum(self.near) / len(self.near):.3f}" if self.near else ""
        pace = self.tokens / (time.monotonic() - self.since)
        return f"loss {self.loss / self.weight:.3f}{near} {pace:.0f} tokens/s"


def _load_tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast.from_pretrained(folder)


def _checkpoint(optimizer: MasterOptimizer, folder: Path, step: int, seconds: float) -> None:
    import torch

    new = folder / f"{CHECKPOINT}.new"
    torch.save({"optimizer": optimizer.state_dict(), "step": step, "seconds": seconds}, new)
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
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    config = dataclasses.replace(
        TrainConfig(), seed=options.seed, steps=options.steps or TrainConfig().steps
    )
    train(
        config, options.out, device=options.device, resume=options.resume, minutes=options.minutes
    )


if __name__ == "__main__":
    main()
