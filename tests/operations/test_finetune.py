from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import random
import signal
from typing import TYPE_CHECKING, Any

import pytest
import torch

from fmagic.errors import (
    ContextLengthError,
    Interrupted,
    OptionError,
    OutOfMemoryError,
    TrainingError,
)
from fmagic.models.language import LanguageModel
from fmagic.models.loader import load
from fmagic.models.sampling import Sampling
from fmagic.operations.events import Advanced, Event, Notice, Point, Started
from fmagic.operations.finetune import FinetuneOptions, FinetuneResult, _no_gain, finetune
from fmagic.operations.training.copying import share
from fmagic.operations.training.examples import (
    Example,
    plan_epoch,
    read_examples,
    split_by_tokens,
)
from fmagic.operations.training.tuner import Tuner, _compute_twice
from fmagic.settings import Fmagic
from fmagic.shield import Shield
from fmagic.template import Turn

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from pathlib import Path

    from tests.support.checkpoints import Checkpoints

    Rows = list[tuple[Turn, ...]]

FAST = FinetuneOptions(epochs=2, lr=1e-2, rank=4, batch_size=8)


def make_rows(count: int = 16) -> Rows:
    return [
        (
            Turn("user", f"the number {i} " + "fox " * (i % 5)),
            Turn("assistant", "yes" if i % 2 else "no"),
        )
        for i in range(count)
    ]


def open_model(folder: Path, **options: Any) -> LanguageModel:
    model = load(str(folder), **{"quant": "none", "dtype": "float32", "device": "cpu", **options})
    assert isinstance(model, LanguageModel)
    return model


@pytest.fixture
def model(checkpoints: Checkpoints) -> LanguageModel:
    return open_model(checkpoints("llama", chat_template=True))


def run(
    operation: Generator[Event, None, FinetuneResult],
    watch: Callable[[Event], None] = lambda _: None,
) -> tuple[FinetuneResult, list[Event]]:
    """Drive an operation as a session does: what `watch` raises is thrown into it."""
    events: list[Event] = []
    thrown: BaseException | None = None
    while True:
        try:
            event = operation.throw(thrown) if thrown else next(operation)
        except StopIteration as end:
            return end.value, events
        thrown = None
        events.append(event)
        try:
            watch(event)
        except KeyboardInterrupt as stop:
            thrown = stop


def weights_of(model: LanguageModel) -> dict[str, torch.Tensor]:
    return {name: weight.clone() for name, weight in model.module.state_dict().items()}


def is_unchanged(model: LanguageModel, before: dict[str, torch.Tensor]) -> bool:
    after = model.module.state_dict()
    return before.keys() == after.keys() and all(
        torch.equal(weight, after[name]) for name, weight in before.items()
    )


def loss_of(model: LanguageModel, rows: Rows) -> float:
    """The mean loss for each answer token, row by row, as transformers computes it."""
    total, count = 0.0, 0
    for turns in rows:
        rendered = model.render(turns[:-1])
        prompt, answer = model.tokens(rendered), model.answer_tokens(rendered, turns[-1].text)
        with torch.inference_mode():
            if model.kind == "seq2seq":
                inputs = {"input_ids": torch.tensor([prompt]), "labels": torch.tensor([answer])}
            else:
                labels = [-100] * len(prompt) + answer
                inputs = {
                    "input_ids": torch.tensor([prompt + answer]),
                    "labels": torch.tensor([labels]),
                }
            total += float(model.network(**inputs).loss) * len(answer)
        count += len(answer)
    return total / count


def read(model: LanguageModel, rows: Sequence[tuple[Turn, ...]]) -> list[Example]:
    reading = read_examples(model, rows, truncate=False, label="")
    while True:
        try:
            next(reading)
        except StopIteration as end:
            examples: list[Example] = end.value
            return examples


