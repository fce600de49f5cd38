"""The documented API in plain Python: values, records, and nothing shown."""

from __future__ import annotations

import shutil
import signal
import traceback
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import polars as pl
import pytest

from fmagic.errors import (
    ContextLengthError,
    DataError,
    Interrupted,
    ModelError,
    ModelNotFoundError,
    OptionError,
    OutOfMemoryError,
    TemplateError,
)
from fmagic.models.tiny import WEIGHTS
from fmagic.results import Answer, Answers
from fmagic.session import Session
from fmagic.settings import Fmagic
from fmagic.template import Template

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.checkpoints import Checkpoints

LABEL = "system:\nYou label reviews.\nuser:\n{{ text }}\n"
ROWS = [{"text": "I love it", "label": "good"}, {"text": "It broke", "label": "bad"}]


@pytest.fixture
def session(checkpoints: Checkpoints, tmp_path: Path) -> Iterator[Session]:
    settings = Fmagic(journal_dir=str(tmp_path / "journal"), models_dir=str(tmp_path / "models"))
    session = Session(settings)
    session.load(str(checkpoints("llama", chat_template=True)), name="small", quant="none")
    yield session
    session.unload(everything=True)


def test_one_answer_with_its_record(session: Session) -> None:
    answer = session.prompt("Say {{ word }}", variables={"word": "yes"}, max_tokens=4)
    assert isinstance(answer, Answer)
    run = answer.run.dump()
    assert run["kind"] == "prompt"
    assert run["status"] == "ok"
    assert run["output"]["text"] == answer.text
    assert run["template"] == "Say {{ word }}"
    assert run["params"]["max_tokens"] == 4
    assert run["model"]["quant"] == "none"
    assert run["seed"] == 0
    assert {"input_tokens", "ttft_seconds", "peak_memory_bytes"} <= set(run["metrics"])
    assert session.runs()[-1].id == answer.run.id
    assert session.prompt("Say yes", max_tokens=4).run.id != answer.run.id


def test_choices_may_be_a_text_or_numbers(session: Session) -> None:
    asked = session.prompt("One word.", choices="yes, no")
    assert asked.run.params["choices"] == ["yes", "no"]
    assert session.prompt("Stars?", choices=[1, 2, 3]).run.params["choices"] == ["1", "2", "3"]  # type: ignore[list-item]  # as users do
    with pytest.raises(OptionError, match="two different answers"):
        session.prompt("One word.", choices="yes")


def test_a_result_is_a_table(session: Session) -> None:
    labelled = session.prompt(LABEL, data=pd.DataFrame(ROWS), max_tokens=1)
    again = session.embed(labelled, column="text")
    assert len(again) == len(ROWS)
    assert again.run.data is not None
    assert again.run.data.columns == ["text", "label", "answer"]


def test_a_parsed_template_is_no_name(session: Session) -> None:
    session.save_template("hello", "Say hello to {{ name }}")
    assert session.prompt(Template.parse("hello"), max_tokens=1).run.template == "hello"
    saved = session.prompt("hello", variables={"name": "you"}, max_tokens=1)
    assert saved.run.template == "Say hello to {{ name }}"


def test_half_a_character_in_a_table(session: Session) -> None:
    rows = [{"text": "cut \ud83d"}]
    assert session.prompt("{{ text }}", data=rows, max_tokens=1).texts[0] is not None  # type: ignore[union-attr]  # a table has many
    assert session.embed(rows).texts == ["cut \ufffd"]


def test_of_many_columns_the_new_ones_are_shown(session: Session) -> None:
    wide = pd.DataFrame({**{name: ["x"] for name in "abcdefg"}, "label": ["good"]})
    template = "user:\n{{ a }}\nassistant:\n{{ label }}"
    shown = session.evaluate(template, data=wide, choices=["good", "bad"]).block().plain()
    assert all(name in shown for name in ("answer", "expected", "correct", "not shown: d, e, f, g"))


