"""Every setting of the bundled model's training, in one place."""

from dataclasses import asdict, dataclass, field
from typing import Any


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
    shares: tuple[tuple[int, tuple[tuple[str, float], ...]], ...] = (
        (0, (("copying", 2.0), ("drills", 1.0))),
        (
            80,
            (
                ("copying", 1.0),
                ("drills", 1.0),
                ("qa", 1.0),
                ("relations", 0.5),
                ("extraction", 0.7),
            ),
        ),
        (
            260,
            (
                ("arithmetic", 0.3),
                ("copying", 0.5),
                ("drills", 0.5),
                ("extraction", 1.4),
                ("fewshot", 0.5),
                ("french", 0.4),
                ("qa", 2.0),
                ("relations", 0.5),
                ("sentiment", 1.4),
                ("spam", 1.1),
                ("summary", 0.4),
                ("topic", 1.3),
            ),
        ),
        (
            4440,
            (
                ("arithmetic", 0.25),
                ("copying", 0.5),
                ("drills", 0.4),
                ("extraction", 1.9),
                ("fewshot", 0.4),
                ("french", 0.3),
                ("qa", 2.3),
                ("relations", 0.3),
                ("sentiment", 1.6),
                ("spam", 1.2),
                ("summary", 0.3),
                ("topic", 1.6),
            ),
        ),
        (
            10600,
            (
                ("arithmetic", 0.2),
                ("copying", 0.3),
                ("drills", 0.6),
                ("extraction", 1.9),
                ("fewshot", 0.3),
                ("french", 0.25),
                ("qa", 3.8),
                ("relations", 0.6),
                ("sentiment", 1.9),
                ("spam", 1.0),
                ("summary", 0.25),
                ("topic", 1.4),
            ),
        ),
        (
            14000,
            (
                ("arithmetic", 0.2),
                ("copying", 0.4),
                ("drills", 0.5),
                ("extraction", 1.6),
                ("fewshot", 0.3),
                ("french", 0.25),
                ("qa", 4.6),
                ("relations", 0.6),
                ("sentiment", 2.2),
                ("spam", 1.3),
                ("summary", 0.25),
                ("topic", 1.3),
            ),
        ),
        (
            16620,
            (
                ("arithmetic", 0.2),
                ("copying", 0.3),
                ("drills", 0.5),
                ("extraction", 1.4),
                ("fewshot", 0.3),
                ("french", 0.25),
                ("qa", 5.8),
                ("relations", 0.5),
                ("sentiment", 2.2),
                ("spam", 1.2),
                ("summary", 0.25),
                ("topic", 1.2),
            ),
        ),
        (
            18360,
            (
                ("arithmetic", 0.2),
                ("copying", 0.3),
                ("drills", 0.4),
                ("extraction", 1.4),
                ("fewshot", 0.3),
                ("french", 0.2),
                ("qa", 5.6),
                ("relations", 0.4),
                ("sentiment", 2.6),
                ("spam", 1.9),
                ("summary", 0.2),
                ("topic", 1.3),
            ),
        ),
        (
            19800,
            (
                ("arithmetic", 0.15),
                ("copying", 0.6),
                ("drills", 0.3),
                ("extraction", 1.0),
                ("fewshot", 0.25),
                ("french", 0.15),
                ("qa", 7.4),
                ("relations", 0.5),
                ("sentiment", 1.9),
                ("spam", 1.5),
                ("summary", 0.15),
                ("topic", 1.0),
            ),
        ),
        (
            21400,
            (
                ("arithmetic", 0.2),
                ("copying", 0.6),
                ("drills", 0.3),
                ("extraction", 1.2),
                ("fewshot", 0.3),
                ("french", 0.2),
                ("qa", 6.2),
                ("relations", 0.4),
                ("sentiment", 2.5),
                ("spam", 2.0),
                ("summary", 0.2),
                ("topic", 1.3),
            ),
        ),
        (
            21980,
            (
                ("arithmetic", 0.2),
                ("copying", 0.8),
                ("drills", 0.3),
                ("extraction", 0.9),
                ("fewshot", 0.25),
                ("french", 0.15),
                ("qa", 9.6),
                ("relations", 0.4),
                ("sentiment", 1.8),
                ("spam", 1.2),
                ("summary", 0.2),
                ("topic", 1.0),
            ),
        ),
        (
            23480,
            (
                ("arithmetic", 0.2),
                ("copying", 0.6),
                ("drills", 0.3),
                ("extraction", 1.2),
                ("fewshot", 0.3),
                ("french", 0.2),
                ("qa", 7.4),
                ("relations", 0.4),
                ("sentiment", 2.4),
                ("spam", 1.7),
                ("summary", 0.2),
                ("topic", 1.3),
            ),
        ),
    )
    """From which step on which tasks have which shares of the tokens; a task that is not named has
    none. Copying comes first, since all else that quotes its prompt rests on it. The last nine
    entries are those of the shipped weights, which went on from steps 4,440, 10,600, 14,000, 16,620,
    19,800 and 21,980, and were given more of the labels from 18,360, 21,400 and 23,480 on."""
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
