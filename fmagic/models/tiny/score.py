"""Measure the bundled model on held-out examples, and write `scores.json` and the card.

    python -m fmagic.models.tiny.score weights --real comments.jsonl

`--real` names a file of real comments, one JSON object with `text` and `label` (spam or ham)
per line; without it the figures of an earlier measurement of the same weights are kept.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import random
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fmagic.intervals import wilson
from fmagic.models.tiny import metrics
from fmagic.models.tiny.card import write_card
from fmagic.models.tiny.model import mean_pooled, number_type
from fmagic.models.tiny.tasks import load_tasks, paraphrase
from fmagic.models.tiny.tasks.base import Example, Turn
from fmagic.models.tiny.tasks.extraction import USUAL
from fmagic.models.tiny.tokenizer import messages

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

    from fmagic.models.tiny.tasks.base import Task

log = logging.getLogger("fmagic.models.tiny")

CANDIDATES = 200
"""Number of texts among which the paraphrase is to be found."""
FIELDS = "fields"
"""Name of the score on what `extraction` trains beside name, date and amount: any of nine fields."""
REAL_SYSTEM = "You are a spam filter. Answer spam or ham."


def one_turn(example: Example) -> Example:
    """Cut a conversation after its first exchange that counts."""
    kept = example.turns[: example.given + 1]
    return Example(example.task, example.system, kept, example.labels, example.given)


def generate(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    examples: Sequence[Example],
    batch: int = 50,
) -> list[str]:
    """Answer the last turn of each conversation, greedily and freely."""
    import torch

    order = sorted(range(len(examples)), key=lambda i: len(str(examples[i].turns)))
    answers = [""] * len(examples)
    for start in range(0, len(order), batch):
        chosen = order[start : start + batch]
        prompts = [
            tokenizer.apply_chat_template(
                messages(examples[i])[:-1], tokenize=False, add_generation_prompt=True
            )
            for i in chosen
        ]
        inputs = tokenizer(
            prompts,
            return_tensors="pt",
            padding=True,
            padding_side="left",
            add_special_tokens=False,
            return_token_type_ids=False,
        ).to(model.device)
        longest = max(len(tokenizer(examples[i].turns[-1].assistant).input_ids) for i in chosen)
        with torch.inference_mode():
            output = model.generate(**inputs, max_new_tokens=longest + 4, do_sample=False)
        new = output[:, inputs["input_ids"].shape[1] :]
        for i, text in zip(
            chosen, tokenizer.batch_decode(new, skip_special_tokens=True), strict=True
        ):
            answers[i] = text
    return answers


def held_out(name: str, count: int) -> list[Example]:
    """Make the conversations, of one exchange each, on which a task or `FIELDS` is scored."""
    json_asked, task = _task(name)
    rng = random.Random(f"score-{name}")  # noqa: S311 - reproducible, not secret
    examples: list[Example] = []
    while len(examples) < count:
        example = one_turn(task.example(rng, "heldout"))
        if not json_asked or _asks_for_usual(example) == (name == "extraction"):
            examples.append(example)
    return examples


def digest(examples: Sequence[Example]) -> str:
    """Return the SHA-256 of conversations: figures compare only where they come from the same."""
    return hashlib.sha256(json.dumps([messages(e) for e in examples]).encode()).hexdigest()


def score_task(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    name: str,
    count: int,
    untrained: LlamaForCausalLM | None = None,
) -> dict[str, Any]:
    """Score one task, or `FIELDS`, on `count` held-out conversations of one exchange each."""
    examples = held_out(name, count)
    wanted = [example.turns[-1].assistant for example in examples]
    answers = generate(model, tokenizer, examples)
    json_asked, task = _task(name)
    same = metrics.same_json if json_asked else metrics.same
    score = _share(sum(same(w, a) for w, a in zip(wanted, answers, strict=True)), count)
    rng = random.Random(f"score-{name}-train")  # noqa: S311 - reproducible, not secret
    trained = [one_turn(task.example(rng, "train")) for _ in range(1000)]
    frequency = Counter(example.turns[-1].assistant for example in trained)
    majority = sum(
        same(w, max(example.labels or frequency, key=lambda answer: frequency[answer]))
        for w, example in zip(wanted, examples, strict=True)
    )
    score["majority"] = majority / count
    if untrained is not None:
        guesses = generate(untrained, tokenizer, examples)
        score["untrained"] = sum(map(same, wanted, guesses)) / count
    pairs = list(zip(wanted, answers, strict=True))
    if json_asked:
        found = [metrics.fields(*pair) for pair in pairs]
        score["fields"] = sum(hits for hits, _ in found) / sum(n for _, n in found)
    if name in ("french", "summary"):
        score["chrf"] = metrics.chrf(pairs)
    log.info("%s %s", name, {key: round(value, 3) for key, value in score.items()})
    score["examples_sha256"] = digest(examples)
    missed = [pair for pair in pairs if not same(*pair)]
    for expected, answer in missed[:5]:
        log.debug("%s: expected %r, got %r", name, expected, answer)
    return score


def _task(name: str) -> tuple[bool, Task]:
    """Return whether the answers of a score are JSON, and the task it is on."""
    json_asked = name in ("extraction", FIELDS)
    return json_asked, load_tasks()["extraction" if json_asked else name]


def _asks_for_usual(example: Example) -> bool:
    return tuple(json.loads(example.turns[-1].assistant)) == USUAL


def _share(hits: int, n: int) -> dict[str, Any]:
    low, high = wilson(hits, n)
    return {"n": n, "accuracy": hits / n, "low": low, "high": high}


def score_paraphrases(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, rounds: int = 5
) -> dict[str, Any]:
    """Find each held-out text's paraphrase by cosine among `CANDIDATES`."""
    import torch

    rng = random.Random("score-paraphrase")  # noqa: S311 - reproducible, not secret
    hits = 0
    for _ in range(rounds):
        drawn = [paraphrase.pair(rng, "heldout") for _ in range(CANDIDATES)]
        sides = []
        for texts in zip(*drawn, strict=True):
            inputs = tokenizer(
                list(texts), return_tensors="pt", padding=True, padding_side="right"
            ).to(model.device)
            with torch.inference_mode():
                sides.append(mean_pooled(model, inputs["input_ids"], inputs["attention_mask"]))
        nearest = (sides[0] @ sides[1].T).argmax(1).cpu()
        hits += int((nearest == torch.arange(CANDIDATES)).sum())
    return _share(hits, rounds * CANDIDATES)


