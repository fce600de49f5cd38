"""Quantized copies: kept after the first load, read at the second, never wrong."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fmagic.errors import OptionError, OutOfMemoryError
from fmagic.models import copies, keeping, pruning
from fmagic.models.loader import load
from fmagic.models.probe import probe
from fmagic.models.reading import load_module
from fmagic.settings import Fmagic
from tests.support.checkpoints import make_adapter, make_checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.checkpoints import Checkpoints

METHODS = ("nf4", "int8")


@pytest.fixture(autouse=True)
def _small_ones_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "LEAST_PARAMETERS", 0)
    monkeypatch.setattr(keeping, "SPARE_DISK", 0)


@pytest.fixture
def settings(tmp_path: Path) -> Fmagic:
    return Fmagic(cache_dir=str(tmp_path / "cache"), device="cpu")


def states(model: Any) -> Any:
    import torch

    ids = torch.arange(1, 17)[None]
    inputs = {"input_ids": ids}
    if model.kind == "seq2seq":
        inputs["decoder_input_ids"] = ids
    with torch.inference_mode():
        return model.network(**inputs)[0]


def quantizes(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Return a list that grows by one with each load that quantizes."""
    from fmagic.models import assembly

    seen: list[bool] = []
    whole = load_module

    def counted(*args: Any, **kwargs: Any) -> Any:
        seen.append(True)
        return whole(*args, **kwargs)

    monkeypatch.setattr(assembly, "load_module", counted)
    return seen


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("architecture", "dtype"),
    [
        ("llama", "bfloat16"),
        ("mamba", "bfloat16"),
        ("t5", "float32"),
        *(
            pytest.param(each, "bfloat16", marks=pytest.mark.slow)
            for each in ("qwen3", "gpt2", "gpt_neox", "bloom", "phimoe", "bart", "bert")
        ),
    ],
)
def test_the_second_load_is_the_same_model(  # noqa: PLR0917 - the parameters above
    architecture: str,
    method: str,
    dtype: str,
    settings: Fmagic,
    checkpoints: Checkpoints,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import torch

    seen = quantizes(monkeypatch)
    folder = str(checkpoints(architecture))
    options: dict[str, Any] = {"quant": method, "dtype": dtype}
    bare = load(folder, settings=Fmagic(device="cpu", keep_quantized=False), **options)
    first = load(folder, settings=settings, **options)
    assert first.notices == bare.notices
    assert len(seen) == 2
    (copy,) = copies.listing(settings.cache_dir)
    second = load(folder, settings=settings, **options)
    assert len(seen) == 2
    expected = states(bare)
    for model in (first, second):
        assert torch.equal(states(model), expected)
        assert torch.equal(states(model), expected)  # also once weights are packed
        assert model.info() == bare.info()
        assert model.notices == bare.notices
        assert model.weight_bytes == bare.weight_bytes
        assert not model.module.training
        assert not any(each.requires_grad for each in model.module.parameters())
    assert (copy.method, copy.dtype, copy.parameters) == (method, dtype, first.parameters)


def test_it_writes_the_same(
    settings: Fmagic, checkpoints: Checkpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fmagic.models.sampling import Sampling

    folder = str(checkpoints("llama", chat_template=True))
    models: list[Any] = [load(folder, settings=settings, quant="nf4") for _ in range(2)]
    answers = []
    for model in models:
        prompts = [[5, 6, 7], [9, 8]]
        answers.append(list(model.run(prompts, Sampling(max_tokens=8))))
    assert answers[0] == answers[1]
    first, second = (each.network for each in models)
    assert first.generation_config.to_dict() == second.generation_config.to_dict()
    ours, theirs = first.config.to_dict(), second.config.to_dict()
    assert ours == theirs
    assert first.name_or_path == second.name_or_path


def test_what_a_copy_looks_like(settings: Fmagic, checkpoints: Checkpoints) -> None:
    folder = checkpoints("llama")
    before = datetime.now(UTC) - timedelta(seconds=5)
    load(str(folder), settings=settings, quant="nf4")
    root = copies.root_of(settings.cache_dir)
    (place,) = root.iterdir()
    assert {each.suffix for each in place.iterdir()} == {".json", ".safetensors"}
    assert stat.S_IMODE(root.stat().st_mode) == 0o700
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    assert {stat.S_IMODE(each.stat().st_mode) for each in place.iterdir()} == {0o600}
    for file in place.glob("*.json"):
        assert str(folder.parent) not in file.read_text()
    (copy,) = copies.listing(settings.cache_dir)
    assert copy.name == folder.name
    assert copy.bytes == sum(each.stat().st_size for each in place.iterdir())
    assert before < copy.made < datetime.now(UTC) + timedelta(seconds=5)
    assert set(copy.versions) == {"torch", "transformers", "bitsandbytes"}
    assert copy.is_current
    os.utime(place / copies.NOTE, (0, 0))
    load(str(folder), settings=settings, quant="nf4")
    assert copies.listing(settings.cache_dir)[0].used > before


def other_weights(folder: Path) -> None:
    """Change one weight and nothing that a folder shows: size, times and header stay."""
    from safetensors.torch import load_file, save_file

    file = folder / "model.safetensors"
    times = file.stat()
    weights = load_file(file)
    weights = {name: tensor + 1 for name, tensor in weights.items()}
    save_file(weights, file, metadata={"format": "pt"})
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))


