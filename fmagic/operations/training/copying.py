"""The copy of a model that learns, so that the model itself stays what it was.

For LoRA the copy is only of the module tree: every weight in it is the base's own tensor. peft puts
its layers into the copy, so the base is never touched, whatever happens during training.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from fmagic.errors import TrainingError
from fmagic.models import sharing
from fmagic.models.abilities import reads_more
from fmagic.models.quiet import quiet

if TYPE_CHECKING:
    from fmagic.operations.training.options import FinetuneOptions

TASKS = {"causal": "CAUSAL_LM", "seq2seq": "SEQ_2_SEQ_LM"}


def share(network: Any) -> Any:
    """Return a module with a tree of its own and the tensors of `network`, which can learn."""
    shared = sharing.share(network)
    for module in shared.modules():
        if type(module).__name__ == "Linear4bit":
            _make_differentiable(module)
    return shared


def _make_differentiable(layer: Any) -> None:
    """Give a 4-bit layer weights through which gradients flow.

    On processors with AVX512-BF16, bitsandbytes reorders the weights of a layer at its first
    inference, for a kernel that has no derivative. The reordered weights are copied back into the
    usual order, with the very same values, and the copy is kept from being reordered.
    """
    layer.support_avx512bf16_for_cpu = False
    state = layer.weight.quant_state
    if not getattr(state, "packing_format_for_cpu", False):
        return
    from bitsandbytes.functional import _convert_weight_packed_for_cpu_inverse
    from bitsandbytes.nn import Params4bit

    plain = copy.copy(state)
    # Scales were made plain when they were packed. Compressing them again would lose precision.
    plain.original_nested = False
    weight, plain = _convert_weight_packed_for_cpu_inverse(layer.weight.data, plain)
    plain.nested = False
    plain.absmax = state.absmax.T.reshape(-1).float().contiguous()
    fresh = Params4bit(
        weight,
        requires_grad=False,
        quant_state=plain,
        blocksize=state.blocksize,
        compress_statistics=False,
        quant_type=state.quant_type,
        quant_storage=weight.dtype,
        bnb_quantized=True,
    )
    layer.weight = fresh
    layer.quant_state = plain


def whole_copy(network: Any) -> Any:
    """Return a copy with float32 weights of its own, all of which learn."""
    learner = copy.deepcopy(network).float()
    return learner.requires_grad_(requires_grad=True)


def with_adapter(network: Any, options: FinetuneOptions, *, kind: str, name: str) -> Any:
    """Return a copy that shares the weights of `network` and has new LoRA layers to learn.

    Every linear layer but the output head and the routers of experts gets one; what reads images
    or sound gets none. The second matrix of each starts at zero, so the copy begins with the
    answers of the base (Hu et al. 2021, arXiv:2106.09685).

    Raises:
        TrainingError: the model has no layer that can be adapted.
    """
    with quiet():
        from peft import LoraConfig, get_peft_model

        settings: dict[str, Any] = {
            "r": options.rank,
            "lora_alpha": options.scale,
            "lora_dropout": options.dropout,
            "target_modules": "all-linear",
            "task_type": TASKS[kind],
        }
        # Some routers are linear layers that return more than one tensor (Phi-MoE, Llama 4).
        left = [
            name
            for name, layer in network.named_modules()
            if type(layer).__name__.endswith("Router")
        ]
        left += _of_no_text(network)
        try:
            return get_peft_model(
                share(network), LoraConfig(**settings, exclude_modules=left or None)
            )
        except ValueError as error:
            # Mamba multiplies with the weight of this layer behind the layer's back.
            if "out_proj" not in str(error):
                raise _unfit(name, error) from None
        try:
            return get_peft_model(
                share(network),
                LoraConfig(**settings, exclude_modules=["out_proj", "conv1d", *left]),
            )
        except ValueError as error:
            raise _unfit(name, error) from None


def _of_no_text(network: Any) -> list[str]:
    """Return the names of the linear layers that text does not pass."""
    import torch

    if not reads_more(network):
        return []
    passed = {id(each) for each in network.get_decoder().modules()}
    return [
        name
        for name, layer in network.named_modules()
        if isinstance(layer, torch.nn.Linear) and id(layer) not in passed
    ]


def _unfit(name: str, error: ValueError) -> TrainingError:
    reason = str(error).strip().partition("\n")[0].rstrip(".")
    return TrainingError(
        f"LoRA finds nothing to adapt in {name}: {reason}. Use --method full to train all weights."
    )
