"""Recorded steps write what the ordinary way writes.

No graph is recorded here: the stand-in for `record` does the work again each time, in the same
buffers, and refuses what looks at a value. What else a CUDA device cannot record shows only there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import MixtralConfig, MixtralForCausalLM

from fmagic.models import graphs
from fmagic.models.sampling import Sampling
from tests.support.networks import CONTEXT, PLAIN, SIZES, answers, build, prompts, runner

if TYPE_CHECKING:
    from collections.abc import Callable

ALIBI = {"bloom", "falcon with alibi", "mpt"}
FORBIDDEN = {"_local_scalar_dense", "nonzero", "masked_select", "equal"}


class NoLooking(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch leaves it untyped
    """Fails where a value of a tensor decides what happens next."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.overloadpacket.__name__ in FORBIDDEN:
            raise RuntimeError(f"{func} looks at a value\nsecond line")
        return func(*args, **(kwargs or {}))


def no_looking() -> NoLooking:
    return NoLooking()  # type: ignore[no-untyped-call]  # torch leaves it untyped


class Recorder:
    """Counts recordings, and does their work in place of a graph."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, work: Callable[[], None], device: torch.device) -> Callable[[], None]:
        assert device.type == "cpu"
        self.count += 1
        work()

        def replay() -> None:
            with no_looking():
                work()

        with no_looking():
            work()
        return replay


@pytest.mark.parametrize("name", PLAIN)
def test_recorded_steps_write_the_same(name: str) -> None:
    model = build(PLAIN[name])
    recorder = Recorder()
    run, plain = runner(model, recorder=recorder), runner(model)
    for prompt in prompts(count=3):
        assert answers(run, [prompt]) == answers(plain, [prompt])
    assert recorder.count == (0 if name in ALIBI else 1)
    if recorder.count:
        assert run.graphs.refusal is None
        assert run.graphs.seconds > 0


def test_a_text_that_outgrows_its_buffers_goes_on_in_larger_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(graphs, "SHORTEST", 8)
    monkeypatch.setattr(graphs, "AHEAD", 2)
    model = build(PLAIN["gemma3"])
    recorder = Recorder()
    run, plain = runner(model, recorder=recorder), runner(model)
    prompt = [11] * 5
    assert answers(run, [prompt]) == answers(plain, [prompt])
    assert recorder.count == 2  # 8 columns, then 16, for 5 tokens read and 12 written
    assert answers(run, [prompt]) == answers(plain, [prompt])
    assert recorder.count == 2  # the larger ones serve again


def test_much_larger_buffers_than_needed_are_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graphs, "SHORTEST", 8)
    model = build(PLAIN["qwen3"])
    recorder = Recorder()
    run = runner(model, recorder=recorder)
    for length in (150, 10, 150, 60):
        answers(run, [[11] * length])
    assert recorder.count == 3


def test_the_last_row_of_a_table_is_recorded() -> None:
    model = build(PLAIN["qwen3"])
    recorder = Recorder()
    asked = [[11] * 30, [12] * 30, [13] * 30]
    run, plain = runner(model, recorder=recorder), runner(model)
    expected = answers(plain, asked)
    assert answers(run, asked) == expected
    ended_early = {"stop": (expected[0].text[:1], expected[1].text[:1])}
    assert answers(run, asked, **ended_early) == answers(plain, asked, **ended_early)
    assert recorder.count == 1


def test_sampling_is_the_same() -> None:
    model = build(PLAIN["qwen3"])
    options = {"temperature": 1.0, "top_p": 0.9, "seed": 3}
    asked = prompts(count=1)
    run = runner(model, recorder=Recorder())
    assert answers(run, asked, **options) == answers(runner(model), asked, **options)


def test_a_model_that_looks_at_values_goes_the_ordinary_way() -> None:
    model = build(
        lambda: MixtralForCausalLM(
            MixtralConfig(
                **SIZES,
                num_local_experts=4,
                num_experts_per_tok=2,
                experts_implementation="eager",
            )
        )
    )
    recorder = Recorder()
    run = runner(model, recorder=recorder)
    for prompt in prompts(count=2):
        assert answers(run, [prompt]) == answers(runner(model), [prompt])
    assert recorder.count == 1  # tried once
    assert "looks at a value" in run.graphs.refusal
    assert "second line" not in run.graphs.refusal


def test_without_memory_it_goes_the_ordinary_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graphs, "SHORTEST", 8)
    monkeypatch.setattr(graphs, "AHEAD", 2)
    model = build(PLAIN["qwen3"])
    working = Recorder()

    def short(work: Callable[[], None], device: torch.device) -> Callable[[], None]:
        if working.count:
            raise torch.OutOfMemoryError
        return working(work, device)

    run, plain = runner(model, recorder=short), runner(model)
    prompt = [11] * 5
    assert answers(run, [prompt]) == answers(plain, [prompt])  # the larger buffers do not come
    assert run.graphs.refusal is None


def test_a_stream_that_is_left_early_takes_its_buffers_along() -> None:
    model = build(PLAIN["qwen3"])
    recorder = Recorder()
    run = runner(model, recorder=recorder)
    asked = prompts(count=1)
    stream = run.run(asked, Sampling(max_tokens=12))
    for _ in range(4):
        next(stream)
    stream.close()
    assert answers(run, asked) == answers(runner(model), asked)
    assert recorder.count == 2


def test_two_streams_at_once_do_not_share_buffers() -> None:
    model = build(PLAIN["qwen3"])
    recorder = Recorder()
    run = runner(model, recorder=recorder)
    asked = prompts(count=2)
    first = run.run(asked[:1], Sampling(max_tokens=12))
    text = "".join(next(first)[1] for _ in range(4))
    assert answers(run, asked[1:]) == answers(runner(model), asked[1:])
    text += "".join(piece for _, piece, _ in first)
    assert text == answers(runner(model), asked[:1])[0].text
    assert recorder.count == 2


def test_the_end_of_the_context_is_reached() -> None:
    model = build(PLAIN["gpt2"])  # has learnt positions for the context and no more
    prompt = [[11] * (CONTEXT - 12)]
    run = runner(model, recorder=Recorder())
    assert answers(run, prompt) == answers(runner(model), prompt)


def test_what_was_recorded_is_told() -> None:
    run = runner(build(PLAIN["qwen3"]), recorder=Recorder())
    assert run.graphs.remarks("it") == []
    answers(run, prompts(count=1))
    (said,) = run.graphs.remarks("it")
    assert said.startswith("it writes single answers by CUDA graphs, recorded in ")
    run.graphs.refusal = "no"
    assert run.graphs.remarks("it") == ["it cannot be recorded as a CUDA graph (no)."]
