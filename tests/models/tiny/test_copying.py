import json
import random

import pytest
from tokenizers import Tokenizer

from fmagic.models.tiny import WEIGHTS
from fmagic.models.tiny.copying import Copying
from fmagic.models.tiny.tasks import load_tasks

USER, END = 3, 1


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.from_file(str(WEIGHTS / "tokenizer.json"))


def test_every_answer_stands_in_what_was_said_before(tokenizer: Tokenizer) -> None:
    made = Copying(tokenizer, USER, END)
    for seed in range(200):
        said: list[int] = []
        for asked, answer in made.exchanges(random.Random(seed)):
            said += asked
            assert answer
            assert _within(answer, said)


def test_words_come_from_the_whole_vocabulary_but_no_marks(tokenizer: Tokenizer) -> None:
    made = Copying(tokenizer, USER, END)
    answered: set[int] = set()
    for seed in range(4000):
        for _, answer in made.exchanges(random.Random(seed)):
            answered.update(answer)
    marks = {i for piece, i in tokenizer.get_vocab().items() if piece.startswith("<|")}
    assert not answered & marks
    assert len(answered) > 0.9 * tokenizer.get_vocab_size()


def test_the_same_seed_gives_the_same_exercise(tokenizer: Tokenizer) -> None:
    first = Copying(tokenizer, USER, END).exchanges(random.Random(7))
    assert first == Copying(tokenizer, USER, END).exchanges(random.Random(7))


@pytest.mark.parametrize("name", ["qa", "extraction"])
def test_a_disguised_answer_stands_in_its_text_too(tokenizer: Tokenizer, name: str) -> None:
    made, task = Copying(tokenizer, USER, END), load_tasks()[name]
    disguised = 0
    for seed in range(300):
        plain = task.example(random.Random(seed), "train")
        example = made.disguise(random.Random(seed), plain)
        disguised += example.turns != plain.turns
        said = (example.system or "") + "".join(turn.user for turn in example.turns)
        assert len(example.turns) == len(plain.turns)
        for turn in example.turns:
            answers = json.loads(turn.assistant).values() if name != "qa" else [turn.assistant]
            assert all(answer in said for answer in answers)
    assert 30 < disguised < 200


def test_labels_are_never_disguised(tokenizer: Tokenizer) -> None:
    made, task = Copying(tokenizer, USER, END), load_tasks()["spam"]
    for seed in range(50):
        example = task.example(random.Random(seed), "train")
        assert made.disguise(random.Random(seed), example) is example


def _within(part: list[int], whole: list[int]) -> bool:
    return any(whole[i : i + len(part)] == part for i in range(len(whole) - len(part) + 1))
