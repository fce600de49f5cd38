"""An adapter and its base in memory at once, on one set of weights."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fmagic.errors import ModelError, ModelNotFoundError
from fmagic.models import assembly
from fmagic.models.measures import tensors_of
from fmagic.models.reading import load_module
from fmagic.models.tiny import weights_digest
from fmagic.session import Session
from fmagic.settings import Fmagic
from fmagic.template import Turn
from tests.support.checkpoints import make_adapter

if TYPE_CHECKING:
    from tests.support.checkpoints import Checkpoints

METHODS = ("none", "nf4", "int8")


@pytest.fixture
def session(tmp_path: Path, checkpoints: Checkpoints) -> Session:
    """A session that knows `tuned`, an adapter for the small llama."""
    models = tmp_path / "models"
    base = checkpoints("llama", chat_template=True)
    folder = make_adapter(base, models / "tuned" / "0198a000")
    (folder / "fmagic.json").write_text(
        json.dumps({"base": str(base), "base_revision": None, "run": folder.name})
    )
    return Session(settings=Fmagic(models_dir=str(models), device="cpu", display=False))


@pytest.fixture
def base(checkpoints: Checkpoints) -> str:
    return str(checkpoints("llama", chat_template=True))


def states(model: Any) -> Any:
    import torch

    with torch.inference_mode():
        return model.network(torch.arange(1, 17)[None])[0].float()


def places(model: Any) -> set[int]:
    return {each.data_ptr() for each in tensors_of(model.module) if each.numel()}


def same(one: Any, other: Any) -> bool:
    import torch

    return bool(torch.equal(one, other))


@pytest.mark.parametrize("method", METHODS)
def test_the_weights_are_read_once(
    method: str, session: Session, base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[bool] = []

    def counted(*args: Any, **kwargs: Any) -> Any:
        reads.append(True)
        return load_module(*args, **kwargs)

    alone = session.load("tuned", quant=method)
    expected = states(alone)
    session.unload()
    monkeypatch.setattr(assembly, "load_module", counted)
    plain = session.load(base, name="base", quant=method)
    whole = plain.weight_bytes
    before = states(plain)
    tuned = session.load("tuned")  # quantized as its base is
    assert reads == [True]
    assert (tuned.quant, tuned.dtype) == (plain.quant, plain.dtype)
    assert "shares the weights of base" in tuned.quant_reason
    assert places(plain) <= places(tuned)
    assert same(states(tuned), expected)
    assert same(states(plain), before)
    assert not same(expected, before)
    # Shared weights are counted once.
    assert plain.weight_bytes == pytest.approx(whole, rel=0.15)  # packing changes the scales' type
    assert 0 < tuned.weight_bytes < 0.5 * whole  # rank 4 of a width of 64
    session.unload("base")
    assert tuned.weight_bytes > 0.85 * whole
    assert same(states(tuned), expected)
    again = session.load(base, name="base", quant=method)  # a base does not share an adapter's
    assert len(reads) == 2
    assert same(states(again), before)


@pytest.mark.parametrize("method", METHODS)
def test_the_base_stays_when_the_adapter_goes(method: str, session: Session, base: str) -> None:
    plain = session.load(base, name="base", quant=method)
    tuned = session.load("tuned", quant=method)
    expected = states(tuned)  # the adapter runs first: weights may be packed by its pass
    before = states(plain)
    session.unload("tuned")
    assert same(states(plain), before)
    assert same(states(session.load("tuned")), expected)


@pytest.mark.parametrize(
    ("loaded", "asked"),
    [
        ({"quant": "nf4"}, {"quant": "none"}),
        ({"quant": "nf4"}, {"quant": "int8"}),
        ({"quant": "none", "dtype": "float32"}, {"dtype": "bfloat16"}),
    ],
)
def test_what_is_loaded_otherwise_is_not_shared(
    loaded: dict[str, Any], asked: dict[str, Any], session: Session, base: str
) -> None:
    plain = session.load(base, name="base", **loaded)
    tuned = session.load("tuned", **{"quant": "none", **asked})
    assert not places(plain) & places(tuned)


def test_an_adapter_that_takes_the_name_of_its_base(session: Session, base: str) -> None:
    session.load(base, name="mine", quant="none")
    tuned = session.load("tuned", name="mine", quant="none")
    assert list(session.by_name) == ["mine"]
    assert tuned.adapter == "tuned"


def test_a_base_that_is_named_is_never_its_adapter(session: Session, base: str) -> None:
    tuned = session.load(base, adapter="tuned", name="with", quant="none")
    assert session.model("tuned").adapter == "tuned"
    assert session.model(base) is not tuned
    assert session.model(base).adapter is None


def test_runs_on_an_adapter_name_the_run_that_made_it(session: Session, base: str) -> None:
    made = next(Path(session.settings.models_dir, "tuned").iterdir()).name
    session.load(base, adapter="tuned", name="with", quant="none")
    assert session.prompt("The quick", model="with", max_tokens=1).run.parents == [made]


def test_an_adapter_goes_on_the_weights_it_was_trained_on(
    session: Session, base: str, tmp_path: Path
) -> None:
    rows = [{"x": "fox", "y": "dog"}] * 4
    learn = "user:\n{{ x }}\nassistant:\n{{ y }}"
    options: dict[str, Any] = {"data": rows, "epochs": 1, "lr": 0.01}
    session.load(base, name="base", quant="none", dtype="float32")
    first = session.finetune(learn, base="base", name="whole", method="full", **options)
    session.finetune(learn, base="whole", name="upon", **options)
    asked = [session.model("upon").encode([Turn("user", "fox")])]
    expected = dict(session.model("upon").choose(asked, [[5, 6], [7, 8]]))
    second = session.finetune(
        learn, base="base", name="whole", method="full", **{**options, "lr": 0.02}
    )
    session.unload(everything=True)
    upon = session.load("upon", quant="none", dtype="float32")
    assert dict(upon.choose(asked, [[5, 6], [7, 8]]))[0] == pytest.approx(expected[0], abs=1e-4)
    shutil.rmtree(first.folder)
    session.unload(everything=True)
    with pytest.raises(ModelNotFoundError, match=f"No run .* made 'whole'.*{second.folder.name}"):
        session.load("upon")


def test_an_adapter_of_other_weights_of_tiny_says_so(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.load("tiny")
    rows = [{"x": "fox", "y": "dog"}] * 4
    made = session.finetune("user:\n{{ x }}\nassistant:\n{{ y }}", data=rows, name="mine", epochs=1)
    assert not any("another version" in each for each in session.load("mine").notices)
    file = made.folder / "fmagic.json"
    file.write_text(file.read_text().replace(weights_digest(), "0" * 12))
    assert any("another version of fmagic" in each for each in session.load("mine").notices)


def test_an_adapter_that_does_not_fit_leaves_the_base_alone(
    session: Session, base: str, tmp_path: Path, checkpoints: Checkpoints
) -> None:
    other = make_adapter(checkpoints("llama", hidden_size=128), tmp_path / "other")
    plain = session.load(base, name="base", quant="none")
    before = states(plain)
    modules = [type(each) for each in plain.module.modules()]
    with pytest.raises(ModelError, match="does not fit"):
        session.load(base, name="odd", adapter=other)
    assert [type(each) for each in plain.module.modules()] == modules
    assert same(states(plain), before)
    assert list(session.by_name) == ["base"]


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_tuning_the_base_again(method: str, session: Session, base: str) -> None:
    plain = session.load(base, name="base", quant=method)
    tuned = session.load("tuned")
    # As at a first pass, which may pack the weights and round their scales.
    before, expected = states(plain), states(tuned)
    rows = [{"text": "red", "label": "yes"}, {"text": "blue", "label": "no"}] * 4
    session.finetune(
        "user:\n{{ text }}\nassistant:\n{{ label }}", data=rows, name="second", base="base"
    )
    second = session.model("second")
    assert places(plain) <= places(second)
    assert same(states(plain), before)
    assert same(states(tuned), expected)
    assert not same(states(second), before)
