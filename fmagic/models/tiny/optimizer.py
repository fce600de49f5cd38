"""Muon for the matrices, AdamW for the rest, with float32 copies of bfloat16 weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Executor

    import torch
    from torch import Tensor, nn

    from fmagic.models.tiny.config import TrainConfig

MATRIX = 2
"""Dimensions of a matrix."""
MOMENTUM = 0.95
NEWTON_SCHULZ = (3.4445, -4.775, 2.0315)


def rate(config: TrainConfig, done: float, step: int) -> float:
    """Return the factor on the learning rates.

    Args:
        config: settings with `warmup` (steps) and `decay` (share of the run).
        done: share of the run that is over, from 0 to 1.
        step: number of steps since the run began.
    """
    return min(1.0, (step + 1) / config.warmup, max(0.0, 1.0 - done) / config.decay)


def orthogonal(matrix: Tensor, dtype: torch.dtype) -> Tensor:
    """Return a matrix of the same singular vectors whose singular values are close to 1.

    Five steps of the quintic Newton-Schulz iteration with the coefficients of Muon (Jordan et
    al., 2024), computed in `dtype`. torch's own Muon always takes bfloat16, which is eight times
    slower than float32 on a processor without it.
    """
    found = matrix.to(dtype)
    found = found.T if len(matrix) > matrix.shape[1] else found
    found = found / found.norm().clamp(min=1e-7)
    a, b, c = NEWTON_SCHULZ
    for _ in range(5):
        gram = found @ found.T
        found = a * found + (b * gram + c * gram @ gram) @ found
    turned: Tensor = found.T if len(matrix) > matrix.shape[1] else found
    return turned


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
        self._dtype = self._parameters[0].dtype
        self.masters = {
            name: p.detach().float().clone().requires_grad_() for name, p in named.items()
        }
        inner = [n for n, m in self.masters.items() if m.ndim == MATRIX and "embed" not in n]
        self.momentum = {name: torch.zeros_like(named[name], dtype=torch.float32) for name in inner}
        self._adamw = torch.optim.AdamW(
            [m for name, m in self.masters.items() if name not in self.momentum],
            lr=config.adamw_lr,
            betas=(0.9, 0.95),
            weight_decay=0.0,
            fused=True,
        )

    def step(self, gradients: Sequence[Sequence[Tensor]], factor: float, pool: Executor) -> float:
        """Take one step and return the norm of the gradient before clipping.

        Args:
            gradients: for each part its gradients, in the order of the parameters.
            factor: multiplies the learning rates.
            pool: runs the updates of the matrices side by side.
        """
        import torch

        masters = list(self.masters.values())
        for master, *parts in zip(masters, *gradients, strict=True):
            master.grad = torch.stack(parts).sum(0, dtype=torch.float32)
        norm = torch.nn.utils.clip_grad_norm_(masters, self.config.clip)
        for group in self._adamw.param_groups:
            group["lr"] = self.config.adamw_lr * factor
        lr = self.config.muon_lr * factor
        running = [pool.submit(self._muon, name, lr) for name in self.momentum]
        self._adamw.step()
        for future in running:
            future.result()
        self.write_back()
        return float(norm)

    def _muon(self, name: str, lr: float) -> None:
        """Update one matrix; its step has the root mean square that AdamW's would have."""
        import torch

        with torch.no_grad():
            matrix, momentum = self.masters[name], self.momentum[name]
            gradient = matrix.grad
            if gradient is None:
                raise RuntimeError(f"{name} has no gradient")
            momentum.lerp_(gradient, 1 - MOMENTUM)
            update = orthogonal(gradient.lerp(momentum, MOMENTUM), self._dtype)
            matrix.mul_(1 - lr * self.config.weight_decay)
            matrix.add_(update, alpha=-0.2 * lr * max(matrix.shape) ** 0.5)

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
            "momentum": self.momentum,
            "adamw": self._adamw.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over a saved state and write it into the model."""
        import torch

        with torch.no_grad():
            for kind in ("masters", "momentum"):
                for name, tensor in getattr(self, kind).items():
                    tensor.copy_(state[kind][name])
        self._adamw.load_state_dict(state["adamw"])
        self.write_back()
