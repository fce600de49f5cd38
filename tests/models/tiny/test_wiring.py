"""The copying circuit that is set at the start."""

import torch
from transformers import AutoTokenizer, LlamaForCausalLM

from fmagic.models.tiny import WEIGHTS
from fmagic.models.tiny.config import ModelShape
from fmagic.models.tiny.model import new_model

LENGTH = 30


def untrained() -> LlamaForCausalLM:
    return new_model(ModelShape(), AutoTokenizer.from_pretrained(WEIGHTS), seed=0).eval()


def test_an_untrained_model_continues_what_it_has_seen() -> None:
    torch.set_num_threads(1)
    random_tokens = torch.Generator().manual_seed(0)
    once = torch.randint(5, 4096, (8, LENGTH), generator=random_tokens)
    ids = torch.cat([once, once], 1)
    with torch.inference_mode():
        guesses = untrained()(ids).logits.argmax(-1)
    right = guesses[:, :-1] == ids[:, 1:]
    assert right[:, LENGTH:].float().mean() > 0.3
    assert right[:, : LENGTH - 1].float().mean() < 0.01


def test_the_first_layer_looks_one_position_back() -> None:
    torch.set_num_threads(1)
    ids = torch.arange(5, 45).unsqueeze(0)
    model = untrained()
    model.set_attn_implementation("eager")  # the only one that tells its weights
    with torch.inference_mode():
        attention = model(ids, output_attentions=True).attentions[0][0, 0]
    assert attention.diagonal(-1)[3:].mean() > 0.8


def test_an_untrained_model_finds_what_stood_beside_a_word() -> None:
    """A table of random words, then a question by key: far above guessing among 4,096."""
    torch.set_num_threads(1)
    words = torch.Generator().manual_seed(0)
    user, end, assistant = 3, 1, 4
    right = []
    with torch.inference_mode():
        model = untrained()
        for _ in range(60):
            table = torch.randint(
                5, 4096, (4, 3), generator=words
            )  # two words of key, one of value
            asked = [user, *table[2, :2].tolist(), end, assistant]
            ids = [user, *table.flatten().tolist(), end, *asked]
            logits = model(torch.tensor([ids])).logits[0, -1]
            logits[:5] = -100.0  # the marks between turns say nothing yet
            right.append(int(table[2, 2]) in logits.topk(5).indices.tolist())
    assert sum(right) / len(right) > 0.1  # 0.001 by chance


def test_the_same_seed_gives_the_same_weights() -> None:
    first, second = untrained().state_dict(), untrained().state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