def other_time(folder: Path) -> None:
    os.utime(folder / "model.safetensors")


def other_config(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "rms_norm_eps": 0.5}))


@pytest.mark.parametrize("change", [other_weights, other_time, other_config])
def test_a_model_that_changed_is_quantized_again(
    change: Callable[[Path], None], settings: Fmagic, tmp_path: Path, checkpoints: Checkpoints
) -> None:
    import torch

    folder = Path(shutil.copytree(checkpoints("llama"), tmp_path / "mine"))
    load(str(folder), settings=settings, quant="nf4")
    change(folder)
    bare = load(str(folder), settings=Fmagic(device="cpu", keep_quantized=False), quant="nf4")
    again = load(str(folder), settings=settings, quant="nf4")
    assert torch.equal(states(again), states(bare))
    assert len(copies.listing(settings.cache_dir)) == 2


def test_a_copy_is_of_one_method_dtype_and_version(
    settings: Fmagic, checkpoints: Checkpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = str(checkpoints("llama"))
    for method in METHODS:
        for dtype in ("float32", "bfloat16"):
            load(folder, settings=settings, quant=method, dtype=dtype)
    assert len(copies.listing(settings.cache_dir)) == 4
    installed = version
    monkeypatch.setattr(
        copies, "version", lambda name: "0.1" if name == "bitsandbytes" else installed(name)
    )
    load(folder, settings=settings, quant="nf4", dtype="float32")
    found = copies.listing(settings.cache_dir)
    assert len(found) == 5
    assert [copy.is_current for copy in found].count(False) == 4
    assert len(pruning.select(found)) == 4


def test_a_model_of_the_hub_is_known_by_its_commit(
    settings: Fmagic, hub_cache: Path, checkpoints: Checkpoints
) -> None:
    for commit in ("a" * 40, "b" * 40):
        root = hub_cache / "models--org--small"
        shutil.copytree(checkpoints("llama"), root / "snapshots" / commit)
        (root / "refs").mkdir(exist_ok=True)
        (root / "refs" / "main").write_text(commit)
        for _ in range(2):
            model = load("org/small", settings=settings, quant="nf4")
            assert model.revision == commit
    found = copies.listing(settings.cache_dir)
    assert {(copy.name, copy.revision) for copy in found} == {
        ("org/small", "a" * 40),
        ("org/small", "b" * 40),
    }


def test_none_is_kept(
    settings: Fmagic,
    tmp_path: Path,
    checkpoints: Checkpoints,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import torch

    from tests.support.checkpoints import make_model

    folder = checkpoints("llama")
    root = copies.root_of(settings.cache_dir)
    load(str(folder), settings=settings, quant="none")
    off = Fmagic(cache_dir=settings.cache_dir, device="cpu", keep_quantized=False)
    load(str(folder), settings=off, quant="nf4")
    pickled = Path(shutil.copytree(folder, tmp_path / "old"))
    (pickled / "model.safetensors").unlink()
    torch.save(make_model("llama").state_dict(), pickled / "pytorch_model.bin")
    load(str(pickled), settings=settings, quant="nf4", allow_pickle=True)
    monkeypatch.setattr(copies, "LEAST_PARAMETERS", 10_000_000)
    load(str(folder), settings=settings, quant="nf4")
    assert not root.exists()


def cut_off(place: Path) -> None:
    file = place / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-1000])


