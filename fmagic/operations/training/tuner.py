"""One model that learns: its steps, its losses, and the best weights so far."""

from __future__ import annotations

import gc
import math
import traceback
from typing import TYPE_CHECKING, Any

import torch

from fmagic.errors import TrainingError
from fmagic.models.devices import free_memory
from fmagic.models.generating import decoder_start
from fmagic.models.memory import is_shortage
from fmagic.operations.events import Advanced
from fmagic.operations.training.copying import whole_copy, with_adapter
from fmagic.operations.training.examples import split_by_tokens
from fmagic.operations.training.forward import Forward
from fmagic.operations.training.randomness import Randomness
from fmagic.shield import Shield

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from fmagic.models.language import LanguageModel
    from fmagic.operations.events import Event
    from fmagic.operations.training.examples import Example
    from fmagic.operations.training.options import FinetuneOptions

WARM_UP = 0.05  # share of the steps in which the learning rate rises
LARGEST_GRADIENT = 1.0  # norm to which larger gradients are cut
FREE_SHARE = 0.5  # of the free memory that one pass may fill
HALF = {"bfloat16": torch.bfloat16, "float16": torch.float16}


class Tuner:
    """A copy of a model with an optimizer.

    Args:
        model: which is copied and stays what it is.
        options: of the tuning.
        rate: highest learning rate.
        steps: that will be made in all.
    """

    def __init__(
        self, model: LanguageModel, options: FinetuneOptions, *, rate: float, steps: int
    ) -> None:
        self._model = model
        self.steps = steps
        self.rate = rate
        self.budget = model.batch_tokens
        self._device = model.network.get_input_embeddings().weight.device
        self._random = Randomness(options.seed, self._device)
        with self._random.own():
            if options.method == "full":
                self.learner = whole_copy(model.network)
                self.network = self.learner
            else:
                self.learner = with_adapter(
                    model.network, options, kind=model.kind, name=model.name
                )
                self.network = self.learner.get_base_model()
        self.network.train()
        self.weights = {
            name: weight for name, weight in self.network.named_parameters() if weight.requires_grad
        }
        self._optimizer = torch.optim.AdamW(
            self.weights.values(), lr=rate, weight_decay=0.0, fused=_may_fuse(self._device)
        )
        half = HALF.get(model.dtype)
        # Gradients in float16 underflow; they are computed of a larger loss, and scaled back.
        self._scaler = torch.amp.GradScaler(self._device.type, enabled=half is torch.float16)
        self.forward = Forward(
            self.network,
            padding=model.tokenizer.pad_token_id or 0,
            decoder_start=decoder_start(self.network) if model.kind == "seq2seq" else None,
            autocast=half if self._device.type in ("cpu", "cuda") else None,
        )
        self._best: dict[str, torch.Tensor] | None = None
        self.losses: list[float] = []
        self.notices: list[str] = []
        self._twice = False

    @property
    def done(self) -> int:
        """Number of steps that were made."""
        return len(self.losses)

    @property
    def trainable(self) -> int:
        """Number of weights that learn."""
        return sum(weight.numel() for weight in self.weights.values())

    def prepare(self, rows: Sequence[Example]) -> None:
        """Check the short way to the loss, and see how many tokens fit into one pass."""
        ordered = sorted(rows, key=lambda row: row.tokens)
        longest = ordered[-1]
        self.forward.check([ordered[0], ordered[len(ordered) // 2]])
        free = int(FREE_SHARE * free_memory(self._model.device))
        try:
            taken = self._activation_bytes(longest)
        except Exception as error:
            if not is_shortage(error) or not self._keep_less():
                raise
            self._clear(error)
            self.budget = min(self.budget, longest.tokens)
            return
        if taken > free and self._keep_less():
            self.budget = min(self.budget, longest.tokens)
        elif taken:
            self.budget = min(self.budget, max(1, free * longest.tokens // taken))

    def _keep_less(self) -> bool:
        """Compute states twice from now on; tell whether that is new and the model can do it."""
        if self._twice or not getattr(self.network, "supports_gradient_checkpointing", False):
            return False
        _compute_twice(self.network)
        self._twice = True
        self.notices.append(
            "Memory is short: states are computed twice instead of being kept, which takes "
            "about a third longer."
        )
        return True

    def _clear(self, error: Exception) -> None:
        """Give back what a pass that failed held."""
        traceback.clear_frames(error.__traceback__)
        gc.collect()
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    def _activation_bytes(self, row: Example) -> int:
        """Return what is kept for the backward pass of one row, in bytes."""
        own = {weight.data_ptr() for weight in self.network.parameters()}
        kept: dict[int, torch.Tensor] = {}  # holding them keeps their addresses apart

        def note(tensor: torch.Tensor) -> torch.Tensor:
            if tensor.data_ptr() not in own:
                kept[tensor.data_ptr()] = tensor
            return tensor

        with self._random.own(), torch.autograd.graph.saved_tensors_hooks(note, lambda held: held):
            self.forward.loss([row])
        return sum(tensor.nbytes for tensor in kept.values())

    def step(self, rows: Sequence[Example]) -> None:
        """Learn from one batch; its mean loss for each learned token, in nats, joins `losses`.

        If memory runs out, the batch is read in smaller parts, and of a single row less is kept;
        its gradient stays the same.

        Raises:
            TrainingError: the loss or the gradient is no number.
        """
        while True:
            try:
                self._step(rows)
            except Exception as error:
                self._optimizer.zero_grad(set_to_none=True)
                largest = max(len(part) for part in split_by_tokens(rows, self.budget))
                if not is_shortage(error) or (largest == 1 and not self._keep_less()):
                    raise
                self._clear(error)
            else:
                return
            if largest == 1:
                continue
            self.budget = max(1, min(self.budget, sum(row.tokens for row in rows)) // 2)
            self.notices.append(
                f"Memory ran out; from here on at most {self.budget:,} tokens are read at once. "
                "What is learned stays the same."
            )

    def _step(self, rows: Sequence[Example]) -> None:
        learned = sum(len(row.answer) for row in rows)
        total = 0.0
        with self._random.own():
            for part in split_by_tokens(rows, self.budget):
                loss = self.forward.loss(part)
                total += float(loss.detach())
                if not math.isfinite(total):
                    raise self._diverged("loss")
                torch.autograd.backward([self._scaler.scale(loss / learned)])
        self._scaler.unscale_(self._optimizer)
        norm = float(torch.nn.utils.clip_grad_norm_(self.weights.values(), LARGEST_GRADIENT))
        if not math.isfinite(norm) and not self._scaler.is_enabled():
            raise self._diverged("gradient")
        for group in self._optimizer.param_groups:
            group["lr"] = self.rate * self._share_of_rate()
        # Half an update would be worse than none.
        with Shield() as shield:
            self._scaler.step(self._optimizer)
            self._scaler.update()
            self._optimizer.zero_grad(set_to_none=True)
            self.losses.append(total / learned)
        if shield.struck:
            raise KeyboardInterrupt

    def _share_of_rate(self) -> float:
        """Return the share of the highest rate: it rises, and falls on a line to zero."""
        rising = max(1, round(WARM_UP * self.steps))
        if self.done < rising:
            return (self.done + 1) / rising
        return max(0.0, (self.steps - self.done) / max(1, self.steps - rising))

    def _diverged(self, what: str) -> TrainingError:
        return TrainingError(
            f"The {what} became infinite or no number in step {self.done + 1:,}. Nothing is saved, "
            f"and {self._model.name} is as before. Lower --lr, which was {self.rate:g}."
        )

    def measure(
        self, rows: Sequence[Example], *, count: bool = False
    ) -> Generator[Event, None, float]:
        """Return the mean loss for each learned token of rows that are not learned from.

        Between two parts it yields how many rows are done with `count`, else the steps so far.
        """
        total, done = 0.0, 0
        self.network.eval()
        try:
            for part in split_by_tokens(rows, self.budget):
                with torch.no_grad():
                    total += float(self.forward.loss(part))
                done += len(part)
                yield Advanced(done if count else self.done)
        finally:
            self.network.train()
        return total / sum(len(row.answer) for row in rows)

    def keep(self) -> None:
        """Remember the weights as the best so far."""
        self._best = {
            name: weight.detach().to("cpu", copy=True) for name, weight in self.weights.items()
        }

    @torch.no_grad()
    def restore(self) -> None:
        """Go back to the best weights, if some were kept."""
        for name, weight in (self._best or {}).items():
            self.weights[name].copy_(weight)

    @torch.no_grad()
    def has_effect(self, row: Example) -> bool:
        """Tell whether what was learned changes any score on a row."""
        self.network.eval()
        if self.learner is self.network:
            return any(
                not torch.equal(weight, self.weights[name].to(weight.dtype))
                for name, weight in self._model.network.named_parameters()
            )
        tuned = self.forward.scores([row])
        with self.learner.disable_adapter():
            return not torch.equal(tuned, self.forward.scores([row]))

    def close(self) -> None:
        """Let go of everything, whoever still holds this object."""
        if "forward" in self.__dict__:
            self.forward.close()
        self.__dict__.clear()


def _compute_twice(network: Any) -> None:
    """Let a model of transformers compute states again for the backward pass."""
    options = {"use_reentrant": False}
    if hasattr(network, "activation_checkpointing_enable"):  # the older name warns where it exists
        network.activation_checkpointing_enable(activation_checkpointing_kwargs=options)
    else:
        network.gradient_checkpointing_enable(gradient_checkpointing_kwargs=options)


def _may_fuse(device: torch.device) -> bool:
    return device.type in ("cpu", "cuda")
