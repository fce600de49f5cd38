"""How answers of the bundled model are compared with the expected ones."""

import json
from collections import Counter
from collections.abc import Sequence


def same(expected: str, answer: str) -> bool:
    """Return whether the texts agree, but for white space around them."""
    return expected.strip() == answer.strip()


def same_json(expected: str, answer: str) -> bool:
    """Return whether the answer is JSON with the expected value."""
    try:
        return bool(json.loads(answer) == json.loads(expected))
    except json.JSONDecodeError:
        return False


def fields(expected: str, answer: str) -> tuple[int, int]:
    """Return how many fields of the expected JSON object the answer has, and of how many."""
    wanted = json.loads(expected)
    try:
        found = json.loads(answer)
    except json.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        return 0, len(wanted)
    return sum(found.get(key) == value for key, value in wanted.items()), len(wanted)


def chrf(pairs: Sequence[tuple[str, str]], longest: int = 6, beta: float = 2.0) -> float:
    """Return chrF2 of (expected, answer) pairs, from 0 to 1, over the whole set.

    Character n-grams without white space (Popović, 2015).
    """
    scores = []
    for n in range(1, longest + 1):
        hits = made = wanted = 0
        for expected, answer in pairs:
            reference, candidate = _grams(expected, n), _grams(answer, n)
            hits += (reference & candidate).total()
            made += candidate.total()
            wanted += reference.total()
        precision, recall = hits / max(1, made), hits / max(1, wanted)
        below = beta**2 * precision + recall
        scores.append((1 + beta**2) * precision * recall / below if below else 0.0)
    return sum(scores) / longest


def _grams(text: str, n: int) -> Counter[str]:
    letters = "".join(text.split())
    return Counter(letters[i : i + n] for i in range(len(letters) - n + 1))
