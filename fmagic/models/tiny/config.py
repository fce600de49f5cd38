"""Every setting of the bundled model's training, in one place."""

from dataclasses import asdict, dataclass, field
from typing import Any

# What the columns of _SHARES are, after the step.
_TASKS = (
    "arithmetic",
    "copying",
    "drills",
    "extraction",
    "fewshot",
    "french",
    "qa",
    "relations",
    "sentiment",
    "spam",
    "summary",
    "topic",
)
_SHARES = (
    (0, 0.0, 2.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
    (80, 0.0, 1.0, 1.0, 0.7, 0.0, 0.0, 1.0, 0.5, 0.0, 0.0, 0.0, 0.0),
    (260, 0.3, 0.5, 0.5, 1.4, 0.5, 0.4, 2.0, 0.5, 1.4, 1.1, 0.4, 1.3),
    (4_440, 0.25, 0.5, 0.4, 1.9, 0.4, 0.3, 2.3, 0.3, 1.6, 1.2, 0.3, 1.6),
    (10_600, 0.2, 0.3, 0.6, 1.9, 0.3, 0.25, 3.8, 0.6, 1.9, 1.0, 0.25, 1.4),
    (14_000, 0.2, 0.4, 0.5, 1.6, 0.3, 0.25, 4.6, 0.6, 2.2, 1.3, 0.25, 1.3),
    (16_620, 0.2, 0.3, 0.5, 1.4, 0.3, 0.25, 5.8, 0.5, 2.2, 1.2, 0.25, 1.2),
    (18_360, 0.2, 0.3, 0.4, 1.4, 0.3, 0.2, 5.6, 0.4, 2.6, 1.9, 0.2, 1.3),
    (19_800, 0.15, 0.6, 0.3, 1.0, 0.25, 0.15, 7.4, 0.5, 1.9, 1.5, 0.15, 1.0),
    (21_400, 0.2, 0.6, 0.3, 1.2, 0.3, 0.2, 6.2, 0.4, 2.5, 2.0, 0.2, 1.3),
    (21_980, 0.2, 0.8, 0.3, 0.9, 0.25, 0.15, 9.6, 0.4, 1.8, 1.2, 0.2, 1.0),
    (23_480, 0.2, 0.6, 0.3, 1.2, 0.3, 0.2, 7.4, 0.4, 2.4, 1.7, 0.2, 1.3),
    (24_260, 0.2, 0.8, 0.3, 0.9, 0.25, 0.25, 9.6, 0.4, 1.8, 1.2, 0.25, 1.0),
    (25_540, 0.2, 0.6, 0.3, 1.2, 0.3, 0.25, 7.4, 0.4, 2.4, 1.7, 0.2, 1.3),
)


@dataclass(frozen=True, slots=True)
class ModelShape:
    """Sizes of the Llama model."""

    vocabulary: int = 4096
    width: int = 256
    layers: int = 6
    heads: int = 8
    kv_heads: int = 4
    head_size: int = 64
    mlp: int = 640
    positions: int = 2048
    rope_theta: float = 100_000.0
    embedding_std: float = 0.1
    """Spread of the first embeddings: five times the usual, so that the logit of a copied token
    stands out at once and a step of the optimizer changes little of them."""


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """How long, how fast and on what the model trains.

    The learning rate warms up, stays, and falls to zero over the last `decay` of the steps.
    A run that is resumed with another number of steps before that last part begins equals
    one that had this number from the start.
    """

    model: ModelShape = field(default_factory=ModelShape)
    seed: int = 0
    steps: int = 4800
    parts: int = 4
    part_tokens: int = 2048
    """A step adds up the gradients of `parts` batches of about this many tokens."""
    threads: int = 2
    """Threads that take the parts of a step from a queue. On a CPU each computes alone: on a
    busy machine that loses far less than threads that share every multiplication."""
    warmup: int = 100
    decay: float = 1.0
    muon_lr: float = 1.2e-3
    adamw_lr: float = 6e-4
    weight_decay: float = 0.05
    clip: float = 1.0
    tokenizer_examples: int = 40_000
    chunk_steps: int = 20
    longest: int = 512
    """Longer conversations are left out, in tokens."""
    prompt_share: float = 0.08
    """Share of the prompt's tokens that are predicted too."""
    prompt_weight: float = 0.15
    """Weight of such a token; an answer of n tokens has n ** -0.5 for each."""
    first_weight: float = 1.6
    """Factor on the weight of an answer's first token, which says where in the prompt to copy from."""
    label_weight: float = 2.5
    """Factor on the weights of answers that are labels: each is two tokens long, and all that
    the model learns about the meaning of a text comes from them."""
    shares: tuple[tuple[int, tuple[tuple[str, float], ...]], ...] = tuple(
        (step, tuple((task, share) for task, share in zip(_TASKS, row, strict=True) if share))
        for step, *row in _SHARES
    )
    """From which step on which tasks have which shares of the tokens; a task that is not named has
    none. Copying comes first, since all else that quotes its prompt rests on it. From 4,440 on the
    entries are those of the shipped weights, which went on from steps 4,440, 10,600, 14,000, 16,620,
    19,800, 21,980 and 24,260, and were given more of the labels from 18,360, 21,400, 23,480 and
    25,540 on."""
    pairs: int = 128
    pairs_every: int = 16
    pairs_from: int = 300
    pairs_weight: float = 1.0
    pairs_thinned: float = 0.15
    """Share of their texts that lose some words, so that no sentence is known by heart."""
    temperature: float = 0.05
    checkpoint_every: int = 120

    def as_dict(self) -> dict[str, Any]:
        """Return the settings as plain nested dicts."""
        return asdict(self)