def test_lora_learns_is_saved_and_loads_as_a_new_model(
    model: LanguageModel, tmp_path: Path
) -> None:
    rows, before = make_rows(24), weights_of(model)
    folder = tmp_path / "foxes" / "0001"
    options = FinetuneOptions(epochs=8, lr=2e-2, rank=8, batch_size=8)
    result, events = run(
        finetune(model, rows, held_out=rows[:6], options=options, folder=folder, template="T")
    )
    assert result.steps == 24
    assert result.losses[-1] < 0.6 * result.losses[0]
    assert result.loss_before is not None
    assert result.loss_after is not None
    assert result.loss_after < 0.6 * result.loss_before
    assert is_unchanged(model, before)
    assert "no<eos>" in result.example
    assert sorted(each.name for each in folder.iterdir()) == [
        "README.md",
        "adapter_config.json",
        "adapter_model.safetensors",
        "chat_template.jinja",
        "fmagic.json",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    made = json.loads((folder / "fmagic.json").read_text())
    assert made["base"] == str(model.spec)
    assert made["run"] == "0001"
    assert (made["method"], made["template"]) == ("lora", "T")
    card = (folder / "README.md").read_text()
    assert card.startswith("---\nlicense: unknown\nlibrary_name: peft\n")
    assert f"| held out loss after | {result.loss_after:.6g} |" in card
    assert "| option: rank | 8 |" in card
    assert "| run | 0001 |" in card
    assert str(tmp_path) not in card
    assert [each.name for each in folder.parent.iterdir()] == ["0001"]
    settings = Fmagic(models_dir=str(tmp_path))
    tuned = load("foxes", quant="none", dtype="float32", device="cpu", settings=settings)
    assert isinstance(tuned, LanguageModel)
    assert tuned.adapter == "foxes"
    assert loss_of(tuned, rows[:6]) == pytest.approx(result.loss_after, rel=1e-4)
    assert [e.done for e in events if isinstance(e, Advanced)][-1] == 24
    assert any(isinstance(e, Started) and (e.total, e.unit) == (24, "steps") for e in events)
    assert sum(isinstance(e, Point) and e.series == "loss" for e in events) == 24
    assert all(math.isfinite(value) for value in result.metrics().values())


@pytest.mark.parametrize(
    "architecture",
    [
        "gpt2",
        "gemma3",
        "gemma3_text",
        "phi3",
        "phimoe",
        "opt",
        "bloom",
        "falcon",
        "mamba",
        "t5",
        "bart",
    ],
)
@pytest.mark.parametrize("method", ["lora", "full"])
def test_every_architecture_starts_at_its_own_loss_and_learns(
    checkpoints: Checkpoints, tmp_path: Path, architecture: str, method: Any
) -> None:
    model = open_model(checkpoints(architecture))
    rows, before = make_rows(8), weights_of(model)
    options = FinetuneOptions(method=method, epochs=4, lr=1e-2, rank=4, batch_size=8)
    folder = tmp_path / "tuned" / "1"
    result, _ = run(finetune(model, rows, held_out=rows, options=options, folder=folder))
    assert result.loss_before == pytest.approx(loss_of(model, rows), rel=1e-4)
    assert result.loss_after is not None
    assert result.loss_after < 0.95 * loss_of(model, rows)
    assert is_unchanged(model, before)
    settings = Fmagic(models_dir=str(tmp_path))
    tuned = load("tuned", quant="none", dtype="float32", device="cpu", settings=settings)
    assert isinstance(tuned, LanguageModel)
    assert loss_of(tuned, rows) == pytest.approx(result.loss_after, rel=1e-3)


def test_what_reads_images_gets_no_adapter(checkpoints: Checkpoints) -> None:
    model = open_model(checkpoints("gemma3"))
    names = Tuner(model, FAST, rate=1e-3, steps=1).weights
    assert names
    assert not [name for name in names if "vision" in name or "projector" in name]


@pytest.mark.parametrize("quant", ["nf4", "int8"])
def test_a_quantized_base_is_tuned_and_stays_as_it_was(
    checkpoints: Checkpoints, tmp_path: Path, quant: str
) -> None:
    pytest.importorskip("bitsandbytes")
    model = open_model(checkpoints("llama", chat_template=True), quant=quant, dtype="bfloat16")
    rows = make_rows(16)
    ids = [model.encode(turns[:-1]) for turns in rows[:4]]
    choices = [[7, 1], [9, 1]]
    # A first inference makes bitsandbytes reorder 4-bit weights on some processors.
    before = sorted(model.choose(ids, choices))
    options = FinetuneOptions(method="qlora", epochs=6, lr=2e-2, rank=8, batch_size=8)
    result, _ = run(
        finetune(model, rows, held_out=rows, options=options, folder=tmp_path / "q" / "1")
    )
    assert result.loss_before is not None
    assert result.loss_after is not None
    assert result.loss_after < 0.7 * result.loss_before
    assert sorted(model.choose(ids, choices)) == before
    settings = Fmagic(models_dir=str(tmp_path))
    tuned = load("q", quant=quant, dtype="bfloat16", device="cpu", settings=settings)
    assert isinstance(tuned, LanguageModel)
    assert loss_of(tuned, rows) == pytest.approx(result.loss_after, rel=0.05)


def test_half_precision_learns_too(checkpoints: Checkpoints, tmp_path: Path) -> None:
    for dtype in ("bfloat16", "float16"):
        model = open_model(checkpoints("llama"), dtype=dtype)
        result, _ = run(finetune(model, make_rows(), options=FAST, folder=tmp_path / dtype / "1"))
        assert result.losses[-1] < 0.9 * result.losses[0]


def test_only_the_answer_and_its_end_are_learned(model: LanguageModel) -> None:
    turns = (Turn("system", "Say it."), Turn("user", "fox?"), Turn("assistant", "yes"))
    (example,) = read(model, [turns])
    assert list(example.prompt) == model.encode(turns[:-1])
    assert model.tokenizer.decode(list(example.answer)) == "yes<eos>"
    assert example.answer[-1] == model.end_of_turn


def test_seeds_repeat_and_no_random_state_leaks(model: LanguageModel, tmp_path: Path) -> None:
    state = torch.get_rng_state()
    options = FinetuneOptions(epochs=2, lr=1e-2, rank=4, batch_size=4, dropout=0.2, seed=3)

    def watch(_: Event) -> None:
        assert torch.equal(torch.get_rng_state(), state)

    losses = []
    for name, chosen in (("a", options), ("b", options), ("c", FAST)):
        operation = finetune(model, make_rows(), options=chosen, folder=tmp_path / name)
        losses.append(run(operation, watch)[0].losses)
    assert torch.equal(torch.get_rng_state(), state)
    assert losses[0] == losses[1]
    assert losses[0] != losses[2]


def test_the_best_weights_are_kept(model: LanguageModel, tmp_path: Path) -> None:
    def make(fox: str, dog: str) -> Rows:
        return [
            (Turn("user", ask), Turn("assistant", say))
            for ask, say in (("fox", fox), ("dog", dog))
            for _ in range(6)
        ]

    # Both say yes or no; the held-out rows say the opposite, so learning more makes them worse.
    rows, other = make("yes", "no"), make("no", "yes")
    options = FinetuneOptions(epochs=12, lr=3e-2, rank=8, batch_size=4)
    result, events = run(
        finetune(model, rows, held_out=other, options=options, folder=tmp_path / "best" / "1")
    )
    held = [event.value for event in events if isinstance(event, Point) and event.series != "loss"]
    assert len(held) == 13
    assert result.loss_after == min(held[1:]) < held[-1]
    settings = Fmagic(models_dir=str(tmp_path))
    tuned = load("best", quant="none", dtype="float32", device="cpu", settings=settings)
    assert isinstance(tuned, LanguageModel)
    assert loss_of(tuned, other) == pytest.approx(result.loss_after, rel=1e-4)


def test_parts_of_a_batch_add_up_to_the_batch(checkpoints: Checkpoints, tmp_path: Path) -> None:
    losses = []
    for budget in (8192, 40, 1):
        model = open_model(checkpoints("llama"))
        model.batch_tokens = budget
        result, _ = run(
            finetune(model, make_rows(), options=FAST, folder=tmp_path / str(budget) / "1")
        )
        losses.append(result.losses)
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)
    assert losses[2] == pytest.approx(losses[0], rel=1e-4)


