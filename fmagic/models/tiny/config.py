"""Every setting of the bundled model's training, in one place."""

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class ModelShape:
    """Sizes of the Llama model."""

    vocabulary: int = 4096
    width: int = 256
    layers: int = 6
    heads: int = 4
    kv_heads: int = 2
    mlp: int = 640
    positions: int = 2048
    rope_theta: float = 100_000.0


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
    warmup: int = 60
    decay: float = 0.4
    muon_lr: float = 4e-3
    adamw_lr: float = 3e-3
    weight_decay: float = 0.05
    clip: float = 1.0
    tokenizer_examples: int = 40_000
    chunk_steps: int = 60
    longest: int = 512
    """Longer conversations are left out, in tokens."""
    prompt_share: float = 0.06
    """Share of the prompt's tokens that are predicted too."""
    prompt_weight: float = 0.1
    """Weight of such a token; an answer of n tokens has n ** -0.5 for each."""
    first_weight: float = 1.6
    """Factor on the weight of an answer's first token, which says where in the prompt to copy from."""
    label_weight: float = 2.5
    """Factor on the weights of answers that are labels: each is two tokens long, and all that
    the model learns about the meaning of a text comes from them."""
    shares: tuple[tuple[int, tuple[tuple[str, float], ...]], ...] = (
        (0, (("drills", 5.0),)),
        (240, (("drills", 0.6),)),
        (
            720,
            (
                ("arithmetic", 0.7),
                ("drills", 0.25),
                ("fewshot", 0.7),
                ("french", 0.6),
                ("summary", 0.6),
            ),
        ),
        (
            960,
            (
                ("arithmetic", 0.4),
                ("drills", 0.15),
                ("extraction", 1.2),
                ("fewshot", 0.5),
                ("french", 0.3),
                ("qa", 1.5),
                ("sentiment", 1.6),
                ("spam", 1.2),
                ("summary", 0.4),
                ("topic", 1.6),
            ),
        ),
        (
            1680,
            (
                ("arithmetic", 0.3),
                ("drills", 0.1),
                ("extraction", 1.2),
                ("fewshot", 0.4),
                ("french", 0.25),
                ("qa", 2.5),
                ("sentiment", 1.4),
                ("spam", 1.2),
                ("summary", 0.3),
                ("topic", 1.5),
            ),
        ),
        (
            1920,
            (
                ("arithmetic", 0.3),
                ("drills", 0.1),
                ("extraction", 1.2),
                ("fewshot", 0.4),
                ("french", 0.25),
                ("qa", 2.0),
                ("relations", 0.8),
                ("sentiment", 1.4),
                ("spam", 1.2),
                ("summary", 0.3),
                ("topic", 1.5),
            ),
        ),
        (
            2580,
            (
                ("arithmetic", 0.35),
                ("drills", 0.7),
                ("extraction", 1.6),
                ("fewshot", 0.35),
                ("french", 0.35),
                ("qa", 5.0),
                ("relations", 1.0),
                ("spam", 0.9),
                ("summary", 0.35),
                ("topic", 1.4),
            ),
        ),
    )
    """From which step on which tasks have another share of the tokens than 1. Copying comes
    first, since all else that quotes its prompt rests on it."""
    average: float = 0.6
    """Share of the new weights where a training goes on from a finished model, see `average`."""
    pairs: int = 128
    pairs_every: int = 5
    pairs_from: int = 240
    pairs_weight: float = 1.0
    pairs_thinned: float = 0.4
    """Share of their texts that lose some words, so that no sentence is known by heart."""
    temperature: float = 0.05
    checkpoint_every: int = 120

    def as_dict(self) -> dict[str, Any]:
        """Return the settings as plain nested dicts."""
        return asdict(self)
