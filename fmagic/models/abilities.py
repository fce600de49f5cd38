"""What the forward of a network takes, and what may be done with it."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fmagic.errors import UnsuitableModelError
from fmagic.models.cache import is_sliding

if TYPE_CHECKING:
    import torch


LOOK_AHEAD = frozenset({"xlnet"})
"""Types of models whose plain forward shows each token what comes after it."""


def must_not_look_ahead(network: Any, name: str, purpose: str) -> None:
    """See that a network can be asked how likely a text is.

    Raises:
        UnsuitableModelError: it would see the text that it is to foretell.
    """
    if network.config.model_type in LOOK_AHEAD:
        raise UnsuitableModelError(
            f"{name} is an {network.config.model_type} model, which sees the whole text at once: "
            f"{purpose} would show it the answers. It can be prompted; take another model for this."
        )


NEED_NO_PLACES = frozenset({"bloom", "mpt"})
"""Types of models that are given no places of tokens and need none: for their biases (ALiBi) only the
distance of two tokens counts."""


def counts_columns(network: Any) -> bool:
    """Whether a network places tokens by their columns, where padding moves them; BART's decoder."""
    placed = accepts(network, "position_ids") or network.config.model_type in NEED_NO_PLACES
    return _is_known(network) and not placed


def accepts(network: Any, name: str) -> bool:
    """Whether the forward of a network takes an input of this name."""
    return name in inspect.signature(network.forward).parameters


def _is_known(network: Any) -> bool:
    """Whether the code is that of transformers; other code may not use its places and masks."""
    return type(network).__module__.startswith("transformers.")


def reads_more(network: Any) -> bool:
    """Whether a network that writes could read images or sound beside text."""
    config = network.config
    return not config.is_encoder_decoder and config.get_text_config(decoder=True) is not config


@dataclass(frozen=True, slots=True)
class Abilities:
    """Facts about a causal network on a device.

    Attributes:
        takes_positions: whether the places of tokens can be given.
        takes_logit_count: whether it can be told to score the last token alone.
        gathers: whether it can be told so by places, which are gathered. By a number the states
            are sliced and do not lie in one piece; torch then copies the whole head for each row
            before it multiplies.
        groups_queries: whether a step after many tokens is faster with a mask that hides nothing:
            transformers then gives the queries that share keys to the attention of torch as rows
            of one matrix; without a mask, torch on a processor copies the keys for each of them.
        shares_prefix: whether rows may go on from one common beginning. That leaves a gap between
            it and a padded rest, and windows and ALiBi count columns.
        records: whether its steps can run in buffers that a mask of transformers hides.
    """

    takes_positions: bool
    takes_logit_count: bool
    gathers: bool
    groups_queries: bool
    shares_prefix: bool
    records: bool

    @classmethod
    def of(cls, network: Any, device: torch.device) -> Abilities:
        """Find out about a network whose tokens go to `device`."""
        config = network.config
        text = config.get_text_config(decoder=True)
        known = _is_known(network)
        attention = getattr(text, "_attn_implementation", None)
        sliding, alibi = is_sliding(config), getattr(config, "alibi", False)
        positions = accepts(network, "position_ids")
        alone = len(set(getattr(network, "hf_device_map", {}).values())) <= 1
        keys = getattr(text, "num_key_value_heads", None)
        grouped = keys not in (None, getattr(text, "num_attention_heads", None))
        return cls(
            takes_positions=positions,
            takes_logit_count=accepts(network, "logits_to_keep"),
            gathers=known and alone,
            groups_queries=known
            and device.type == "cpu"
            and attention == "sdpa"
            and grouped
            and not sliding,
            shares_prefix=positions and not sliding and not alibi,
            records=known and alone and positions and not alibi and attention in ("sdpa", "eager"),
        )