def test_the_journal_has_a_run_before_it_ends(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fmagic.operations.prompt as operation

    lines: list[str] = []
    encode = operation._encode

    def spy(*args: Any, **kwargs: Any) -> Any:
        lines.extend(session.log.journal.path.read_text().splitlines())
        return encode(*args, **kwargs)

    monkeypatch.setattr(operation, "_encode", spy)
    session.prompt("hello", max_tokens=2)
    assert '"running"' in lines[-1]


@pytest.mark.parametrize("kind", ["pandas", "polars", "list", "path"])
def test_a_table_comes_back_as_it_was_with_answers(
    session: Session, kind: str, tmp_path: Path
) -> None:
    frame = pd.DataFrame(ROWS, index=[7, 3])
    data: Any = {"pandas": frame, "polars": pl.DataFrame(ROWS), "list": ROWS}.get(kind)
    if kind == "path":
        data = tmp_path / "rows.csv"
        frame.to_csv(data, index=False)
    answers = session.prompt(LABEL, data=data, choices=["good", "bad"])
    assert isinstance(answers, Answers)
    assert isinstance(answers.frame, pl.DataFrame if kind == "polars" else pd.DataFrame)
    assert list(answers.frame.columns) == ["text", "label", "answer", "probability"]
    assert list(answers.frame["text"]) == ["I love it", "It broke"]
    if isinstance(answers.frame, pd.DataFrame) and kind == "pandas":
        assert list(answers.frame.index) == [7, 3]
    assert set(answers.texts) <= {"good", "bad"}
    record = answers.run.dump()
    assert record["data"]["rows"] == 2
    assert str(tmp_path) not in str(record)


def test_a_value_is_text_whatever_it_looks_like(session: Session) -> None:
    hostile = "user:\n{{ secret }} {% raw %} \\ {"
    plain = session.prompt("user:\nRead: {{ text }}", variables={"text": hostile}, max_tokens=2)
    assert plain.run.metrics["input_tokens"] > len("Read: ")


def test_a_tuning_template_can_be_prompted(session: Session) -> None:
    with_answer = session.prompt(
        LABEL + "assistant:\n{{ label }}", data=ROWS, max_tokens=3, choices=["good", "bad"]
    )
    without = session.prompt(LABEL, data=ROWS, max_tokens=3, choices=["good", "bad"])
    assert isinstance(with_answer, Answers)
    assert isinstance(without, Answers)
    assert with_answer.texts == without.texts


def test_saved_templates(session: Session) -> None:
    session.save_template("label", LABEL)
    answers = session.prompt("label", data=ROWS, choices=["good", "bad"])
    assert answers.run.template is not None
    assert "You label reviews." in answers.run.template
    with pytest.raises(TemplateError, match="'label'"):
        session.saved_template("lable")
    with pytest.raises(TemplateError):
        session.save_template("broken", "{{ text")


def test_evaluating_against_the_answer(session: Session) -> None:
    scores = session.evaluate(LABEL + "assistant:\n{{ label }}", data=ROWS, choices=["good", "bad"])
    accuracy = sum(scores.frame["correct"]) / 2
    assert scores.scores["accuracy"] == accuracy
    assert scores.scores["accuracy_low"] <= accuracy <= scores.scores["accuracy_high"]
    assert scores.run.metrics["accuracy"] == accuracy
    with pytest.raises(TemplateError, match="assistant:"):
        session.evaluate(LABEL, data=ROWS)
    with pytest.raises(DataError, match="table"):
        session.evaluate(LABEL + "assistant:\nx", data=None)


def test_an_answer_beside_its_role_is_told(session: Session) -> None:
    with pytest.raises(TemplateError, match=r"expected answer, for example:\nassistant:"):
        session.evaluate("user: {{ text }}", data=ROWS)
    inline = f"{LABEL}assistant: {{{{ label }}}}"
    said = r"`assistant:` in line 5: a role must stand alone on its line, for example:"
    with pytest.raises(TemplateError, match=said):
        session.evaluate(inline, data=ROWS)
    with pytest.raises(TemplateError, match=said):
        session.finetune(inline, data=ROWS, name="x")


def test_vectors(session: Session, tmp_path: Path) -> None:
    one = session.embed("the fox")
    file = tmp_path / "few.csv"
    file.write_text("text\na fox\na box\n", encoding="utf-8")
    assert session.embed(str(file), column="text").texts == ["a fox", "a box"]
    with pytest.raises(DataError, match="is an address"):
        session.embed("https://host/few.csv", data_name="https://host/few.csv")
    assert one.vectors.shape == (1, 64)
    many = session.embed(pd.DataFrame(ROWS), column="text")
    assert many.vectors.shape == (2, 64)
    assert list(many.frame["label"]) == ["good", "bad"]
    with pytest.raises(DataError, match="--text"):
        session.embed(pd.DataFrame(ROWS))
    with pytest.raises(DataError, match="int"):
        session.embed(pd.DataFrame({"n": [1, 2]}))


def test_what_nobody_expected_is_behind_the_error(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        held = "a frame of the failed load"
        raise RuntimeError(f"something odd in {held}")

    monkeypatch.setattr("fmagic.models.assembly.must_work", fail)
    with pytest.raises(ModelError, match="something odd") as caught:
        session.load(str(session.model().folder), name="other")
    assert isinstance(caught.value.__cause__, RuntimeError)
    assert caught.value.__context__ is None
    *_, (frame, _) = traceback.walk_tb(caught.value.__cause__.__traceback__)
    assert (frame.f_code.co_name, frame.f_locals) == ("fail", {})


def test_an_error_is_a_run_too_and_holds_nothing(session: Session) -> None:
    with pytest.raises(ContextLengthError) as caught:
        session.prompt("{{ text }}", data=[{"text": "fox " * 900}], max_tokens=3)
    assert caught.value.__context__ is None
    assert caught.value.__traceback__ is not None
    record = session.runs()[-1].dump()
    assert record["status"] == "error"
    assert record["error"]["type"] == "ContextLengthError"


def test_out_of_memory_in_the_middle(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    model = session.model()
    forward = type(model.network).forward

    def greedy(*_: Any, **__: Any) -> Any:
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.")  # fmt: skip

    monkeypatch.setattr(type(model.network), "forward", greedy)
    with pytest.raises(OutOfMemoryError, match=r"free now.*still loaded"):
        session.prompt("hello", max_tokens=2)
    monkeypatch.setattr(type(model.network), "forward", forward)
    assert session.prompt("hello", max_tokens=2).run.status == "ok"


@pytest.mark.parametrize("shape", ["prompt", "embed"])
def test_memory_that_runs_out_between_rows_keeps_the_rows_before(
    session: Session, monkeypatch: pytest.MonkeyPatch, shape: str
) -> None:
    model = type(session.model())
    name = "run" if shape == "prompt" else "vectors"
    whole = getattr(model, name)

    def short(self: Any, *args: Any, **kwargs: Any) -> Any:
        steps = whole(self, *args, **kwargs)
        for event in steps:
            yield event
            if shape == "embed" or event[2] is not None:
                raise MemoryError

    monkeypatch.setattr(model, name, short)
    monkeypatch.setattr("fmagic.models.encoder.BATCH_TOKENS", {"cpu": 8})
    call = (
        partial(session.prompt, LABEL, data=ROWS, max_tokens=3)
        if shape == "prompt"
        else partial(session.embed, ROWS, column="text")
    )
    with pytest.raises(OutOfMemoryError, match=r"(?s)free now.*1 of 2 are done and kept") as caught:
        call()
    result = caught.value.result
    assert result.run.status == "error"
    assert len(result.frame) == 2


def test_a_fault_in_the_middle_of_a_table_keeps_the_rows_before(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    model: Any = type(session.model())
    whole = model.run

    def broken(self: Any, *args: Any, **kwargs: Any) -> Any:
        for event in whole(self, *args, **kwargs):
            yield event
            if event[2] is not None:
                raise RuntimeError("something odd")

    monkeypatch.setattr(model, "run", broken)
    with pytest.raises(ModelError, match=r"RuntimeError: something odd\n1 of 2 are done") as caught:
        session.prompt(LABEL, data=ROWS, max_tokens=3)
    assert isinstance(caught.value.__cause__, RuntimeError)
    assert len(caught.value.result.frame) == 2
    assert caught.value.result.run.metrics["rows"] == 1


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), OutOfMemoryError("It does not fit.")])
def test_a_tuned_model_that_cannot_be_loaded_is_told_and_kept(
    session: Session, monkeypatch: pytest.MonkeyPatch, failure: BaseException
) -> None:
    load = session.load

    def fail(*_: Any, **__: Any) -> Any:
        raise failure

    monkeypatch.setattr(session, "load", fail)
    kind = Interrupted if isinstance(failure, KeyboardInterrupt) else OutOfMemoryError
    with pytest.raises(kind, match=r"saved all the same: `%model mine` loads it") as caught:
        session.finetune(f"{LABEL}assistant:\n{{{{ label }}}}", data=ROWS, name="mine", epochs=1)
    record = session.runs()[-1].dump()
    assert record["status"] == ("interrupted" if kind is Interrupted else "error")
    assert record["metrics"]["steps"] == 1
    assert caught.value.result.name == "mine"
    assert record["params"]["lr"] == record["metrics"]["lr"]
    assert load("mine").name == "mine"


def test_stop_while_the_end_is_written_loses_neither_record_nor_result(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    get = session.log.surroundings.get

    def stopped(*args: Any, **kwargs: Any) -> Any:
        signal.raise_signal(signal.SIGINT)
        return get(*args, **kwargs)

    monkeypatch.setattr(session.log.surroundings, "get", stopped)
    with pytest.raises(Interrupted, match="all was done") as caught:
        session.prompt("Say yes", max_tokens=2)
    (record,) = session.log.journal.read()
    assert record.status == "ok"
    assert caught.value.result.run.id == record.id


def test_the_record_names_the_hardware(session: Session) -> None:
    environment = session.prompt("Say yes", max_tokens=1).run.environment
    assert environment is not None
    assert environment.device_name == session.model().device.name


def test_the_journal_goes_where_it_is_told(session: Session, tmp_path: Path) -> None:
    session.settings.journal_dir = str(tmp_path / "elsewhere")
    run = session.prompt("Say yes", max_tokens=1).run
    assert session.log.journal.folder == tmp_path / "elsewhere"
    assert [record.id for record in session.log.journal.read()] == [run.id]


def test_vectors_have_a_digest(session: Session) -> None:
    first, again, other = (
        session.embed(texts).run.dump()["output"]["sha256"]
        for texts in (["a", "b"], ["a", "b"], ["a", "c"])
    )
    assert first == again != other


def test_the_choice_of_a_row_depends_on_that_row_alone(
    session: Session, checkpoints: Checkpoints
) -> None:
    session.load(str(checkpoints("gpt2")), name="plain", quant="none")
    data = [{"text": "the fox\n"}, {"text": "the dog"}, {"text": "the end\n"}]
    ask: Any = partial(session.prompt, "{{ text }}", choices=["yes", "no"])
    table = ask(data=data).frame
    for row, (answer, probability) in zip(
        data, table[["answer", "probability"]].itertuples(index=False), strict=True
    ):
        alone = ask(data=[row]).frame
        assert alone["answer"][0] == answer
        assert alone["probability"][0] == pytest.approx(probability, rel=1e-4)


@pytest.mark.parametrize("column", ["answer", "correct"])
def test_a_column_that_is_there_is_told_before_the_work(
    session: Session, column: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(session.model()), "run", None)  # nothing is to be run
    rows = [{**row, column: "x"} for row in ROWS]
    with pytest.raises(DataError, match=f"already has column '{column}'"):
        session.evaluate(f"{LABEL}assistant:\n{{{{ label }}}}", data=rows)


@pytest.mark.parametrize("name", ["my reviews", "a/b", "..", "rev@1a", "tiny", "", "small"])
def test_names_by_which_no_model_would_be_found_are_refused(session: Session, name: str) -> None:
    with pytest.raises(OptionError, match="name"):
        session.finetune(f"{LABEL}assistant:\n{{{{ label }}}}", data=ROWS, name=name)


def test_a_prompt_that_is_cut_leaves_room_for_its_answer(session: Session) -> None:
    answer = session.prompt("fox " * 900, truncate=True, max_tokens=20)
    assert answer.run.metrics["output_tokens"] > 2
    with pytest.raises(ContextLengthError, match="reads at most"):
        session.prompt("fox " * 120, choices=["fox " * 20, "dog"], max_tokens=20)


def test_stop_keeps_what_was_done(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    from fmagic.models.decoding import Decoder

    run = Decoder.run

    def interrupted(self: Any, *args: Any, **kwargs: Any) -> Any:
        for count, event in enumerate(run(self, *args, **kwargs)):
            if count == 3:
                raise KeyboardInterrupt
            yield event

    monkeypatch.setattr(Decoder, "run", interrupted)
    with pytest.raises(Interrupted, match="of 2") as stopped:
        session.prompt(LABEL, data=ROWS, max_tokens=3)
    assert stopped.value.result.run.status == "interrupted"
    assert len(stopped.value.result.frame) == 2


def test_models_by_name(session: Session, checkpoints: Checkpoints) -> None:
    session.load(str(checkpoints("bert")), name="vectors")
    assert session.current == "vectors"
    assert session.prompt("hello", model="small", max_tokens=1).run.model is not None
    with pytest.raises(ModelNotFoundError, match="'small'"):
        session.unload("smal")
    assert session.unload("vectors") >= 0
    assert session.current == "small"
    session.unload()
    with pytest.raises(ModelNotFoundError, match="%model tiny"):
        session.prompt("hello")


def test_a_model_named_by_its_spec_is_loaded_once(
    session: Session, checkpoints: Checkpoints
) -> None:
    folder = str(checkpoints("gpt2"))
    first = session.model(folder)
    assert session.model(folder) is first
    assert session.model(str(checkpoints("llama", chat_template=True))) is session.model("small")
    assert session.current == "small"


def test_a_model_named_for_one_cell_takes_no_others_place(
    session: Session, checkpoints: Checkpoints, tmp_path: Path
) -> None:
    same = tmp_path / "b" / "small"
    shutil.copytree(checkpoints("gpt2"), same)
    first = session.model()
    assert session.model(str(same)).name == "b/small"
    assert session.model() is first
    broken = tmp_path / "c" / "other"
    shutil.copytree(checkpoints("gpt2"), broken)
    (broken / "model.safetensors").write_bytes(b"")
    with pytest.raises(ModelError):
        session.model(str(broken))
    assert session.model() is first


def test_the_name_of_a_spec_is_not_its_adapted_self(session: Session, tmp_path: Path) -> None:
    from tests.support.checkpoints import make_adapter

    session.load("tiny", adapter=make_adapter(WEIGHTS, tmp_path / "lora"))
    with pytest.raises(OptionError, match=r"adapter .*lora.* and --model tiny means it without"):
        session.prompt("hello", model="tiny")
    assert session.prompt("hello", max_tokens=1).run.model is not None


def test_what_load_returned_is_that_very_model(session: Session, tmp_path: Path) -> None:
    from tests.support.checkpoints import make_adapter

    adapted = session.load("tiny", adapter=make_adapter(WEIGHTS, tmp_path / "lora"))
    answer = session.prompt("hello", model=adapted, max_tokens=1)
    assert answer.run.model is not None
    assert answer.run.model.adapter == "lora"
    again = session.load("tiny", name="tiny")
    with pytest.raises(ModelNotFoundError, match="handed over is not loaded any more"):
        session.prompt("hello", model=adapted)
    session.load("tiny")
    assert session.prompt("hello", model=again, max_tokens=1)


def test_stop_says_that_the_model_before_is_gone(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fmagic.models import assembly

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    name = session.model().name
    spec = session.model().spec
    monkeypatch.setattr(assembly, "load_module", stop)
    with pytest.raises(Interrupted, match=f"Stopped. {name} was freed to make room; `%model"):
        session.load(str(spec), name=name)
    with pytest.raises(ModelNotFoundError):
        session.model()


def test_loading_under_a_taken_name_frees_the_first(
    session: Session, checkpoints: Checkpoints
) -> None:
    first = session.model()
    session.load(str(checkpoints("gpt2")), name="small")
    assert not first.is_loaded
    assert session.model().is_loaded


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("Label: {text}", r"no column of data.*\{text\} is text: write \{\{ text \}\}"),
        ("Say yes", r"no column of data.*\{\{ text \}\} inserts .* there is text, label"),
    ],
)
def test_a_template_without_the_tables_columns(session: Session, template: str, said: str) -> None:
    with pytest.raises(TemplateError, match=said):
        session.prompt(template, data=ROWS)


def test_a_mistyped_column_is_answered_with_the_columns(session: Session) -> None:
    variables = {f"v{number}": number for number in range(30)}
    with pytest.raises(TemplateError, match="Defined: text, label, v0"):
        session.prompt("{{ text }} {{ qqq }}", data=ROWS, variables=variables)


def test_expected_answers_that_no_choice_can_be(session: Session) -> None:
    with pytest.raises(OptionError, match=r"No expected answer is among .*Expected are bad, good"):
        session.evaluate(f"{LABEL}assistant:\n{{{{ label }}}}", data=ROWS, choices=["Good", "Bad"])


def test_a_loaded_model_names_itself(session: Session) -> None:
    handle: Any = session.model()
    assert session.prompt("hello", model=handle, max_tokens=1).run.model is not None
    with pytest.raises(OptionError, match="model takes the name"):
        session.prompt("hello", model=3)  # type: ignore[arg-type]  # as users do
    with pytest.raises(TemplateError, match="not a list"):
        session.prompt(["hello"])  # type: ignore[arg-type]  # as users do


def test_a_table_of_answers_prints_as_it_is_shown(session: Session) -> None:
    answers: Any = session.prompt(LABEL, data=ROWS, max_tokens=1)
    assert "I love it" in str(answers)
    assert "RunRecord(" not in str(answers)
    assert len(repr(answers)) < 500
    assert list(answers["label"]) == ["good", "bad"]
    with pytest.raises(TypeError, match="not iterable"):
        iter(answers)
    assert "None of the 1 runs" in repr(session.runs(text="kettle"))


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *(("max_tokens", "5"), ("max_tokens", 2.5), ("temperature", "hot"), ("top_p", "x")),
        *(("seed", 2**70), ("seed", "x"), ("max_tokens", True)),
    ],
)
def test_options_of_another_type(session: Session, option: str, value: Any) -> None:
    with pytest.raises(OptionError, match=f"--{option.replace('_', '-')} takes .*numbers?"):
        session.prompt("hello", **{option: value})