def flipped(place: Path) -> None:
    file = place / "model.safetensors"
    content = bytearray(file.read_bytes())
    content[-100] ^= 1
    file.write_bytes(content)


def no_weights(place: Path) -> None:
    (place / "model.safetensors").unlink()


def no_note(place: Path) -> None:
    (place / copies.NOTE).unlink()


def broken_note(place: Path) -> None:
    (place / copies.NOTE).write_text("[")


def foreign(place: Path) -> None:
    """Put a whole copy of another model in its place."""
    other = make_checkpoint(place.parents[2] / "other", "llama", hidden_size=128)
    cache = Fmagic(cache_dir=str(place.parents[2] / "elsewhere"), device="cpu")
    load(str(other), settings=cache, quant="nf4")
    (copy,) = copies.listing(cache.cache_dir)
    shutil.rmtree(place)
    shutil.copytree(copy.folder, place)


def not_a_number(place: Path) -> None:
    """Keep the note in step with weights that are wrong: what only transformers can notice."""
    from safetensors.torch import load_file, save_file

    weights = load_file(place / "model.safetensors")
    del weights["model.layers.0.mlp.up_proj.weight.absmax"]
    save_file(weights, place / "model.safetensors", metadata={"format": "pt"})
    note = json.loads((place / copies.NOTE).read_text())
    note["files"] = copies.checksum(place)
    (place / copies.NOTE).write_text(json.dumps(note))


@pytest.mark.parametrize(
    "damage", [cut_off, flipped, no_weights, no_note, broken_note, foreign, not_a_number]
)
def test_a_broken_copy_is_noticed_and_made_again(
    damage: Callable[[Path], None],
    settings: Fmagic,
    checkpoints: Checkpoints,
    capfd: pytest.CaptureFixture[str],
) -> None:
    import torch

    folder = str(checkpoints("llama"))
    first = load(folder, settings=settings, quant="nf4")
    (copy,) = copies.listing(settings.cache_dir)
    good = copies.checksum(copy.folder)
    damage(copy.folder)
    capfd.readouterr()
    second = load(folder, settings=settings, quant="nf4")
    assert "was broken" in second.notices[0]
    assert "made again" in second.notices[0]
    assert capfd.readouterr() == ("", "")
    assert torch.equal(states(second), states(first))
    assert copies.checksum(copy.folder) == good
    assert load(folder, settings=settings, quant="nf4").notices == ()


@pytest.mark.parametrize("method", METHODS)
def test_a_copy_that_differs_is_not_kept(
    method: str, settings: Fmagic, checkpoints: Checkpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch
    from transformers import PreTrainedModel

    honest = PreTrainedModel.save_pretrained

    def lossy(self: Any, folder: Path, **options: Any) -> None:
        from safetensors.torch import load_file, save_file

        honest(self, folder, **options)
        weights = load_file(folder / "model.safetensors")
        weights["model.layers.0.self_attn.q_proj.weight"][0] ^= 1
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})

    folder = str(checkpoints("llama"))
    bare = load(folder, settings=Fmagic(device="cpu", keep_quantized=False), quant=method)
    monkeypatch.setattr(PreTrainedModel, "save_pretrained", lossy)
    first = load(folder, settings=settings, quant=method)
    assert "not the same after reading it back" in first.notices[0]
    assert torch.equal(states(first), states(bare))
    assert copies.listing(settings.cache_dir) == []
    monkeypatch.setattr(PreTrainedModel, "save_pretrained", honest)
    # It is not tried again with the same versions, and not said again.
    assert load(folder, settings=settings, quant=method).notices == ()
    (mark,) = pruning.leftovers(settings.cache_dir)
    pruning.remove(mark)
    load(folder, settings=settings, quant=method)
    assert len(copies.listing(settings.cache_dir)) == 1


