"""The bundled model's network: a small Llama, its losses, and how it is saved."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING

from fmagic.models.precision import has_fast_bfloat16
from fmagic.models.tiny.wiring import wire_copying

if TYPE_CHECKING:
    from pathlib import Path

    import torch
    from torch import Tensor
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

    from fmagic.models.tiny.config import ModelShape
    from fmagic.models.tiny.data import Batch


def new_model(shape: ModelShape, tokenizer: PreTrainedTokenizerFast, seed: int) -> LlamaForCausalLM:
    """Build the untrained network in float32, the same for the same seed."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=shape.vocabulary,
        hidden_size=shape.width,
        intermediate_size=shape.mlp,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        head_dim=shape.head_size,
        max_position_embeddings=shape.positions,
        rope_parameters={"rope_type": "default", "rope_theta": shape.rope_theta},
        attention_bias=True,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config)
        torch.nn.init.normal_(model.model.embed_tokens.weight, std=shape.embedding_std)
        wire_copying(model, shape.embedding_std, tokenizer.all_special_ids)
    return model


def load_model(folder: Path) -> LlamaForCausalLM:
    """Load a finished model in float32."""
    import torch
    from transformers import LlamaForCausalLM

    model: LlamaForCausalLM = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32)
    return model


def deepen(model: LlamaForCausalLM, layers: int) -> LlamaForCausalLM:
    """Return a network of more layers that computes the same as `model`.

    The new layers stand at even distances. Each is a copy of the one before it which writes
    nothing yet, so that training starts with what it reads (Chen et al., 2016, "Net2Net").

    Raises:
        ValueError: `model` has more layers than that, or less than half as many.
    """
    import torch
    from transformers import LlamaForCausalLM

    old = model.config.num_hidden_layers
    extra = layers - old
    if not 0 <= extra <= old:
        raise ValueError(f"A network of {old} layers cannot become one of {layers}.")
    after = {k * old // extra for k in range(extra)}
    config = copy.deepcopy(model.config)
    config.num_hidden_layers = layers
    deeper = LlamaForCausalLM(config)
    deeper.model.embed_tokens.load_state_dict(model.model.embed_tokens.state_dict())
    deeper.model.norm.load_state_dict(model.model.norm.state_dict())
    into = iter(deeper.model.layers)
    for i, layer in enumerate(model.model.layers):
        next(into).load_state_dict(layer.state_dict())
        if i in after:
            copied = next(into)
            copied.load_state_dict(layer.state_dict())
            with torch.no_grad():
                for writes in (copied.self_attn.o_proj, copied.mlp.down_proj):
                    for parameter in writes.parameters():
                        parameter.zero_()
    return deeper


def number_type(device: str) -> torch.dtype:
    """Return bfloat16 where it is faster than float32."""
    import torch

    fast = device != "cpu" or has_fast_bfloat16()
    return torch.bfloat16 if fast else torch.float32


def language_loss(model: LlamaForCausalLM, batch: Batch) -> Tensor:
    """Return the weighted sum of the cross entropies of the tokens that the batch marks.

    The output layer runs only where a token is to be predicted. Rows are padded on the
    right, so that causal attention needs no mask.
    """
    import torch
    from torch.nn import functional

    device = model.device
    hidden = model.model(input_ids=_tensor(batch.ids, device), use_cache=False).last_hidden_state
    chosen = hidden.flatten(0, 1)[_tensor(batch.positions, device)]
    logits = functional.linear(chosen, model.get_input_embeddings().weight).float()
    losses = functional.cross_entropy(logits, _tensor(batch.targets, device), reduction="none")
    weights = torch.from_numpy(batch.weights).to(device)
    return (losses * weights).sum()


def pair_loss(model: LlamaForCausalLM, pairs: Tensor, pad: int, temperature: float) -> Tensor:
    """Return the InfoNCE loss (van den Oord et al., 2018) of paraphrases in one batch.

    Args:
        model: the network.
        pairs: ids (2 * n, length); row `i` and row `n + i` mean the same.
        pad: id of the padding.
        temperature: divides the cosines.
    """
    import torch
    from torch.nn import functional

    first, second = mean_pooled(model, pairs, pairs != pad).chunk(2)
    scores = first @ second.T / temperature
    wanted = torch.arange(len(first), device=scores.device)
    return (
        functional.cross_entropy(scores, wanted) + functional.cross_entropy(scores.T, wanted)
    ) / 2


def mean_pooled(model: LlamaForCausalLM, ids: Tensor, mask: Tensor) -> Tensor:
    """Return unit vectors (rows, width) in float32: the mean last hidden state of each text.

    Texts are padded on the right.
    """
    from torch.nn import functional

    hidden = model.model(input_ids=ids, use_cache=False).last_hidden_state.float()
    weights = mask.unsqueeze(-1).float()
    pooled = (hidden * weights).sum(1) / weights.sum(1).clamp(min=1)
    return functional.normalize(pooled, dim=-1)


def _tensor(array: object, device: torch.device) -> Tensor:
    import torch

    return torch.as_tensor(array).to(device)


def save_model(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write weights in bfloat16, the settings of greedy decoding, tokenizer and pooling."""
    import torch
    from transformers import GenerationConfig

    copy.deepcopy(model).to(torch.bfloat16).save_pretrained(folder)
    GenerationConfig(
        do_sample=False,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    ).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    write_pooling(folder, model.config.hidden_size)


def write_pooling(folder: Path, width: int) -> None:
    """Write how texts become vectors, in the files of the sentence-transformers library."""
    kinds = ("Transformer", "Pooling", "Normalize")
    modules = [
        {
            "idx": i,
            "name": str(i),
            "path": "" if i == 0 else f"{i}_{kind}",
            "type": f"sentence_transformers.models.{kind}",
        }
        for i, kind in enumerate(kinds)
    ]
    pooling = {
        "word_embedding_dimension": width,
        "pooling_mode_cls_token": False,
        "pooling_mode_mean_tokens": True,
        "pooling_mode_max_tokens": False,
        "pooling_mode_mean_sqrt_len_tokens": False,
    }
    (folder / "1_Pooling").mkdir(exist_ok=True)
    for name, content in (("modules.json", modules), ("1_Pooling/config.json", pooling)):
        (folder / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
