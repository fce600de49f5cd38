"""English to French: the grammar of the sentences, and what is held out of them."""

import random
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from fmagic.models.tiny.french.grammar import Grammar
from fmagic.models.tiny.french.lexicon import lexicon
from fmagic.models.tiny.french.patterns import PATTERNS
from fmagic.models.tiny.tasks.base import Split
from fmagic.models.tiny.tasks.french import TASK, sentence

if TYPE_CHECKING:
    from _typeshed import SupportsLenAndGetItem

Item = TypeVar("Item")

AGREEMENT = [
    ("be_plain", "no thing defs table black", "the tables are black.", "les tables sont noires."),
    ("be_very", "no thing this tree big", "this tree is very big.", "cet arbre est très grand."),
    ("be_not", "yes yes she happy", "she is not happy.", "elle n'est pas heureuse."),
    ("be_too", "yes no yes Anna sad", "Anna is too calm.", "Anna est trop calme."),
    ("_what_a", "thing tree yes old", "what an old tree!", "quel vieil arbre !"),
    ("_which", "thing house", "which house do you prefer?", "quelle maison préfères-tu ?"),
    ("_price", "defs food apple", "how much are the apples?", "combien coûtent les pommes ?"),
    ("_job", "nurse", "she is a nurse.", "elle est infirmière."),
    ("verb_past", "sleep yes you_all", "you all slept yesterday.", "vous avez dormi hier."),
    (
        "object_future",
        "sell yes they thing def car",
        "they are going to sell the car.",
        "ils vont vendre la voiture.",
    ),
    (
        "object_day",
        "eat yes we food indef pear Monday",
        "on Mondays we eat a pear.",
        "le lundi, nous mangeons une poire.",
    ),
    (
        "_there",
        "indefs animal horse yes big station",
        "there are big horses in front of the station.",
        "il y a de grands chevaux devant la gare.",
    ),
]
ELISION = [
    ("object_present", "love yes I animal defs cat", "I love the cats.", "j'aime les chats."),
    (
        "object_question",
        "eat yes she food def orange",
        "does she eat the orange?",
        "est-ce qu'elle mange l'orange ?",
    ),
    ("_where", "place def school", "where is the school?", "où est l'école ?"),
    ("_where", "thing poss envelope my", "where is my envelope?", "où est mon enveloppe ?"),
    ("_how_many", "food orange", "how many oranges do you have?", "combien d'oranges as-tu ?"),
    ("_live", "yes I Oslo yes", "I come from Oslo.", "je viens d'Oslo."),
    (
        "_owner",
        "student animal dog small",
        "the student's dog is small.",
        "le chien de l'étudiant est petit.",
    ),
    ("go_plain", "yes I market", "I am going to the market.", "je vais au marché."),
]
NEGATION = [
    (
        "object_negative",
        "see yes I thing def star",
        "I do not see the star.",
        "je ne vois pas l'étoile.",
    ),
    (
        "object_past_negative",
        "buy yes he mass bread",
        "he did not buy bread.",
        "il n'a pas acheté de pain.",
    ),
    ("object_dont", "open def envelope", "do not open the envelope.", "n'ouvre pas l'enveloppe."),
    ("object_imperative", "close def door", "close the door.", "ferme la porte."),
    ("_have_no", "yes you food bean", "you have no bean.", "tu n'as pas de haricot."),
    ("_have_no", "yes we animal bird", "we have no bird.", "nous n'avons pas d'oiseau."),
    ("_state", "yes I hungry yes", "I am not hungry.", "je n'ai pas faim."),
]
PARTITIVES = [
    ("object_present", "drink yes he drink milk", "he drinks milk.", "il boit du lait."),
    ("object_progressive", "drink yes we water", "we are drinking water.", "nous buvons de l'eau."),
    ("object_can", "take yes you mass soup", "you can take soup.", "tu peux prendre de la soupe."),
    ("object_negative", "drink yes I water", "I do not drink water.", "je ne bois pas d'eau."),
    ("object_present", "prefer yes she mass water", "she prefers water.", "elle préfère l'eau."),
    ("_afraid", "yes they spider", "they are afraid of spiders.", "ils ont peur des araignées."),
]