@pytest.mark.parametrize("architecture", ["llama", "gpt2", "gemma3", "gemma3_text", "t5", "bart"])
def test_the_head_reads_only_what_is_learned(checkpoints: Checkpoints, architecture: str) -> None:
    model = open_model(checkpoints(architecture))
    tuner = Tuner(model, FAST, rate=1e-3, steps=1)
    examples = read(model, make_rows(6))
    tuner.prepare(examples)
    head = tuner.network.get_output_embeddings()
    seen: list[int] = []
    head.register_forward_hook(lambda _, __, scores: seen.append(scores[..., 0].numel()))
    tuner.forward.loss(examples)
    assert seen == [sum(len(example.answer) for example in examples)]
    tuner.close()
    assert not head._forward_pre_hooks


def test_a_model_whose_scores_depend_on_their_place_takes_the_plain_way(
    checkpoints: Checkpoints, tmp_path: Path
) -> None:
    model = open_model(checkpoints("llama"))

    def shift(_: Any, __: Any, output: torch.Tensor) -> torch.Tensor:
        return output * torch.linspace(1, 2, output.shape[1])[:, None]

    model.network.lm_head.register_forward_hook(shift)
    rows = make_rows(8)
    result, _ = run(
        finetune(model, rows, held_out=rows[:1], options=FAST, folder=tmp_path / "a" / "1")
    )
    # One row has no padding and its last token is never read, hence the shorter linspace here.
    (example,) = read(model, rows[:1])
    ids = torch.tensor([example.prompt + example.answer[:-1]])
    with torch.inference_mode():
        scores = model.network(input_ids=ids).logits[0, len(example.prompt) - 1 :]
    expected = torch.nn.functional.cross_entropy(scores, torch.tensor(example.answer))
    assert result.loss_before == pytest.approx(float(expected), rel=1e-4)


