"""A table of prompts, against the text-generation pipeline of transformers."""

from __future__ import annotations

import random
from functools import partial
from typing import Any

from .harness import Row, Settings, alternate
from .models import make_qwen3
from .texts import of_tokens

NAME = "table"
TITLE = "rows a second of 128 prompts of 8 to 256 tokens, 16 new tokens each, Qwen3 of 40M"
TARGET = "at least 2x the pipeline's best batch size"

ROWS = 128
SHORTEST, LONGEST, NEW, PREFIX = 8, 256, 16, 100  # tokens
ROWS_ALONE = 8  # for batch size 1, which is slow and steady
BATCH_SIZES = (1, 8, 32, 64)


def run(settings: Settings) -> list[Row]:
    """Answer the same texts with the same model object, in turns."""
    from fmagic.session import Session

    session = Session()
    model = session.load(str(make_qwen3(settings.folder / "qwen3-40m")), quant="none")
    rng = random.Random(0)
    texts = of_tokens(model.tokenizer, [rng.randint(SHORTEST, LONGEST) for _ in range(ROWS)])
    prefix = of_tokens(model.tokenizer, [PREFIX], seed=1)[0]
    repeats = settings.repeats(3)
    return [
        *_compare(session, "{{ text }}", texts, "mixed lengths", repeats),
        *_compare(
            session,
            f"system:\n{prefix}\nuser:\n{{{{ text }}}}",
            texts,
            f"mixed lengths after {PREFIX} shared tokens",
            repeats,
        ),
    ]


def _compare(session: Any, template: str, texts: list[str], work: str, repeats: int) -> list[Row]:
    from transformers import pipeline

    from fmagic.template import Template

    model = session.model()
    parsed = Template.parse(template)
    prompts = [model.render(parsed.render({"text": text})).text for text in texts]
    peer = pipeline("text-generation", model=model.network, tokenizer=model.tokenizer)
    answers: dict[str, list[str]] = {}

    def by_fmagic() -> None:
        data = [{"text": text} for text in texts]
        result = session.prompt(template, data=data, max_tokens=NEW, temperature=0.0)
        tokens = result.run.metrics["output_tokens"]
        assert tokens == NEW * len(texts), f"fmagic wrote {tokens} tokens"
        answers["fmagic"] = list(result.frame["answer"])

    def by_pipeline(size: int, rows: int) -> None:
        given = prompts[:rows]
        done = peer(
            given,
            batch_size=size,
            max_new_tokens=NEW,
            do_sample=False,
            return_full_text=False,
        )
        answers[str(size)] = [each[0]["generated_text"].strip() for each in done]

    amounts = {size: ROWS_ALONE if size == 1 else len(texts) for size in BATCH_SIZES}
    calls = {str(size): partial(by_pipeline, size, rows) for size, rows in amounts.items()}
    seconds = alternate({**calls, "fmagic": by_fmagic}, repeats)
    rates = {size: seconds[str(size)].rate(rows) for size, rows in amounts.items()}
    best = max(rates, key=lambda size: rates[size].median)
    ours = seconds["fmagic"].rate(len(texts))
    rows = []
    for size, rate in rates.items():
        pairs = list(zip(answers[str(size)], answers["fmagic"], strict=False))
        same = sum(theirs == mine for theirs, mine in pairs)
        notes = [model.dtype, f"same text in {same} of {len(pairs)} rows"]
        if size == best:
            notes.insert(0, "the pipeline's best")
        rows.append(
            Row(
                work,
                f"pipeline, batch_size={size}",
                rate,
                ours,
                "rows/s",
                target="2" if size == best else "",
                note="; ".join(notes),
            )
        )
    return rows