class Script(random.Random):
    """Draws what a script says: the words in their order, and yes or no for each chance.

    A choice that the script does not mention is the first, an unmentioned chance is lost.
    """

    def __init__(self, script: str) -> None:
        super().__init__(0)
        self.left = script.split()

    def random(self) -> float:
        if self.left and self.left[0] in ("yes", "no"):
            return 0.0 if self.left.pop(0) == "yes" else 0.99
        return 0.99

    def choice(self, seq: "SupportsLenAndGetItem[Item]") -> Item:
        for item in map(seq.__getitem__, range(len(seq))):
            if self.left and label(item) == self.left[0]:
                del self.left[0]
                return item
        return seq[0]


def label(item: Any) -> str:
    """Name an entry, a tuple of both languages or a plain string by its English."""
    english = item["en"] if isinstance(item, dict) else item if isinstance(item, str) else item[0]
    return str(english).replace(" ", "_")


def draw(pattern: str, script: str) -> tuple[tuple[str, str], list[str]]:
    """Return the pair that a script gives, and its content words."""
    rng = Script(script)
    grammar = Grammar(rng, "train")
    pair = PATTERNS[pattern](grammar)
    assert pair is not None
    assert not rng.left, "the pattern did not draw what the script says"
    return pair, sorted(grammar.key)


def sentences(split: Split, count: int, seed: int) -> set[tuple[str, str]]:
    rng = random.Random(seed)
    return {sentence(rng, split) for _ in range(count)}


@pytest.mark.parametrize(
    ("pattern", "script", "english", "french"), [*AGREEMENT, *ELISION, *NEGATION, *PARTITIVES]
)
def test_sentences_are_translated(pattern: str, script: str, english: str, french: str) -> None:
    assert draw(pattern, script)[0] == (english, french)


@pytest.mark.parametrize(
    ("pattern", "script"),
    [
        ("object_progressive", "know yes he"),
        ("object_imperative", "want"),
        ("_job", "customer"),
    ],
)
def test_verbs_and_nouns_that_do_not_suit_a_pattern_are_refused(pattern: str, script: str) -> None:
    assert PATTERNS[pattern](Grammar(Script(script), "train")) is None


def test_a_sentence_is_held_out_in_all_persons_or_in_none() -> None:
    i, they = (draw("object_negative", f"eat yes {who} mass meat") for who in ("I", "they"))
    assert i[0] != they[0]
    assert i[1] == they[1] == ["eat", "meat"]


def test_no_held_out_sentence_is_trained_on() -> None:
    train = sentences("train", 6000, seed=1)
    held = sentences("heldout", 3000, seed=2)
    assert len(held) > 1500
    assert {english for english, _ in train}.isdisjoint({english for english, _ in held})


def test_fixed_phrases_are_only_trained_on() -> None:
    fixed = {(entry["en"], entry["fr"]) for entry in lexicon()["phrases"]}
    assert fixed & sentences("train", 2000, seed=1)
    assert fixed.isdisjoint(sentences("heldout", 2000, seed=2))


def test_sentences_are_well_formed() -> None:
    for english, french in sentences("train", 3000, seed=3):
        assert english[0].isupper()
        assert french[0].isupper()
        assert english[-1] in ".?!"
        assert french[-1] == english[-1]
        for slip in (" de le ", " à le ", " de les ", " le a", " je a", " ne a", " que il", "  "):
            assert slip not in f" {french.lower()}"


def test_several_sentences_share_one_instruction() -> None:
    rng = random.Random(0)
    examples = [TASK.example(rng, "train") for _ in range(200)]
    assert {len(example.turns) for example in examples} == {1, 2, 3, 4}
    assert all(example.system for example in examples if len(example.turns) > 1)
    assert any(example.system is None for example in examples)
