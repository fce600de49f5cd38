"""LoRA on a small table, against TRL's SFTTrainer."""

from __future__ import annotations

import random
from functools import partial
from importlib import import_module
from itertools import count
from typing import TYPE_CHECKING, Any

from .harness import Row, Settings, alternate, need
from .models import make_qwen3
from .texts import of_tokens

if TYPE_CHECKING:
    from pathlib import Path

NAME = "finetune"
TITLE = "tokens a second of LoRA on 256 short rows, Qwen3 of 40M"
TARGET = "at least 2x SFTTrainer, the same loss within 1%"

ROWS, SHORTEST, LONGEST = 256, 8, 48  # tokens
EPOCHS, BATCH, RANK, RATE = 3, 16, 16, 3e-3
LABELS = ("yes", "no")


def run(settings: Settings) -> list[Row]:
    """Tune fresh copies of the same weights on the same rows with the same settings, in turns."""
    need("trl", "datasets")
    from fmagic.models.loader import load
    from fmagic.operations.training.examples import read_examples

    folder = make_qwen3(settings.folder / "qwen3-40m", endless=False)
    base = load(str(folder), quant="none")
    turns = _turns(base.tokenizer)
    examples = _result(read_examples(base, turns, truncate=False, label=""))  # type: ignore[arg-type]  # a causal model is no encoder
    tuned: dict[str, Any] = {}
    runs = count()

    def by_fmagic() -> None:
        tuned["fmagic"] = _by_fmagic(base, turns, settings.folder / f"tuned-{next(runs)}")

    def by_trl(*, checkpointing: bool) -> None:
        out = settings.folder / f"trl-{next(runs)}"
        tuned[peer_name(checkpointing=checkpointing)] = _by_trl(
            folder, base, turns, out, checkpointing=checkpointing
        )

    calls = {
        peer_name(checkpointing=each): partial(by_trl, checkpointing=each) for each in (True, False)
    }
    # Fresh copies are warm by nature; only imports are worth a round before.
    seconds = alternate({**calls, "fmagic": by_fmagic}, settings.repeats(3))
    adapted = load(str(folder), quant="none", adapter=str(tuned["fmagic"]))
    loss = _loss(adapted.network, examples)
    tokens = EPOCHS * sum(example.tokens for example in examples)
    rows = []
    for name in calls:
        theirs = _loss(tuned[name], examples)
        rows.append(
            Row(
                f"{ROWS} rows, {EPOCHS} epochs, rank {RANK}, batch {BATCH}",
                name,
                seconds[name].rate(tokens),
                seconds["fmagic"].rate(tokens),
                "tokens/s",
                target="2",
                note=f"{base.dtype}; loss after on these rows: fmagic {loss:.4f}, peer {theirs:.4f}"
                f" ({loss / theirs - 1:+.1%}); fmagic's time includes saving the adapter",
            )
        )
    return rows


def peer_name(*, checkpointing: bool) -> str:
    """Return what to call a setting of the peer."""
    return "SFTTrainer" if checkpointing else "SFTTrainer, gradient_checkpointing=False"


def _turns(tokenizer: Any) -> list[Any]:
    """Return rows whose answers are drawn by lot.

    The loss then settles on a level where both sides can be compared; on its steep way down the
    order of rows alone would make them differ.
    """
    from fmagic.template import Turn

    rng = random.Random(0)
    texts = of_tokens(tokenizer, [rng.randint(SHORTEST, LONGEST) for _ in range(ROWS)])
    return [(Turn("user", text), Turn("assistant", rng.choice(LABELS))) for text in texts]


def _by_fmagic(base: Any, turns: list[Any], folder: Path) -> Path:
    from fmagic.operations.finetune import FinetuneOptions, finetune

    options = FinetuneOptions(epochs=EPOCHS, lr=RATE, rank=RANK, batch_size=BATCH)
    result = _result(finetune(base, turns, options=options, folder=folder))
    assert result.steps == EPOCHS * ROWS // BATCH, f"fmagic made {result.steps} steps"
    found: Path = result.folder
    return found


def _by_trl(folder: Path, base: Any, turns: list[Any], out: Path, *, checkpointing: bool) -> Any:
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer, ProgressCallback

    trl = import_module("trl")  # optional, and without types
    steps = EPOCHS * ROWS // BATCH
    rendered = [base.render(row[:-1]) for row in turns]
    rows = [
        {"prompt": before.text, "completion": before.answer_prefix + row[-1].text}
        for before, row in zip(rendered, turns, strict=True)
    ]
    trainer = trl.SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(
            folder, dtype=base.dtype, device_map={"": str(base.device)}
        ),
        processing_class=AutoTokenizer.from_pretrained(folder),
        train_dataset=Dataset.from_list(rows),
        peft_config=LoraConfig(
            r=RANK, lora_alpha=2 * RANK, target_modules="all-linear", task_type="CAUSAL_LM"
        ),
        args=trl.SFTConfig(
            output_dir=str(out),
            num_train_epochs=EPOCHS,
            per_device_train_batch_size=BATCH,
            learning_rate=RATE,
            lr_scheduler_type="linear",
            warmup_steps=round(0.05 * steps),
            weight_decay=0.0,
            bf16=base.dtype == "bfloat16",
            fp16=base.dtype == "float16",
            use_cpu=base.device.type == "cpu",
            gradient_checkpointing=checkpointing,
            logging_strategy="no",
            save_strategy="no",
            report_to="none",
            seed=0,
        ),
    )
    trainer.remove_callback(ProgressCallback)
    done = trainer.train()
    assert done.global_step == steps, f"SFTTrainer made {done.global_step} steps"
    return trainer.model


def _loss(network: Any, examples: list[Any]) -> float:
    """Return the mean loss of the answers' tokens in nats, by the same sum for both sides."""
    import torch

    network.eval()
    total = learned = 0.0
    with torch.inference_mode():
        for example in examples:
            ids = torch.tensor([[*example.prompt, *example.answer]], device=network.device)
            start = len(example.prompt)
            scores = network(input_ids=ids).logits[0, start - 1 : -1].float()
            total += float(torch.nn.functional.cross_entropy(scores, ids[0, start:]).double()) * (
                len(example.answer)
            )
            learned += len(example.answer)
    return total / learned


def _result(events: Any) -> Any:
    """Run an operation to its end and return its result."""
    while True:
        try:
            next(events)
        except StopIteration as end:
            return end.value
