"""Each bad input in a real kernel: one clear message, a failed cell, everything else intact."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.support.kernel import Kernel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.checkpoints import Checkpoints

pytestmark = pytest.mark.slow

LABEL = "system:\nYou label product reviews.\nuser:\n{{ text }}\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("notebook")


@pytest.fixture(scope="module")
def kernel(folder: Path, checkpoints: Checkpoints) -> Iterator[Kernel]:
    kernel = Kernel(folder)
    setup = f"""
import os
os.environ["FMAGIC_MODELS_DIR"] = {str(folder / "models")!r}
os.environ["FMAGIC_JOURNAL_DIR"] = {str(folder / "journal")!r}
os.environ["FMAGIC_CACHE_DIR"] = {str(folder / "cache")!r}
os.environ["HF_HUB_CACHE"] = {str(folder / "hub")!r}
%load_ext fmagic
%model tiny
import pandas as pd
reviews = pd.DataFrame({{"text": ["I love it", "It broke at once"], "label": ["positive", "negative"]}})
holes = pd.DataFrame({{"text": ["good", None, float("nan")], "label": ["positive"] * 3}})
"""
    cell = kernel(setup)
    assert cell.error is None, cell
    yield kernel
    kernel.close()


@pytest.fixture(autouse=True)
def _intact(kernel: Kernel) -> Iterator[None]:
    """After each bad input the loaded model still answers."""
    yield
    cell = kernel(f"%%prompt --max-tokens 4\n{LABEL.replace('{{ text }}', 'I love it')}")
    assert cell.error is None, cell
    assert cell.run()["status"] == "ok"


def fails(kernel: Kernel, code: str, error: str, *words: str) -> str:
    cell = kernel(code)
    assert cell.error == error, cell
    shown = "\n".join(cell.traceback)
    assert shown == f"{error}: {cell.message}"
    assert len(shown.splitlines()) <= 4
    for word in words:
        assert word in cell.message, cell.message
    return cell.message


@pytest.mark.parametrize(
    ("code", "error", "words"),
    [
        ("%%prompt --max-tokns 5\nhello", "OptionError", ["--max-tokns", "--max-tokens"]),
        ("%%prompt --max-tokens many\nhello", "OptionError", ["--max-tokens", "many"]),
        ("%%prompt --max-tokens 0\nhello", "OptionError", ["at least 1"]),
        ("%%prompt --choices a\nhello", "OptionError", ["two"]),
        ("%model tyni", "ModelNotFoundError", ["'tiny'"]),
        ("%model ./nowhere", "ModelNotFoundError", ["nowhere"]),
        ("%model some-org/some-model", "OfflineError", ["hf download some-org/some-model"]),
        ("%model tiny --quant nf5", "OptionError", ["nf4"]),
        ("%model tiny --device gpu", "OptionError", ["cuda"]),
        ("%model tiny --revision v2", "OptionError", ["revision"]),
        ("%models --task txt-generation", "OptionError", ["'text-generation'"]),
        ("%models --license opne", "OptionError", ["'open'"]),
        ("%models --tune loar", "OptionError", ["'lora'"]),
        ("%models --max-size large", "OptionError", ["3B", "5GB"]),
        ("%models llama --hub", "OfflineError", ["%models"]),
        ("%pick qwen", "OptionError", ["qwen"]),
        ("%unload tyni", "ModelNotFoundError", ["'tiny'"]),
        ("%%prompt\n{{ txet }}", "TemplateError", ["txet"]),
        ("%%prompt --data reviews\n{{ txet }}", "TemplateError", ["txet", "'text'"]),
        ("%%prompt --data reviews\nLabel {text}", "TemplateError", ["no column", "{{ text }}"]),
        ("%%prompt\nsystem: Be kind.\nuser: hi", "TemplateError", ["line 1", "alone on its line"]),
        ("%prompt hello --max-tokens 2", "OptionError", ["--max-tokens 2 stands after the text"]),
        ("%%prompt --data https://a.b/c.csv\n{{ x }}", "DataError", ["address", "read_csv"]),
        ("%%prompt\n  \n", "TemplateError", ["empty"]),
        ("%%prompt\n    user:\n    hello", "TemplateError", ["Line 1", "indented", "user:"]),
        ("%%prompt\nUser:\nhello", "TemplateError", ["Line 1", "capital", "user:"]),
        ("%evaluate --data reviews", "TemplateError", ["empty"]),
        ("%%prompt\n{{ text }", "TemplateError", ["Line 1"]),
        ("%%prompt\n{% if text %}", "TemplateError", ["Line 1", "endif"]),
        ("%prompt --template nothing", "TemplateError", ["nothing", "--save"]),
        ("%%prompt --data reviws\n{{ text }}", "DataError", ["reviws", "'reviews'"]),
        ("%%prompt --data nowhere.csv\n{{ text }}", "DataError", ["nowhere.csv"]),
        ("%%prompt --data holes\n{{ text }}", "DataError", ["2", "text"]),
        ("%%prompt --data reviews.nothing\n{{ text }}", "DataError", ["reviews", "nothing"]),
        ("%%prompt -o 2x\nhello", "OptionError", ["2x"]),
        ("%%prompt --data reviews -o reviews\n{{ text }}", "OptionError", ["replace", "--data"]),
        ("%%evaluate --data reviews\n{{ text }}", "TemplateError", ["assistant:"]),
        (
            "%%evaluate --data reviews\nuser:\n{{ text }}\nassistant: {{ label }}",
            "TemplateError",
            ["line 3", "alone on its line"],
        ),
        (
            "%%evaluate --data reviews\nuser:\n    {{ text }}\n    assistant:\n    {{ label }}",
            "TemplateError",
            ["line 3", "indented"],
        ),
        ("%%evaluate\n{{ text }}", "OptionError", ["--data"]),
        ("%%finetune --data reviews --as x\n{{ text }}", "TemplateError", ["assistant:"]),
        (
            "%%finetune --data reviews --eval holes --as x\nuser:\n{{ text }}\nassistant:\n{{ label }}",
            "DataError",
            ["holes.dropna"],
        ),
        ("%%finetune --data reviews\nuser:\na\nassistant:\nb", "OptionError", ["--as"]),
        ("%%embed\n \n", "DataError", ["text"]),
        ("%embed --data reviews", "DataError", ["--text"]),
        ("%embed --data holes --text text", "DataError", ["holes.dropna"]),
        ("%%embed --text text\na\nb", "DataError", ["--data"]),
        ("%embed --data reviews --text txet", "DataError", ["txet", "'text'"]),
        ("%runs show 00000000", "LogError", ["00000000"]),
        ("%runs shwo", "OptionError", ["shwo"]),
    ],
)
def test_one_clear_message(kernel: Kernel, code: str, error: str, words: list[str]) -> None:
    fails(kernel, code, error, *words)


def test_a_cell_without_a_body(kernel: Kernel) -> None:
    # IPython itself refuses it, with a line on the error stream.
    cell = kernel("%%prompt\n")
    assert cell.error == "UsageError"
    assert "empty" in cell.message


def test_zero_rows(kernel: Kernel) -> None:
    kernel("none = reviews.head(0)")
    fails(kernel, f"%%prompt --data none\n{LABEL}", "DataError", "none", "rows")


def test_missing_cells_can_be_skipped(kernel: Kernel) -> None:
    cell = kernel(
        f"%%prompt --data holes --on-missing skip --choices positive,negative -o kept\n{LABEL}"
    )
    assert cell.error is None, cell
    answers = kernel.value("[a if isinstance(a, str) else None for a in kept.frame['answer']]")
    assert answers[0] in ("positive", "negative")
    assert answers[1:] == [None, None]


def test_a_text_longer_than_the_context(kernel: Kernel) -> None:
    kernel("long_text = 'word ' * 5000")
    code = "%%prompt --max-tokens 3{}\nuser:\n{{{{ long_text }}}}"
    fails(kernel, code.format(""), "ContextLengthError", "tokens", "--truncate")
    cell = kernel(code.format(" --truncate"))
    assert cell.error is None, cell
    fails(kernel, "%%embed\n" + "word " * 5000, "ContextLengthError", "tokens", "--truncate")


def test_a_folder_that_is_no_model(kernel: Kernel, folder: Path) -> None:
    (folder / "empty").mkdir()
    (folder / "empty" / "notes.txt").write_text("nothing here")
    fails(kernel, "%model ./empty", "ModelNotFoundError", "config.json")


def test_a_checkpoint_of_pickles(kernel: Kernel, folder: Path, checkpoints: Checkpoints) -> None:
    import shutil

    import torch

    copy = folder / "pickled"
    shutil.copytree(checkpoints("llama"), copy)
    (copy / "model.safetensors").unlink()
    torch.save({}, copy / "pytorch_model.bin")
    fails(kernel, "%model ./pickled", "UnsafeModelError", "--allow-pickle")


def test_a_repository_that_wants_to_run_code(
    kernel: Kernel, folder: Path, checkpoints: Checkpoints
) -> None:
    import shutil

    copy = folder / "coded"
    shutil.copytree(checkpoints("llama"), copy)
    config = json.loads((copy / "config.json").read_text())
    config["model_type"] = "strange"
    config["architectures"] = ["StrangeForCausalLM"]
    config["auto_map"] = {"AutoModelForCausalLM": "modeling.StrangeForCausalLM"}
    (copy / "config.json").write_text(json.dumps(config))
    (copy / "modeling.py").write_text("open('ran', 'w').close()")
    fails(kernel, "%model ./coded", "UnsafeModelError", "--trust-remote-code")
    assert not (folder / "ran").exists()


def test_a_model_too_large_for_memory(kernel: Kernel) -> None:
    kernel("os.environ['FMAGIC_MEMORY_LIMIT'] = '1MB'")
    try:
        fails(kernel, "%model tiny --as big", "OutOfMemoryError", "free")
    finally:
        kernel("del os.environ['FMAGIC_MEMORY_LIMIT']")


def test_out_of_memory_in_the_middle(kernel: Kernel) -> None:
    kernel(
        "import resource\n"
        "many = [{'text': 'word ' * 1500}] * 128\n"
        "size = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "limits = resource.getrlimit(resource.RLIMIT_AS)\n"
        "resource.setrlimit(resource.RLIMIT_AS, (size + 300 * 2**20, limits[1]))\n"
        "%config Fmagic.batch_tokens = 1_000_000\n"
    )
    try:
        cell = kernel("%%prompt --data many --max-tokens 2\n{{ text }}")
        assert cell.error == "OutOfMemoryError", cell
        assert "free now" in cell.message
        assert "batch_tokens" in cell.message
        assert cell.run()["status"] == "error"
    finally:
        kernel(
            "resource.setrlimit(resource.RLIMIT_AS, limits)\n%config Fmagic.batch_tokens = 8192\n"
        )


def test_an_encoder_writes_no_text(kernel: Kernel, checkpoints: Checkpoints) -> None:
    encoder = checkpoints("bert")
    fails(kernel, f"%%prompt --model {encoder}\nhello", "UnsuitableModelError", "%%embed")
    cell = kernel(f"%%embed --model {encoder}\nthe fox\nthe dog")
    assert cell.error is None, cell
    kernel(f"%unload {encoder.name}")


def test_tuning_on_nothing(kernel: Kernel) -> None:
    kernel("blank = reviews.assign(label=''); single = reviews.head(1)")
    body = f"{LABEL}assistant:\n{{{{ label }}}}"
    fails(kernel, f"%%finetune --data blank --as blank\n{body}", "TrainingError")
    fails(kernel, f"%%finetune --data single --as single\n{body}", "TrainingError", "row")


def test_no_model(kernel: Kernel) -> None:
    kernel("%unload --all")
    try:
        fails(kernel, "%%prompt\nhello", "ModelNotFoundError", "%model tiny")
    finally:
        assert kernel("%model tiny").error is None


def test_a_question_is_a_prompt_and_no_look_up(kernel: Kernel) -> None:
    cell = kernel("%prompt --max-tokens 3 -o said What is the capital of France?\nsaid")
    assert cell.error is None, cell
    assert cell.run()["template"] == "What is the capital of France?"


def test_a_table_that_is_none(kernel: Kernel) -> None:
    kernel("gone = reviews.sort_values('text', inplace=True)")
    fails(kernel, f"%%prompt --data gone\n{LABEL}", "DataError", "gone is None")


def test_a_table_that_has_answers_already(kernel: Kernel) -> None:
    kernel("scored = reviews.assign(answer='')")
    fails(kernel, f"%%prompt --data scored\n{LABEL}", "DataError", "already has column 'answer'")


def test_a_hostile_card_is_shown_as_text(
    kernel: Kernel, folder: Path, checkpoints: Checkpoints
) -> None:
    model = shutil.copytree(checkpoints("llama", chat_template=True), folder / "hostile")
    (model / "README.md").write_text(
        "---\nlicense: other\nlicense_name: '<img src=x onerror=alert(1)>'\n"
        "license_link: javascript:alert(2)\n---\n"
    )
    cells = [kernel(f"%model {model} --as hostile"), kernel("%model"), kernel("%%prompt\nSay yes")]
    kernel("%unload hostile\n%model tiny")
    for cell in cells:
        assert cell.error is None, cell
        for output in cell.outputs:
            html = str(output.get("text/html", ""))
            assert "<img" not in html
            assert "javascript" not in html
    assert cells[2].run()["model"]["license"] == {
        "id": "<img-src=x-onerror=alert(1)>",
        "class": "unknown",
        "conditions": "not in fmagic's table; read it before you use it, on its card",
        "url": "",
    }