def test_stop_keeps_what_was_learned(model: LanguageModel, tmp_path: Path) -> None:
    before = weights_of(model)

    def watch(event: Event) -> None:
        if isinstance(event, Point) and event.step == 2:
            raise KeyboardInterrupt

    folder = tmp_path / "stopped" / "1"
    result, _ = run(finetune(model, make_rows(), options=FAST, folder=folder), watch)
    assert result.interrupted
    assert result.steps == 2
    assert (folder / "fmagic.json").is_file()
    assert is_unchanged(model, before)


def test_stop_in_the_middle_of_a_step(
    model: LanguageModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, calls, backward = weights_of(model), [], torch.autograd.backward

    def interrupted(*args: Any, **kwargs: Any) -> None:
        calls.append(1)
        backward(*args, **kwargs)
        if len(calls) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(torch.autograd, "backward", interrupted)
    result, _ = run(finetune(model, make_rows(), options=FAST, folder=tmp_path / "s" / "1"))
    assert result.interrupted
    assert result.steps == len(result.losses) == 2
    assert is_unchanged(model, before)


def test_stop_before_the_first_step_saves_nothing(model: LanguageModel, tmp_path: Path) -> None:
    def watch(event: Event) -> None:
        if isinstance(event, Started):
            raise KeyboardInterrupt

    folder = tmp_path / "never" / "1"
    with pytest.raises(Interrupted, match="nothing is saved"):
        run(finetune(model, make_rows(), options=FAST, folder=folder), watch)
    assert list(folder.parent.iterdir()) == []


def test_a_shield_notes_stop_and_hands_the_signal_back() -> None:
    before = signal.getsignal(signal.SIGINT)
    with Shield() as shield:
        signal.raise_signal(signal.SIGINT)
    assert shield.struck
    assert signal.getsignal(signal.SIGINT) is before


def test_a_loss_that_is_no_number_is_an_error(model: LanguageModel, tmp_path: Path) -> None:
    with torch.no_grad():
        model.network.lm_head.weight[3] = math.nan
    before = weights_of(model)
    folder = tmp_path / "nan" / "1"
    with pytest.raises(TrainingError, match=r"Lower --lr, which was 0\.01"):
        run(finetune(model, make_rows(), options=FAST, folder=folder))
    assert not folder.exists()
    assert model.module.state_dict().keys() == before.keys()


def test_short_memory_makes_parts_smaller(model: LanguageModel, tmp_path: Path) -> None:
    plain, _ = run(finetune(model, make_rows(), options=FAST, folder=tmp_path / "a" / "1"))

    def refuse(_: Any, inputs: tuple[torch.Tensor, ...]) -> None:
        if inputs[0].shape[0] > 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")

    model.network.get_input_embeddings().register_forward_pre_hook(refuse)
    result, events = run(finetune(model, make_rows(), options=FAST, folder=tmp_path / "b" / "1"))
    assert any(isinstance(e, Notice) and "Memory ran out" in e.text for e in events)
    assert result.losses == pytest.approx(plain.losses, rel=1e-4)


def test_no_memory_at_all_leaves_the_base_usable(model: LanguageModel, tmp_path: Path) -> None:
    def refuse(*_: Any) -> None:
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")

    handle = model.network.get_input_embeddings().register_forward_pre_hook(refuse)
    with pytest.raises(OutOfMemoryError, match=r"as before and usable.*quantized"):
        run(finetune(model, make_rows(), options=FAST, folder=tmp_path / "b" / "1"))
    handle.remove()
    ids = model.encode(make_rows(1)[0][:-1])
    assert list(model.run([ids], Sampling(max_tokens=2)))


def test_little_free_memory_computes_states_twice(
    model: LanguageModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, _ = run(finetune(model, make_rows(), options=FAST, folder=tmp_path / "a" / "1"))
    monkeypatch.setattr("fmagic.operations.training.tuner.free_memory", lambda _: 1000)
    result, events = run(finetune(model, make_rows(), options=FAST, folder=tmp_path / "b" / "1"))
    assert any(isinstance(e, Notice) and "computed twice" in e.text for e in events)
    assert result.losses == pytest.approx(plain.losses, rel=1e-4)


def test_a_row_that_does_not_fit_is_tried_again_with_states_computed_twice(
    model: LanguageModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, _ = run(finetune(model, make_rows(), options=FAST, folder=tmp_path / "a" / "1"))
    twice = "fmagic.operations.training.tuner._compute_twice"
    done: list[bool] = []

    def compute_twice(network: Any) -> None:
        done.append(True)
        _compute_twice(network)

    def refuse(*_: Any) -> None:
        if torch.is_grad_enabled() and not done:
            raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(twice, compute_twice)
    model.network.get_input_embeddings().register_forward_pre_hook(refuse)
    result, events = run(finetune(model, make_rows(), options=FAST, folder=tmp_path / "b" / "1"))
    assert sum(isinstance(e, Notice) and "computed twice" in e.text for e in events) == 1
    assert result.losses == pytest.approx(plain.losses, rel=1e-4)


def test_what_was_learned_tells_two_tunings_apart(model: LanguageModel, tmp_path: Path) -> None:
    other = dataclasses.replace(FAST, lr=1e-3)
    prints = [
        run(finetune(model, make_rows(), options=options, folder=tmp_path / name / "1"))[
            0
        ].summary()["sha256"]
        for name, options in (("a", FAST), ("b", FAST), ("c", other))
    ]
    assert prints[0] == prints[1] != prints[2]


def test_full_tuning_that_cannot_fit_is_refused(
    model: LanguageModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fmagic.models.devices.free_memory", lambda _: 1000)
    with pytest.raises(OutOfMemoryError, match="Use --method lora"):
        run(
            finetune(
                model,
                make_rows(),
                options=FinetuneOptions(method="full"),
                folder=tmp_path / "b" / "1",
            )
        )


def test_what_cannot_be_learned_is_refused(model: LanguageModel, tmp_path: Path) -> None:
    rows = make_rows()
    empty: Rows = [(ask, Turn("assistant", " ")) for ask, _ in rows]
    long: Rows = [*rows[:4], (Turn("user", "fox " * 200), Turn("assistant", "yes"))]
    cases: list[tuple[type[Exception], str, Rows]] = [
        (TrainingError, "1 row to learn from", rows[:1]),
        (TrainingError, "0 rows", []),
        (TrainingError, "Every answer is empty", empty),
        (TrainingError, "needs an assistant: part", [(turns[0],) for turns in rows]),
        (ContextLengthError, r"Row 5: The text is \d+ tokens", long),
        (
            ContextLengthError,
            "Row 1: the answer alone",
            [(rows[0][0], Turn("assistant", "x" * 900))],
        ),
    ]
    for kind, message, given in cases:
        with pytest.raises(kind, match=message):
            run(finetune(model, given, options=FAST, folder=tmp_path / "x" / "1"))
    assert not (tmp_path / "x" / "1").exists()


def test_long_prompts_can_be_cut(model: LanguageModel, tmp_path: Path) -> None:
    rows = [*make_rows(4), (Turn("user", "fox " * 200), Turn("assistant", "yes"))]
    options = FinetuneOptions(epochs=1, lr=1e-2, truncate=True)
    result, events = run(finetune(model, rows, options=options, folder=tmp_path / "t" / "1"))
    assert result.tokens <= 5 * model.context_length
    assert any(isinstance(e, Notice) and "Only 5 rows" in e.text for e in events)


def test_a_tuning_without_effect_is_an_error(model: LanguageModel, tmp_path: Path) -> None:
    options = FinetuneOptions(epochs=1, lr=1e-30)
    with pytest.raises(TrainingError, match="Raise --lr"):
        run(finetune(model, make_rows(), options=options, folder=tmp_path / "x" / "1"))


@pytest.mark.parametrize(
    ("losses", "before", "after", "said"),
    [
        ([2.0, 1.0, 3.0, 9.0], None, None, "The loss rose while it learned, from 2 to 9."),
        ([2.0, 1.0, 3.0, 2.1], None, None, None),
        (
            [2.0, 0.1],
            2.0,
            2.5,
            "The held-out loss did not fall: 2 before, 2.5 after the best epoch.",
        ),
        ([2.0, 9.0], 2.0, 1.5, None),
    ],
)
def test_a_tuning_that_makes_nothing_better_is_known_by_its_losses(
    tmp_path: Path, losses: list[float], before: float | None, after: float | None, said: str | None
) -> None:
    result = FinetuneResult(
        *(tmp_path, "lora", 2, 8, 1e3), losses=losses, loss_before=before, loss_after=after
    )
    advice = " Try a lower --lr, which was 1000, or more rows."
    assert _no_gain(result) == (said and said + advice)


def test_what_does_not_carry_over_to_new_rows_is_a_notice(
    model: LanguageModel, tmp_path: Path
) -> None:
    rows = [row for row in make_rows(80) if row[-1].text == "yes"]
    opposite = [(question, Turn("assistant", "no")) for question, _ in rows[:8]]
    options = dataclasses.replace(FAST, lr=0.05, epochs=1, batch_size=1)
    for name, held_out, told in (("x", opposite, 1), ("y", rows[:8], 0)):
        operation = finetune(
            model, rows[8:], held_out=held_out, options=options, folder=tmp_path / name / "1"
        )
        _, events = run(operation)
        notices = [e.text for e in events if isinstance(e, Notice)]
        assert sum("held-out loss did not fall" in notice for notice in notices) == told


def test_methods_go_with_bases(model: LanguageModel, tmp_path: Path) -> None:
    folder = tmp_path / "m" / "1"
    with pytest.raises(OptionError, match=r"qlora wants a quantized base.*--quant nf4"):
        run(finetune(model, make_rows(), options=FinetuneOptions(method="qlora"), folder=folder))
    model.quant = "nf4"
    with pytest.raises(OptionError, match="quantized weights cannot learn"):
        run(finetune(model, make_rows(), options=FinetuneOptions(method="full"), folder=folder))
    model.quant, model.adapter = "none", "foxes"
    with pytest.raises(OptionError, match="adapters are not stacked"):
        run(finetune(model, make_rows(), options=FAST, folder=folder))


def test_every_run_gets_a_folder_of_its_own(model: LanguageModel, tmp_path: Path) -> None:
    (tmp_path / "m").write_text("a file")
    with pytest.raises(OptionError, match="models_dir"):
        run(finetune(model, make_rows(), options=FAST, folder=tmp_path / "m" / "1"))
    with pytest.raises(OptionError, match="there already"):
        run(finetune(model, make_rows(), options=FAST, folder=tmp_path))


def test_a_failed_save_leaves_no_folder(
    model: LanguageModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(model.tokenizer, "save_pretrained", refuse)
    with pytest.raises(TrainingError, match="No space left"):
        run(finetune(model, make_rows(), options=FAST, folder=tmp_path / "full" / "1"))
    assert list((tmp_path / "full").iterdir()) == []


@pytest.mark.parametrize(
    "options",
    [
        {"method": "lorra"},
        {"epochs": 0},
        {"lr": -1.0},
        {"rank": 0},
        {"alpha": 0},
        {"dropout": 1},
        {"batch_size": 0},
    ],
)
def test_values_out_of_range_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(OptionError):
        FinetuneOptions(**options)


def test_the_copy_shares_every_tensor(model: LanguageModel) -> None:
    shared = share(model.network)
    assert shared is not model.network
    theirs = {name: weight.data_ptr() for name, weight in model.network.named_parameters()}
    assert {name: weight.data_ptr() for name, weight in shared.named_parameters()} == theirs
    shared.train()
    assert not model.network.training


def test_batches_hold_each_row_once_and_rows_of_like_length() -> None:
    stream = random.Random(0)
    lengths = [stream.randrange(5, 200) for _ in range(1000)]
    batches = plan_epoch(lengths, 16, stream)
    assert sorted(row for batch in batches for row in batch) == list(range(1000))
    assert len(batches) == math.ceil(1000 / 16)
    padded = sum(len(batch) * max(lengths[row] for row in batch) for batch in batches)
    assert padded < 1.15 * sum(lengths)


def test_parts_stay_within_their_budget() -> None:
    rows = [Example((1,) * length, (2,)) for length in (3, 50, 9, 9, 120, 4)]
    parts = list(split_by_tokens(rows, 60))
    assert sorted(row.tokens for part in parts for row in part) == [4, 5, 10, 10, 51, 121]
    assert all(
        len(part) == 1 or len(part) * max(row.tokens for row in part) <= 60 for part in parts
    )


def test_closing_early_lets_the_base_go_on(model: LanguageModel, tmp_path: Path) -> None:
    before = weights_of(model)
    operation = finetune(model, make_rows(), options=FAST, folder=tmp_path / "c" / "1")
    for event in operation:
        if isinstance(event, Point):
            break
    with contextlib.closing(operation):
        pass
    assert is_unchanged(model, before)
    assert list((tmp_path / "c").iterdir()) == []
