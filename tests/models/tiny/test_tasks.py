"""The tasks and their word lists: what is held out is never trained on."""

import random
import tomllib
from pathlib import Path

import pytest

from fmagic.models.tiny.tasks import load_tasks, paraphrase, qa
from fmagic.models.tiny.tasks.base import CORPUS, HOLD_EVERY, TRAINING, Corpus, Split
from fmagic.models.tiny.tokenizer import messages

TASKS = load_tasks()
FILES = sorted(path.stem for path in CORPUS.glob("*.toml"))


def said(name: str, split: Split, count: int, seed: int = 0) -> set[str]:
    rng = random.Random(seed)
    examples = [TASKS[name].example(rng, split) for _ in range(count)]
    return {str(messages(example)) for example in examples}


def test_the_tasks_of_the_card_are_there() -> None:
    wanted = {"sentiment", "spam", "topic", "extraction", "qa", "arithmetic", "french", "summary"}
    assert wanted | {"fewshot"} <= TASKS.keys()


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("split", ["train", "heldout"])
def test_examples_are_complete_and_repeatable(name: str, split: Split) -> None:
    task = TASKS[name]
    for seed in range(40):
        example = task.example(random.Random(seed), split)
        assert example == task.example(random.Random(seed), split)
        assert example.task == name
        assert 0 <= example.given < len(example.turns)
        for turn in example.turns:
            assert turn.user.strip()
            assert turn.assistant.strip()
            assert not example.labels or turn.assistant in example.labels


@pytest.mark.parametrize("name", TASKS)
def test_examples_are_varied(name: str) -> None:
    assert len(said(name, "train", 300)) > 290


@pytest.mark.parametrize("name", TASKS)
def test_no_held_out_conversation_is_trained_on(name: str) -> None:
    assert said(name, "heldout", 200).isdisjoint(said(name, "train", 1000, seed=1))


@pytest.mark.parametrize("name", FILES)
def test_lists_are_split_without_overlap(name: str) -> None:
    with (CORPUS / f"{name}.toml").open("rb") as file:
        data = tomllib.load(file)
    corpus = Corpus.load(name)
    shared = {*data.get("held", {}).get("none", ()), *data.get("held", {}).get("cues", ())}
    for slot, fillers in data.get("slots", {}).items():
        if slot not in shared and len(set(fillers)) >= HOLD_EVERY:
            overlap = set(corpus.fillers(slot, "train")) & set(corpus.fillers(slot, "heldout"))
            assert not overlap, slot
    for kind in ("patterns", "instructions"):
        for group, patterns in data.get(kind, {}).items():
            if len(set(patterns)) >= HOLD_EVERY:
                train, held = (set(corpus.patterns(group, s)) for s in ("train", "heldout"))
                assert held, group
                assert train.isdisjoint(held), group


@pytest.mark.parametrize("name", sorted(path.stem for path in TRAINING.glob("*.toml")))
def test_lists_for_training_alone_add_to_lists_and_hold_nothing_that_is_held_out(name: str) -> None:
    added = tomllib.loads((TRAINING / f"{name}.toml").read_text(encoding="utf-8"))
    corpus = Corpus.load(name)
    assert added.keys() <= {"hard", "slots", "patterns", "instructions"}
    for slot, fillers in added.get("slots", {}).items():
        assert set(fillers).isdisjoint(corpus.fillers(slot, "heldout")), slot
    for group, patterns in {**added.get("patterns", {}), **added.get("instructions", {})}.items():
        assert set(patterns).isdisjoint(corpus.patterns(group, "heldout")), group
        assert patterns, group
        assert len(set(patterns)) == len(patterns), group


def test_in_training_an_answer_with_few_wordings_is_asked_for_as_often_as_another() -> None:
    wordings = [(f"When, {i}?", "1900") for i in range(60)]
    fact = qa.Fact("opened", "In 1900 opened the castle.", {}, (("What?", "castle"), *wordings))
    asked: dict[Split, int] = {}
    for split in ("train", "heldout"):
        drawn = [qa.draw_questions(random.Random(i), split, [fact], 1) for i in range(400)]
        asked[split] = sum(answer == "castle" for [(_, answer)] in drawn)
    # The year stands first and is asked for half as often again: 2 of 5 draws are for the castle.
    assert 120 < asked["train"] < 200
    assert asked["heldout"] < 20


def test_training_asks_more_often_for_what_is_hard() -> None:
    fact = qa.Fact(
        "pet", "Misty is a newt.", {}, (("Who?", "Misty"), ("What?", "newt")), frozenset(["newt"])
    )
    drawn = [qa.draw_questions(random.Random(i), "train", [fact], 1) for i in range(400)]
    # 1.5 for the first half of a fact, 2 for a hard answer: 4 of 7 draws.
    assert 190 < sum(answer == "newt" for [(_, answer)] in drawn) < 270


def test_the_hard_kinds_and_answers_of_the_training_exist() -> None:
    corpus = Corpus.load("qa")
    assert {f"{kind}_s" for kind in corpus.listed("hard", "kinds")} <= {*corpus.groups()}
    asked = " ".join(
        pattern for group in corpus.groups() for pattern in corpus.patterns(group, "train")
    )
    slots = corpus.listed("hard", "slots")
    assert slots
    assert all(f"=> {{{slot}}}" in asked for slot in slots)


def test_paraphrases_differ_and_are_split() -> None:
    rng = random.Random(0)
    train = {paraphrase.pair(rng, "train") for _ in range(500)}
    held = {paraphrase.pair(rng, "heldout") for _ in range(500)}
    assert all(first != second for first, second in train | held)
    assert train.isdisjoint(held)


def test_sums_are_right_and_number_pairs_are_split() -> None:
    rng = random.Random(0)
    pairs: dict[str, set[str]] = {"train": set(), "heldout": set()}
    for split in ("train", "heldout"):
        for _ in range(1500):
            for turn in TASKS["arithmetic"].example(rng, split).turns:
                if turn.user.replace(" ", "").replace("+", "").isdigit() and "+" in turn.user:
                    left, right = turn.user.split("+")
                    assert int(turn.assistant) == int(left) + int(right)
                    pairs[split].add(turn.user.replace(" ", ""))
    assert pairs["train"]
    assert pairs["heldout"]
    assert pairs["train"].isdisjoint(pairs["heldout"])


def test_every_module_of_the_folder_is_found() -> None:
    folder = Path(CORPUS).parent / "tasks"
    with_task = {path.stem for path in folder.glob("*.py") if "\nTASK" in path.read_text("utf-8")}
    assert with_task == set(TASKS)