def score_real(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, file: Path
) -> dict[str, Any]:
    """Score spam or ham on real comments, without any example of them."""
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line]
    examples = [Example("spam", REAL_SYSTEM, (Turn(row["text"], row["label"]),)) for row in rows]
    answers = generate(model, tokenizer, examples)
    hits = sum(metrics.same(row["label"], a) for row, a in zip(rows, answers, strict=True))
    score = _share(hits, len(rows))
    score["majority"] = max(Counter(row["label"] for row in rows).values()) / len(rows)
    log.info("real %s", score)
    return score


def score(
    folder: Path,
    *,
    count: int = 600,
    real: Path | None = None,
    tasks: Sequence[str] | None = None,
    baselines: bool = True,
) -> dict[str, Any]:
    """Measure the model in `folder`.

    Args:
        folder: a saved model with its tokenizer.
        count: held-out examples of each task.
        real: file of real comments.
        tasks: names of tasks; all by default.
        baselines: measure an untrained model too.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    dtype = number_type("cpu")
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype).eval()
    untrained = None
    if baselines:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            untrained = type(model)(model.config).to(dtype).eval()
    scores: dict[str, Any] = {
        "weights_sha256": hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest(),
        "parameters": model.num_parameters(),
        "tasks": {
            name: score_task(model, tokenizer, name, count, untrained)
            for name in tasks or (*load_tasks(), FIELDS)
        },
        "paraphrase": score_paraphrases(model, tokenizer),
    }
    scores["paraphrase"]["majority"] = 1 / CANDIDATES
    if untrained is not None:
        guesses = score_paraphrases(untrained, tokenizer)
        scores["paraphrase"]["untrained"] = guesses["accuracy"]
    log.info("paraphrase %s", scores["paraphrase"])
    training = folder / "training.json"
    if training.exists():
        scores["training"] = json.loads(training.read_text(encoding="utf-8"))
    if real is not None:
        scores["real"] = {real.parent.name: score_real(model, tokenizer, real)}
    return scores


def write(scores: dict[str, Any], folder: Path) -> None:
    """Write `scores.json` and the card; figures on real text stay while the weights do."""
    file = folder / "scores.json"
    if file.exists() and "real" not in scores:
        before = json.loads(file.read_text(encoding="utf-8"))
        if before.get("weights_sha256") == scores["weights_sha256"] and "real" in before:
            scores["real"] = before["real"]
    file.write_text(json.dumps(scores, indent=2) + "\n", encoding="utf-8")
    write_card(scores, folder)


def main(argv: list[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--real", type=Path, help="file of real comments (JSON lines)")
    parser.add_argument("--examples", type=int, default=600, help="held-out examples of a task")
    parser.add_argument("--tasks", nargs="+", help="only look at these; writes nothing")
    parser.add_argument("--probe", action="store_true", help="no baselines; writes nothing")
    parser.add_argument("--verbose", action="store_true", help="show some wrong answers")
    options = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    log.setLevel(logging.DEBUG if options.verbose else logging.INFO)
    probe = options.probe or options.tasks is not None
    scores = score(
        options.folder,
        count=options.examples,
        real=options.real,
        tasks=options.tasks,
        baselines=not probe,
    )
    if not probe:
        write(scores, options.folder)


if __name__ == "__main__":
    main()
