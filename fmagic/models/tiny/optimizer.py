"""Muon for the matrices, AdamW for the rest, with float32 copies of bfloat16 weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Executor

    from torch import Tensor, nn

    from fmagic.models.tiny.config import TrainConfig

MATRIX = 2
"""Dimensions of a matrix."""


def rate(config: TrainConfig, done: float, step: int) -> float:
    """Return the factor on the learning rates.

    Args:
        config: settings with `warmup` (steps) and `decay` (share of the run).
        done: share of the run that is over, from 0 to 1.
        step: number of the step.
    """
    return min(1.0, (step + 1) / config.warmup, max(0.0, 1.0 - done) / config.decay)


class MasterOptimizer:
    """Steps float32 copies of the parameters and writes them back in the model's type.

    Muon (Jordan et al., 2024) orthogonalises the momentum of each matrix; embeddings and
    norms take AdamW.
    """

    def __init__(self, model: nn.Module, config: TrainConfig) -> None:
        import torch

        self.config = config
        named = dict(model.named_parameters())
        self._parameters = list(named.values())
        self.masters = {
            name: p.detach().float().clone().requires_grad_() for name, p in named.items()
        }
        inner = [m for name, m in self.masters.items() if m.ndim == MATRIX and "embed" not in name]
        others = [m for name, m in self.masters.items() if m.ndim != MATRIX or "embed" in name]
        # The matrices are dealt out so that each thread orthogonalises its own.
        self._optimizers: list[torch.optim.Optimizer] = [
            torch.optim.AdamW(
                others, lr=config.adamw_lr, betas=(0.9, 0.95), weight_decay=0.0, fused=True
            )
        ]
        for thread in range(config.threads):
            self._optimizers.append(
                torch.optim.Muon(
                    inner[thread :: config.threads],
                    lr=config.muon_lr,
                    weight_decay=config.weight_decay,
                    adjust_lr_fn="match_rms_adamw",
                )
            )
        self._rates = [config.adamw_lr, *[config.muon_lr] * config.threads]

    def step(self, gradients: Sequence[Sequence[Tensor]], factor: float, pool: Executor) -> float:
        """Take one step and return the norm of the gradient before clipping.

        Args:
            gradients: for each part its gradients, in the order of the parameters.
            factor: multiplies the learning rates.
            pool: runs the optimizers side by side.
        """
        import torch

        masters = list(self.masters.values())
        for master, *parts in zip(masters, *gradients, strict=True):
            master.grad = torch.stack(parts).sum(0, dtype=torch.float32)
        norm = torch.nn.utils.clip_grad_norm_(masters, self.config.clip)
        for optimizer, lr in zip(self._optimizers, self._rates, strict=True):
            for group in optimizer.param_groups:
                group["lr"] = lr * factor
        list(pool.map(lambda optimizer: optimizer.step(), self._optimizers))
        self.write_back()
        return float(norm)

    def write_back(self) -> None:
        """Copy the float32 values into the model."""
        import torch

        with torch.no_grad():
            for master, parameter in zip(self.masters.values(), self._parameters, strict=True):
                parameter.copy_(master)

    def state_dict(self) -> dict[str, Any]:
        """Return everything a resumed run needs."""
        return {
            "masters": {name: m.detach() for name, m in self.masters.items()},
            "optimizers": [optimizer.state_dict() for optimizer in self._optimizers],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over a saved state and write it into the model."""
        import torch

        with torch.no_grad():
            for name, master in self.masters.items():
                master.copy_(state["masters"][name])
        for optimizer, saved in zip(self._optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.write_back()
