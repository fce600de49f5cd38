"""The runtime against `generate`: the same tokens, whatever the company a row keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from transformers import (
    GPTNeoConfig,
    GPTNeoForCausalLM,
    MambaConfig,
    MambaForCausalLM,
    Phi3Config,
    Phi3ForCausalLM,
    T5Config,
    T5ForConditionalGeneration,
)

from fmagic.models import decoding, measures
from fmagic.models.cache import is_plain, tokens_in
from fmagic.models.choosing import choose_by_cache, choose_by_text
from fmagic.models.devices import Device
from fmagic.models.fit import GROWTH
from fmagic.models.generating import Generator
from fmagic.models.sampling import Sampling
from fmagic.models.shape import Shape
from tests.support.networks import (
    CONTEXT,
    END,
    ENDS,
    HEADS,
    PLAIN,
    SIZES,
    VOCABULARY,
    Tokens,
    answers,
    build,
    prompts,
    runner,
)

if TYPE_CHECKING:
    from collections.abc import Sequence


def reference(model: Any, prompt: Sequence[int]) -> list[int]:
    ids = torch.tensor([list(prompt)])
    with torch.inference_mode():
        output = model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=12,
            do_sample=False,
            pad_token_id=0,
            eos_token_id=[END],
        )
    new = output[0] if model.config.is_encoder_decoder else output[0, len(prompt) :]
    tokens: list[int] = new.tolist()
    return tokens


def text(tokens: Sequence[int]) -> str:
    return Tokens().decode([t for t in tokens if t != END], skip_special_tokens=True)


@pytest.mark.parametrize("name", PLAIN)
def test_batches_and_single_prompts_write_what_generate_writes(name: str) -> None:
    model = build(PLAIN[name])
    assert is_plain(model.config)
    asked = prompts()
    expected = [reference(model, prompt) for prompt in asked]
    run = runner(model)
    together = answers(run, asked)
    alone = [answers(run, [prompt])[0] for prompt in asked]
    for index, tokens in enumerate(expected):
        assert together[index].text == text(tokens)
        assert alone[index].text == text(tokens)
        assert together[index].output_tokens == len(tokens)
        assert together[index].input_tokens == len(asked[index])
        assert together[index].finish == ("stop" if tokens[-1] == END else "length")


def test_a_recurrent_model_goes_through_generate() -> None:
    model = build(
        lambda: MambaForCausalLM(
            MambaConfig(
                vocab_size=VOCABULARY, hidden_size=32, num_hidden_layers=2, state_size=4, **ENDS
            )
        )
    )
    assert not is_plain(model.config)
    asked = prompts(count=5)
    run = runner(model, Generator)
    together = answers(run, asked)
    for index, prompt in enumerate(asked):
        expected = text(reference(model, prompt))
        assert together[index].text == expected
        assert answers(run, [prompt])[0].text == expected


def test_rows_of_a_model_that_goes_through_generate_have_their_own_streams() -> None:
    model = build(
        lambda: MambaForCausalLM(
            MambaConfig(
                vocab_size=VOCABULARY, hidden_size=32, num_hidden_layers=2, state_size=4, **ENDS
            )
        )
    )
    asked = prompts(shared=0, count=3)
    run = runner(model, Generator)
    together = answers(run, asked, temperature=1.0, seed=3)
    beside = answers(run, [asked[0], asked[0], asked[2]], temperature=1.0, seed=3)
    assert beside[2].text == together[2].text
    (alone,) = [
        done
        for _, _, done in run.run(
            [asked[2]], Sampling(max_tokens=12, temperature=1.0, seed=3), places=[2]
        )
        if done
    ]
    assert alone.text == together[2].text
    first = {
        answers(run, [asked[0]], temperature=1.0, seed=seed)[0].text[:1] for seed in range(150)
    }
    assert len(first) > 60  # not only of the 50 likeliest


def test_rotations_that_change_with_the_length_go_through_generate() -> None:
    rope = {
        "rope_type": "longrope",
        "rope_theta": 10_000.0,
        "short_factor": [1.0] * 8,
        "long_factor": [4.0] * 8,
        "original_max_position_embeddings": 32,
    }
    sizes = {**HEADS, "rope_parameters": rope, "original_max_position_embeddings": 32}
    model = build(lambda: Phi3ForCausalLM(Phi3Config(pad_token_id=0, **sizes)))
    assert not is_plain(model.config)
    assert is_plain(PLAIN["qwen3"]().config)


def test_windows_that_count_columns_share_no_prefix() -> None:
    model = build(
        lambda: GPTNeoForCausalLM(
            GPTNeoConfig(
                vocab_size=VOCABULARY, hidden_size=64, num_layers=2, num_heads=4, window_size=24,
                attention_types=[[["global", "local"], 1]], max_position_embeddings=CONTEXT, **ENDS,
            )
        )
    )  # fmt: skip
    asked = [each[:58] for each in prompts(shared=40)]
    together = answers(runner(model), asked)
    for index, prompt in enumerate(asked):
        assert together[index].text == text(reference(model, prompt))


def test_an_encoder_decoder_goes_through_generate() -> None:
    model = build(
        lambda: T5ForConditionalGeneration(
            T5Config(
                vocab_size=VOCABULARY,
                d_model=32,
                d_ff=64,
                d_kv=8,
                num_layers=2,
                num_heads=4,
                decoder_start_token_id=0,
                eos_token_id=END,
            )
        )
    )
    asked = prompts(count=4)
    run = runner(model, Generator)
    together = answers(run, asked)
    for index, prompt in enumerate(asked):
        expected = text(reference(model, prompt)[1:])
        assert together[index].text == expected
        assert answers(run, [prompt])[0].text == expected


def test_many_more_rows_than_fit_at_once() -> None:
    model = build(PLAIN["qwen3"])
    asked = prompts(shared=0, count=40)
    small, large = runner(model, batch_tokens=64), runner(model, batch_tokens=100_000)
    few, many = answers(small, asked), answers(large, asked)
    assert {i: c.text for i, c in few.items()} == {i: c.text for i, c in many.items()}
    assert len(few) == len(asked)


def test_what_prompts_share_is_read_once() -> None:
    model = build(PLAIN["qwen3"])
    run = runner(model)
    assert run.read_prefix(prompts(shared=20)).length == 20
    assert run.read_prefix(prompts(shared=3)).length == 0
    assert run.read_prefix([[5] * 30, [5] * 30]).length == 29
    windowed = runner(build(PLAIN["mistral with a window"]))
    assert windowed.read_prefix(prompts(shared=20)).length == 0


def test_sampling_depends_on_seed_and_row_and_not_on_company() -> None:
    model = build(PLAIN["qwen3"])
    run = runner(model)
    asked = prompts(count=6)
    first = answers(run, asked, temperature=1.0, top_p=0.9, seed=3)
    again = answers(run, asked, temperature=1.0, top_p=0.9, seed=3)
    other = answers(run, asked, temperature=1.0, top_p=0.9, seed=4)
    assert {i: c.text for i, c in first.items()} == {i: c.text for i, c in again.items()}
    assert {i: c.text for i, c in first.items()} != {i: c.text for i, c in other.items()}
    cramped = answers(runner(model, batch_tokens=64), asked, temperature=1.0, top_p=0.9, seed=3)
    assert cramped[5].text == first[5].text


def test_a_stop_string_ends_the_text_before_itself() -> None:
    model = build(PLAIN["qwen3"])
    run = runner(model)
    prompt = prompts(count=1)
    whole = answers(run, prompt)[0].text
    stop = whole[4:6]
    cut = answers(run, prompt, stop=(stop,))[0]
    assert cut.text == whole[: whole.index(stop)]
    assert cut.finish == "stop"


def test_the_context_ends_an_answer() -> None:
    model = build(PLAIN["qwen3"])
    prompt = [[11] * (CONTEXT - 3)]
    completion = answers(runner(model), prompt)[0]
    assert completion.output_tokens is not None
    assert completion.output_tokens <= 3


def test_a_long_prompt_is_read_in_pieces() -> None:
    model = build(PLAIN["qwen3"])
    prompt = prompts(shared=150, count=1)
    whole = answers(runner(model, batch_tokens=10_000), prompt)[0].text
    assert answers(runner(model, batch_tokens=16), prompt)[0].text == whole


def test_a_model_in_8_bits_reads_fewer_tokens_in_a_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measures, "READ_IN_8_BITS", 32)
    model = build(PLAIN["qwen3"])
    asked = prompts(shared=60)
    whole = answers(runner(model), asked)
    quantized = type("Linear8bitLt", (torch.nn.Module,), {})  # all that tells such a model
    model.add_module("in_8_bits", quantized())
    read: list[int] = []
    model.register_forward_pre_hook(
        lambda _, __, given: read.append(given["input_ids"].numel()), with_kwargs=True
    )
    found = answers(runner(model), asked)
    assert max(read) <= 32 < sum(map(len, asked))
    assert {i: each.text for i, each in found.items()} == {
        i: each.text for i, each in whole.items()
    }


@pytest.mark.parametrize("name", ["qwen3", "bloom", "mistral with a window"])
def test_choices_score_what_a_whole_pass_scores(name: str) -> None:
    model = build(PLAIN[name])
    asked = prompts(count=7)
    choices = [[15, 19, END], [15, END], [21, 22, 23, END]]
    whole = dict(choose_by_text(model, asked, choices, decoder_start=None, batch_tokens=2000))
    by_one = dict(choose_by_text(model, asked, choices, decoder_start=None, batch_tokens=1))
    assert all(by_one[index] == pytest.approx(whole[index], abs=1e-4) for index in whole)
    cached = dict(choose_by_cache(runner(model), asked, choices, batch_tokens=256))
    assert sorted(cached) == sorted(whole) == list(range(7))
    for index, scores in whole.items():
        assert cached[index] == pytest.approx(scores, abs=1e-3)
        assert all(score < 0 for score in scores)


def test_a_table_on_a_gpu_remembers_what_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    run = runner(build(PLAIN["qwen3"]), batch_tokens=1000)
    run._device = torch.device("cuda:0")
    rooms = []
    for free in (10**9, 10**5, 0):
        device = Device("cuda", 0, "GPU", 10**9, free)
        monkeypatch.setattr(decoding, "detect", lambda _, device=device: device)
        rooms.append(run.room(5))
    each = GROWTH * Shape.of(run._config).cache_bytes(4, 1)
    assert rooms == [4000, int(0.8 * 10**5 / each), 1]


def test_many_choices_do_not_multiply_what_is_remembered() -> None:
    model = build(PLAIN["qwen3"])
    asked = prompts(shared=60, count=6)
    choices = [[word, word + 1, END] for word in range(20, 60)] + [[15, END], [9]]
    whole = dict(choose_by_text(model, asked, choices, decoder_start=None, batch_tokens=20_000))
    seen: list[int] = []
    model.register_forward_pre_hook(
        lambda _, __, given: seen.append(
            given["input_ids"].shape[0] * (tokens_in(given["past_key_values"]) + 2)
        ),
        with_kwargs=True,
    )
    found = dict(choose_by_cache(runner(model), asked, choices, batch_tokens=256))
    assert max(seen) <= 4 * 256
    for index, scores in whole.items():
        assert found[index] == pytest.approx(scores, abs=1e-3)


def test_the_head_is_never_copied_for_each_row(monkeypatch: pytest.MonkeyPatch) -> None:
    model = build(PLAIN["qwen3"])
    head = model.get_output_embeddings()
    given = []
    watch = head.register_forward_pre_hook(lambda _, inputs: given.append(inputs[0]))
    answers(runner(model), prompts(count=5))
    watch.remove()
    assert max(states.shape[0] for states in given) > 1
    assert all(states.is_contiguous() and states.shape[1] == 1 for states in given)


@pytest.mark.parametrize("name", ["qwen3", "mistral with a window", "gpt2"])
def test_queries_that_share_keys_go_together_unless_there_is_a_window(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = build(PLAIN[name])
    attention = torch.nn.functional.scaled_dot_product_attention
    shapes = set()

    def watched(query: torch.Tensor, key: torch.Tensor, *rest: Any, **options: Any) -> torch.Tensor:
        if query.shape[1] != SIZES["num_attention_heads"] or query.shape[2] == 1:
            shapes.add((*query.shape[1:3], options.get("enable_gqa", False)))
        return attention(query, key, *rest, **options)

    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", watched)
    monkeypatch.setattr(decoding, "GROUPED_FROM", 0)
    answers(runner(model), prompts(count=1))
    expected = {"qwen3": (2, 2, False), "mistral with a window": (2, 2, False)}
    assert shapes == {expected.get(name, (4, 1, False))}
