"""Loading a model whose quantized copy is kept, against quantizing it again."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from .harness import Row, Settings, alternate, need
from .models import make_qwen3

if TYPE_CHECKING:
    from pathlib import Path

    from fmagic.settings import Fmagic

NAME = "quantized"
TITLE = "seconds to load a quantized model again"
TARGET = "at least 5x faster than quantizing at load"

METHODS = ("nf4", "int8")
DEEP, WIDTH, INNER = 24, 1024, 4096  # of the larger model: 419M parameters
REPEATS = 3


def run(settings: Settings) -> list[Row]:
    """Load the same files in turns: quantizing, writing a copy besides, and from the copy."""
    need("bitsandbytes")
    from fmagic.models import copies
    from fmagic.models.loader import load
    from fmagic.settings import Fmagic

    small = make_qwen3(settings.folder / "qwen3-40m")
    large = make_llama(settings.folder / "llama-420m", small)
    kept, first = (Fmagic(cache_dir=str(settings.folder / name)) for name in ("kept", "first"))
    without = Fmagic(keep_quantized=False)
    rows = []
    for folder in (small, large):
        for method in METHODS:

            def loads(options: Fmagic, folder: Path = folder, method: str = method) -> None:
                model = load(str(folder), quant=method, settings=options)
                assert not model.notices, model.notices

            def writes() -> None:
                shutil.rmtree(copies.root_of(first.cache_dir), ignore_errors=True)
                loads(first)

            # The round that warms up makes the copy that is read from then on.
            seconds = alternate(
                {"without": lambda: loads(without), "kept": lambda: loads(kept), "first": writes},
                settings.repeats(REPEATS),
            )
            work = f"{folder.name}, {method}"
            peer = "fmagic with keep_quantized=False, which quantizes"
            rows += [
                Row(work, peer, seconds["without"], seconds["kept"], "s", "lower", "5"),
                Row(
                    f"{work}, first load",
                    peer,
                    seconds["without"],
                    seconds["first"],
                    "s",
                    "lower",
                    note="writes the copy, reads it back, and compares tensors and logits",
                ),
            ]
    return rows


def make_llama(folder: Path, like: Path) -> Path:
    """Save a Llama of 419M parameters with random weights and the tokenizer of `like`."""
    import torch
    from transformers import AutoConfig, AutoTokenizer, LlamaConfig, LlamaForCausalLM

    vocabulary = AutoConfig.from_pretrained(like).vocab_size
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=WIDTH,
        intermediate_size=INNER,
        num_hidden_layers=DEEP,
        num_attention_heads=WIDTH // 64,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = LlamaForCausalLM(config).to(torch.bfloat16)
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(like).save_pretrained(folder)
    return folder