@pytest.mark.parametrize(
    ("option", "value"), [("epochs", "3"), ("rank", 8.5), ("batch_size", 2.5), ("lr", "1e-3")]
)
def test_options_of_tuning_of_another_type(session: Session, option: str, value: Any) -> None:
    with pytest.raises(OptionError, match=r"takes a (whole )?number"):
        session.finetune(
            f"{LABEL}assistant:\n{{{{ label }}}}", data=ROWS, name="x", **{option: value}
        )


def test_options_out_of_range(session: Session) -> None:
    with pytest.raises(OptionError, match="--choices"):
        session.prompt("hello", choices=["one"])
    with pytest.raises(OptionError, match="'error'"):
        session.prompt(LABEL, data=ROWS, on_missing="eror")
    with pytest.raises(OptionError, match="name"):
        session.finetune(LABEL + "assistant:\nx", data=ROWS, name="../out")


def test_a_licence_goes_from_the_card_of_a_model_to_all_that_is_made_with_it(
    session: Session, checkpoints: Checkpoints, tmp_path: Path
) -> None:
    folder = shutil.copytree(checkpoints("llama", chat_template=True), tmp_path / "gem")
    (folder / "README.md").write_text("---\nlicense: gemma\n---\n")
    session.load(str(folder), name="gem", quant="none", dtype="float32")
    shown = repr(session.loaded())
    assert "gemma (restricted): forbidden uses are listed" in shown
    assert "unknown: no licence is stated" in shown
    tuned = session.finetune(
        LABEL + "assistant:\n{{ label }}", data=ROWS, name="mine", data_name="reviews", lr=0.05
    )
    card = (Path(tuned.folder) / "README.md").read_text()
    assert "\nlicense: gemma\n" in card
    assert "| data: name | reviews |" in card
    assert tuned.run.data is not None
    assert f"| data: sha256 | {tuned.run.data.sha256} |" in card
    assert f"| run | {tuned.run.id} |" in card
    answer = session.prompt("Say yes", model="mine", max_tokens=2)
    for run in (tuned.run, answer.run):
        held = run.dump()["model"]["license"]
        assert (held["id"], held["class"]) == ("gemma", "restricted")
        assert held["url"] == "https://ai.google.dev/gemma/terms"
    assert "gemma (restricted)" in repr(session.show_run(answer.run.id))
    assert "gemma" in repr(session.models("mine"))


def test_a_misspelt_option_of_finetune_is_named(session: Session) -> None:
    with pytest.raises(OptionError, match=r"no option 'epoch'. Did you mean 'epochs'"):
        session.finetune(LABEL + "assistant:\nx", data=ROWS, name="x", epoch=1)
    with pytest.raises(OptionError, match=r"no option 'model'. It is called base here."):
        session.finetune(LABEL + "assistant:\nx", data=ROWS, name="x", model="tiny")


def test_what_was_told_on_the_way_stays_with_the_run(session: Session) -> None:
    tuned = session.finetune(
        LABEL + "assistant:\n{{ label }}", data=ROWS, held_out=ROWS, name="mine", lr=0.05
    )
    (notice,) = [each for each in tuned.run.notices if "also learned from" in each]
    bundle = tuned.mimebundle()
    assert notice in bundle["application/vnd.fmagic.run.v1+json"]["notices"]
    assert f"Note: {notice}" in bundle["text/plain"]
    assert f"Note: {notice}" in bundle["text/html"]
    assert f"Note: {notice}" in repr(session.show_run(tuned.run.id))
    assert "mine is the current model now; %model " in bundle["text/plain"]
