"""The corpus: slots, hold-out, made-up words."""

import random

import pytest

from fmagic.models.tiny.tasks.base import HOLD_EVERY, Corpus, Split, part, pseudo_word

LETTERS = [f"filler{i}" for i in range(24)]


def corpus(**held: list[str]) -> Corpus:
    return Corpus(
        {
            "slots": {"thing": LETTERS, "nested": ["{thing} box"] * 1, "small": ["a", "b"]},
            "patterns": {"say": [f"{i} {{thing}}" for i in range(24)]},
            "instructions": {"ask": ["{text}?"]},
            "held": held,
        }
    )


def test_the_same_slot_is_the_same_filler_and_a_numbered_one_another_draw() -> None:
    text, bound = corpus().bind(random.Random(0), "{thing} {thing} {thing#2} {Thing}", "train")
    first, second, third, fourth = text.split()
    assert first == second == bound["thing"]
    assert third == bound["thing#2"]
    assert fourth == first.capitalize()


def test_given_text_is_inserted_and_never_expanded() -> None:
    text = corpus().fill(random.Random(0), "{text}", "train", {"text": '{thing} {"a": 1}'})
    assert text == '{thing} {"a": 1}'


def test_fillers_may_hold_slots() -> None:
    assert corpus().fill(random.Random(0), "{nested}", "train").endswith(" box")


def test_articles_agree() -> None:
    filled = Corpus({"slots": {"x": ["apple"], "y": ["pear"]}})
    assert filled.fill(random.Random(0), "a(n) {x}, A(n) {y}", "train") == "an apple, A pear"


def test_an_unknown_slot_is_an_error() -> None:
    with pytest.raises(KeyError, match="nowhere"):
        corpus().fill(random.Random(0), "{nowhere}", "train")


def test_every_eighth_item_is_held_out() -> None:
    made = corpus()
    assert set(made.fillers("thing", "heldout")) == {LETTERS[i] for i in (7, 15, 23)}
    assert set(made.fillers("thing", "train")) == set(LETTERS) - {LETTERS[i] for i in (7, 15, 23)}
    assert set(made.patterns("say", "heldout")).isdisjoint(made.patterns("say", "train"))
    assert made.fillers("small", "heldout") == made.fillers("small", "train") == ("a", "b")


def test_lists_for_training_alone_leave_what_is_held_out_as_it_is() -> None:
    data = {"slots": {"thing": LETTERS}, "patterns": {"say": [f"{i} {{thing}}" for i in range(24)]}}
    before = Corpus(data)
    after = Corpus(data, {"slots": {"thing": ["more"]}, "patterns": {"say": ["say {thing}"]}})
    assert after.fillers("thing", "train") == (*before.fillers("thing", "train"), "more")
    assert after.patterns("say", "train") == (*before.patterns("say", "train"), "say {thing}")
    assert after.fillers("thing", "heldout") == before.fillers("thing", "heldout")
    assert after.patterns("say", "heldout") == before.patterns("say", "heldout")


def test_cues_are_drawn_from_the_training_part_and_closed_lists_whole() -> None:
    made = corpus(cues=["thing"])
    assert made.fillers("thing", "heldout") == made.fillers("thing", "train")
    assert len(made.fillers("thing", "train")) == len(LETTERS) - len(LETTERS) // HOLD_EVERY
    assert corpus(none=["thing"]).fillers("thing", "heldout") == tuple(LETTERS)


def test_open_slots_mix_listed_and_made_up_words() -> None:
    rng = random.Random(0)
    made = corpus(open=["thing"])
    drawn = [made.filler(rng, "thing", "train") for _ in range(400)]
    listed = sum(word in LETTERS for word in drawn) / len(drawn)
    assert 0.65 < listed < 0.85


def test_a_strange_slot_takes_training_fillers_of_other_lists_in_training_only() -> None:
    rng = random.Random(0)
    colours = [f"colour{i}" for i in range(24)]
    made = Corpus(
        {
            "slots": {"thing": LETTERS, "colour": colours, "kind": ["a {thing}"]},
            "held": {"strange": ["thing", "colour", "kind"]},
        }
    )
    drawn = {made.filler(rng, "thing", "train") for _ in range(2000)}
    known = {*made.fillers("thing", "train"), *made.fillers("colour", "train")}
    assert drawn == known
    assert {made.filler(rng, "thing", "heldout") for _ in range(200)} <= {*LETTERS}


def test_a_made_up_word_belongs_to_one_split() -> None:
    rng = random.Random(0)
    splits: tuple[Split, Split] = ("train", "heldout")
    train, heldout = ({pseudo_word(rng, split) for _ in range(2000)} for split in splits)
    assert train.isdisjoint(heldout)
    assert all(word[0].isupper() and word[1:].islower() for word in train | heldout)


def test_part_keeps_short_lists_whole() -> None:
    assert part(["a"] * 7, "heldout") == ("a",) * 7
