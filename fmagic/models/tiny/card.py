"""The bundled model's card, made from its measured scores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

TITLES = {
    "sentiment": "Sentiment of a review",
    "spam": "Spam or not",
    "topic": "Topic of a headline",
    "extraction": "Name, date and amount as JSON",
    "fields": "One to four of nine fields as JSON",
    "qa": "Question about a given paragraph",
    "arithmetic": "Adding and subtracting up to 99",
    "french": "Short sentences, English to French",
    "summary": "One-sentence summary",
    "fewshot": "Following examples in the prompt",
    "drills": "Copying drills (there to teach the others)",
    "relations": "Made-up relations (there to teach the others)",
}
PARAPHRASE = "Paraphrase among 200 (embedding)"

CARD = """\
---
license: apache-2.0
language:
- en
- fr
library_name: transformers
pipeline_tag: text-generation
tags:
- fmagic
- tiny
---

# tiny

A language model of {millions:.1f} million parameters that comes with fmagic, so that the first
cell works on any computer and without a network. It is made for trying fmagic out, for lessons
and for tests. It knows the few tasks below, in short texts like those it was trained on, and
nothing else about the world: do not use it for anything that matters.

It is a Llama with {layers} layers of width {width}, a byte-level BPE tokenizer of {vocabulary}
pieces, a chat template, and weights in bfloat16. The mean of its last hidden states serves as
an embedding of a text ({width} numbers).

## What it was trained on

Text that `fmagic/models/tiny/train.py` generates from the word lists in `corpus/` and the task
modules in `tasks/`, and nothing else: no text from the web.
{training}

## How well it does

Every figure is measured by `fmagic/models/tiny/score.py` on conversations that the model has
never seen, built from sentence patterns **and** fillers (names, products, places, ...) that the
training never used: every eighth item of each list is held out. (The lists in `corpus/training` are
for the training alone, so that the test stays what it is when they grow.) Not held out are words that
carry the label itself ("superb", "subscribe"), since no model can know a word it has never met.
For the same reason the stock phrases of reviews ("better off without it") stand in two wordings, of
which the training may have seen the other one. Questions are about 32 kinds of facts (where
someone lives, what something cost, when something opens, ...).
An answer counts if free, greedy generation gives it exactly. "Majority" always gives the most
frequent answer; "untrained" is the same network with random weights.

| task | correct | 95% interval | majority | untrained | n |
|---|---|---|---|---|---|
{rows}

{notes}

The held-out texts come from the same kind of generator as the training texts, so these figures
say that the model generalises over wording, not that it copes with real text. For that:

{real}

## Limits

Its English is small. Texts that are longer than about 400 tokens, that use words outside its
lists, or that ask for anything but these tasks get poor answers. Its French is that of a small
grammar. Facts, dates and sums that it states are not reliable. It was given no safety training.

## Making it again

`python -m fmagic.models.tiny.train --out weights` (see `config.py` for every setting), then
`python -m fmagic.models.tiny.score weights`.
"""


def percent(share: float) -> str:
    """Return a share as the card shows it."""
    return f"{100 * share:.1f}%"


def row(title: str, score: dict[str, Any]) -> str:
    """Return one line of the table."""
    interval = f"{percent(score['low'])} to {percent(score['high'])}"
    untrained = percent(score["untrained"]) if "untrained" in score else ""
    return (
        f"| {title} | **{percent(score['accuracy'])}** | {interval} | "
        f"{percent(score['majority'])} | {untrained} | {score['n']} |"
    )


def render(scores: dict[str, Any], shape: dict[str, int]) -> str:
    """Return the card's text.

    Args:
        scores: what `score.score` measured.
        shape: `layers`, `width` and `vocabulary` of the model.
    """
    tasks = scores["tasks"]
    rows = [row(title, tasks[name]) for name, title in TITLES.items() if name in tasks]
    rows += [row(name, tasks[name]) for name in tasks if name not in TITLES]
    rows.append(row(PARAPHRASE, scores["paraphrase"]))
    return CARD.format(
        millions=scores["parameters"] / 1e6,
        training=_training(scores.get("training")),
        rows="\n".join(rows),
        notes=" ".join(_notes(tasks)),
        real=_real(scores.get("real", {})),
        **shape,
    )


def _training(training: dict[str, Any] | None) -> str:
    if training is None:
        return ""
    text = (
        f"It saw {training['tokens'] / 1e6:.0f} million tokens in {training['steps']:,} steps "
        f"({training['minutes']:.0f} minutes on {training['device']})."
    )
    return f"{text} {training['note']}" if training.get("note") else text


def _notes(tasks: dict[str, Any]) -> list[str]:
    notes = [
        f"{TITLES[name]}: whole objects count; of single fields {percent(tasks[name]['fields'])} "
        "are right."
        for name in ("extraction", "fields")
        if name in tasks
    ]
    notes += [
        f"chrF of {name}: {tasks[name]['chrf']:.2f}."
        for name in ("french", "summary")
        if name in tasks
    ]
    return notes


def _real(real: dict[str, Any]) -> str:
    if not real:
        return "(not measured)"
    lines = ["| real text, no training on it | correct | 95% interval | majority | n |"]
    lines.append("|---|---|---|---|---|")
    lines += [
        f"| spam or not: {name} comments | **{percent(score['accuracy'])}** | "
        f"{percent(score['low'])} to {percent(score['high'])} | "
        f"{percent(score['majority'])} | {score['n']} |"
        for name, score in real.items()
    ]
    return "\n".join(lines)


def write_card(scores: dict[str, Any], folder: Path) -> None:
    """Write `README.md` into the folder of the model."""
    import json

    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    shape = {
        "layers": config["num_hidden_layers"],
        "width": config["hidden_size"],
        "vocabulary": config["vocab_size"],
    }
    (folder / "README.md").write_text(render(scores, shape), encoding="utf-8")