def test_other_logits_refuse_a_copy(
    settings: Fmagic, checkpoints: Checkpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = probe
    monkeypatch.setattr(keeping, "probe", lambda *args: honest(*args) + 1e-3)
    model = load(str(checkpoints("llama")), settings=settings, quant="nf4")
    assert "computes other numbers" in model.notices[0]
    assert copies.listing(settings.cache_dir) == []


def test_a_small_disk(
    settings: Fmagic, checkpoints: Checkpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "SPARE_DISK", 10**18)
    model = load(str(checkpoints("llama")), settings=settings, quant="nf4")
    assert "of disk, and" in model.notices[0]
    assert copies.listing(settings.cache_dir) == []


def test_a_cache_that_cannot_be_written(
    settings: Fmagic, checkpoints: Checkpoints, tmp_path: Path
) -> None:
    (tmp_path / "cache").write_text("a file where a folder should be")
    model = load(str(checkpoints("llama")), settings=settings, quant="nf4")
    assert "No quantized copy of small-llama is kept" in model.notices[0]


def test_short_memory_is_no_fault_of_a_copy(
    settings: Fmagic, checkpoints: Checkpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise MemoryError

    folder = str(checkpoints("llama"))
    honest = load_module
    monkeypatch.setattr(keeping, "load_module", fail)
    model = load(folder, settings=settings, quant="nf4")
    assert "memory ran out" in model.notices[0]
    monkeypatch.setattr(keeping, "load_module", honest)
    assert load(folder, settings=settings, quant="nf4").notices == ()
    monkeypatch.setattr(keeping, "load_module", fail)
    with pytest.raises(OutOfMemoryError):
        load(folder, settings=settings, quant="nf4")
    assert len(copies.listing(settings.cache_dir)) == 1


def test_stop_while_a_copy_is_written(
    settings: Fmagic, checkpoints: Checkpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(keeping, "_must_equal", stop)
        with pytest.raises(KeyboardInterrupt):
            load(str(checkpoints("llama")), settings=settings, quant="nf4")
    assert list(copies.root_of(settings.cache_dir).iterdir()) == []
    load(str(checkpoints("llama")), settings=settings, quant="nf4")
    assert len(copies.listing(settings.cache_dir)) == 1


def test_two_kernels_at_once(settings: Fmagic, checkpoints: Checkpoints) -> None:
    code = (
        "import sys\n"
        "from fmagic.models import copies, keeping\n"
        "from fmagic.models.loader import load\n"
        "from fmagic.settings import Fmagic\n"
        "copies.LEAST_PARAMETERS = keeping.SPARE_DISK = 0\n"
        "written = keeping._must_equal\n"
        "def wait(*args):\n"
        "    written(*args)\n"
        "    print('ready', flush=True)\n"
        "    sys.stdin.readline()\n"
        "keeping._must_equal = wait\n"
        "model = load(sys.argv[1], quant='nf4', settings=Fmagic(cache_dir=sys.argv[2]),"
        " device='cpu')\n"
        "print(model.notices)\n"
    )
    folder = str(checkpoints("llama"))
    kernels = [
        subprocess.Popen(
            [sys.executable, "-c", code, folder, settings.cache_dir],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        for _ in range(2)
    ]
    for each in kernels:
        assert each.stdout is not None
        assert each.stdout.readline() == "ready\n"  # both have a draft of their own
    for each in kernels:
        assert each.communicate("go\n")[0].strip() == "()"
    assert len(list(copies.root_of(settings.cache_dir).iterdir())) == 1
    assert load(folder, settings=settings, quant="nf4").notices == ()


@pytest.mark.parametrize("method", METHODS)
def test_an_adapter_on_a_copied_base(
    method: str, settings: Fmagic, tmp_path: Path, checkpoints: Checkpoints
) -> None:
    import torch

    base = checkpoints("llama")
    adapter = make_adapter(base, tmp_path / "lora")
    options: dict[str, Any] = {"quant": method, "adapter": adapter}
    bare = load(str(base), settings=Fmagic(device="cpu", keep_quantized=False), **options)
    for _ in range(2):
        model = load(str(base), settings=settings, **options)
        assert torch.equal(states(model), states(bare))
    assert len(copies.listing(settings.cache_dir)) == 1


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_tuning_and_unloading_on_a_copied_base(
    method: str, settings: Fmagic, tmp_path: Path, checkpoints: Checkpoints
) -> None:
    import weakref

    import torch

    from fmagic.session import Session

    settings.models_dir = str(tmp_path / "models")
    folder = str(checkpoints("llama", chat_template=True))
    rows = [{"text": "red", "label": "yes"}, {"text": "blue", "label": "no"}] * 4
    losses = []
    for _ in range(2):
        session = Session(settings=settings)
        session.load(folder, name="base", quant=method)
        before = states(session.model())
        done = session.finetune(
            "user:\n{{ text }}\nassistant:\n{{ label }}",
            data=rows,
            name="tuned",
            method="qlora",
            epochs=2,
        )
        losses.append(done.metrics)
        assert torch.equal(states(session.model("base")), before)
        assert not torch.equal(states(session.model("tuned")), before)
        gone = weakref.ref(session.model("base").module)
        session.unload(everything=True)
        assert gone() is None
    assert len(copies.listing(settings.cache_dir)) == 1
    assert losses[0]["loss"] == losses[1]["loss"]


def copy_of(name: str, days: float, count: int, **changes: Any) -> copies.Copy:
    moment = datetime.now(UTC) - timedelta(days=days)
    return copies.Copy(
        **{
            "folder": Path(f"{name.replace('/', '')}0123456789"),
            "name": name,
            "revision": None,
            "method": "nf4",
            "dtype": "bfloat16",
            "device": "cpu",
            "bytes": count,
            "parameters": 1,
            "made": moment,
            "used": moment,
            **changes,
        }
    )


SHELF = [
    copy_of("org/new", 1, 100),
    copy_of("org/old", 40, 200),
    copy_of("mine", 10, 400),
    copy_of("stale", 2, 800, versions={"torch": "0.1"}),
]


@pytest.mark.parametrize(
    ("options", "gone"),
    [
        ({}, ["stale"]),
        ({"everything": True}, ["org/new", "org/old", "mine", "stale"]),
        ({"names": ["org/new", "mine"]}, ["org/new", "mine"]),
        ({"names": ["new"]}, ["org/new"]),
        ({"names": ["orgold01"]}, ["org/old"]),
        ({"older_than": timedelta(days=30)}, ["org/old"]),
        ({"keep_bytes": 1300}, ["org/old"]),
        ({"keep_bytes": 1200}, ["org/old", "mine"]),
        ({"keep_bytes": 5000}, []),
        ({"keep_bytes": 0, "older_than": timedelta(days=30)}, ["org/old"]),
    ],
)
def test_which_copies_go(options: dict[str, Any], gone: list[str]) -> None:
    assert sorted(copy.name for copy in pruning.select(SHELF, **options)) == sorted(gone)


def test_copies_that_are_not_there() -> None:
    with pytest.raises(OptionError, match="Did you mean 'org/old'"):
        pruning.select(SHELF, names=["org/odl"])
    with pytest.raises(OptionError, match="--all removes every copy"):
        pruning.select(SHELF, names=["mine"], everything=True)


@pytest.mark.parametrize("text", ["30", "d", "-1d", "1.5d", "x", "", "99999999d", "1 year"])
def test_spans_that_are_none(text: str) -> None:
    with pytest.raises(OptionError, match="no span of time"):
        pruning.parse_span(text)


def test_spans() -> None:
    assert pruning.parse_span("30d") == timedelta(days=30)
    assert pruning.parse_span(" 2 W ") == timedelta(weeks=2)
    assert pruning.parse_span("90m") == timedelta(hours=1.5)


def test_leftovers(settings: Fmagic) -> None:
    root = copies.root_of(settings.cache_dir)
    assert pruning.leftovers(settings.cache_dir) == []
    fresh, old = root / ".being-written", root / ".of-a-killed-kernel"
    for each in (fresh, old):
        each.mkdir(parents=True)
        (each / "model.safetensors").write_bytes(b"x" * 1000)
    past = time.time() - 2 * pruning.ABANDONED
    os.utime(old, (past, past))
    assert pruning.leftovers(settings.cache_dir) == [old]
    assert copies.listing(settings.cache_dir) == []
    assert pruning.remove(old) == 1000
    assert pruning.remove(old) == 0
    assert fresh.is_dir()
