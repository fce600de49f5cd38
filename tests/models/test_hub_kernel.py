"""`%model org/name` in a real kernel, whose hub is the stand-in in all its moods."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.hub import Hub
from tests.support.kernel import Kernel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.checkpoints import Checkpoints

pytestmark = pytest.mark.slow

WEIGHTS = "model.safetensors"
TOKEN = "hf_theTokenOfThisKernel"


@pytest.fixture(scope="module")
def server() -> Iterator[Hub]:
    with Hub() as hub:
        yield hub


@pytest.fixture(scope="module")
def kernel(server: Hub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    folder = tmp_path_factory.mktemp("notebook")
    server.tokens[TOKEN] = set()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_ENDPOINT", server.url)
        patch.setenv("HF_HOME", str(folder / "home"))
        patch.setenv("HF_HUB_OFFLINE", "0")
        patch.setenv("FMAGIC_JOURNAL_DIR", str(folder / "journal"))
        patch.delenv("HF_TOKEN", raising=False)
        kernel = Kernel(folder)
    cell = kernel("%load_ext fmagic\n%config Fmagic.update_seconds = 0.02")
    assert cell.error is None, cell
    yield kernel
    kernel.close()


@pytest.fixture
def hub(server: Hub) -> Iterator[Hub]:
    yield server
    server.moods.clear()
    server.asked.clear()
    server.release.clear()
    server.flowing.clear()


def fails(kernel: Kernel, code: str, error: str, *words: str) -> str:
    cell = kernel(code)
    assert cell.error == error, cell
    assert "\n".join(cell.traceback) == f"{error}: {cell.message}"
    assert len(cell.message.splitlines()) <= 3
    assert TOKEN not in cell.text + cell.message
    for word in words:
        assert word in cell.message, cell.message
    return cell.text


def progress(message: dict[str, Any]) -> str:
    if message["msg_type"] not in ("display_data", "update_display_data"):
        return ""
    return str(message["content"]["data"].get("text/plain", ""))


def test_a_download_shows_one_bar_that_becomes_one_line(
    kernel: Kernel, hub: Hub, checkpoints: Checkpoints
) -> None:
    commit = hub.add("org/good", checkpoints("llama"), tags=("v1",))
    hub.misbehave("slow", WEIGHTS, times=1)
    seen: list[str] = []

    def watch(message: dict[str, Any]) -> bool:
        seen.append(progress(message))
        # The half is there: the rest comes once that was seen.
        if " left" in seen[-1]:
            hub.release.set()
        return False

    cell = kernel("%model org/good --revision v1", stop_when=watch)
    assert cell.error is None, cell
    bars = [each for each in seen if each.startswith("Fetching org/good [")]
    shape = r"Fetching org/good \[#* *\] \d+% [\d.]+ k?B of \d+ kB(, [\d.]+ [kM]?B/s, .* left)?"
    assert all(re.fullmatch(shape, each) for each in bars[:-1]), seen
    assert any(" left" in each for each in bars)
    assert re.fullmatch(
        r"Fetched org/good: \d+ kB in [\d.]+ m?s\.", cell.outputs[0]["text/plain"]
    ), cell
    assert cell.streams == ""
    cell = kernel("%%prompt --max-tokens 3\nhello")
    assert cell.error is None, cell
    assert cell.run()["model"]["revision"] == commit
    assert "Fetched" not in kernel("%model org/good").text  # main is the same commit
    before = len(hub.asked)
    assert kernel("%model org/good --revision v1").error is None
    assert len(hub.asked) == before
    assert kernel.value("__import__('os').listdir(__import__('os').environ['HF_HOME'])") == ["hub"]


def test_what_cannot_run_here_is_refused_before_its_weights_come(
    kernel: Kernel, hub: Hub, checkpoints: Checkpoints
) -> None:
    folder = checkpoints("llama")
    config = json.loads((folder / "config.json").read_text("utf-8"))
    wide = {"hidden_size": 32_768, "intermediate_size": 131_072, "num_hidden_layers": 400}
    code = {"auto_map": {"AutoModelForCausalLM": "own.Model"}, "model_type": "own"}
    strange = {"model_type": "from-the-future", "architectures": ["FutureForCausalLM"]}
    for name, changes, error, words in (
        ("huge", wide, "OutOfMemoryError", "does not fit on"),
        ("code", code, "UnsafeModelError", "add --trust-remote-code"),
        ("strange", strange, "UnsuitableModelError", "pip install -U transformers"),
    ):
        changed = {"config.json": json.dumps({**config, **changes}).encode()}
        hub.add(f"org/{name}", folder, files=changed)
        fails(kernel, f"%model org/{name}", error, f"org/{name}", words)
    assert not [each for each in hub.asked if WEIGHTS in each.path]
    assert "org/huge" not in kernel("%models --cached").text


def test_stop_and_again(kernel: Kernel, hub: Hub, checkpoints: Checkpoints) -> None:
    hub.add("org/stopped", checkpoints("llama"))
    hub.misbehave("stall", WEIGHTS)

    def half(message: dict[str, Any]) -> bool:
        return " left" in progress(message)

    cell = kernel("%model org/stopped", stop_when=half)
    assert cell.error == "Interrupted", cell
    assert "are kept. Run the cell again to go on." in cell.message
    assert cell.interrupted_after is not None
    assert "are on this disk" in cell.text
    hub.moods.clear()
    cell = kernel("%model org/stopped")
    assert cell.error is None, cell
    assert "were here already." in cell.text


def test_moods(kernel: Kernel, hub: Hub, checkpoints: Checkpoints) -> None:
    folder = checkpoints("llama")
    hub.add("org/gated", folder, gated=True)
    hub.add("org/small-one", folder)
    fails(kernel, "%model org/gated", "GatedModelError", "hf auth login", "Accept its terms")
    fails(kernel, "%model org/smal-one", "ModelNotFoundError", "Did you mean 'org/small-one'")
    fails(kernel, "%model org/small-one --revision v9", "ModelNotFoundError", "v9", "It has main.")
    fails(kernel, "%model tiny --revision v9", "OptionError", "--revision")
    hub.misbehave("corrupt", WEIGHTS)
    text = fails(kernel, "%model org/small-one", "DownloadError", f"{WEIGHTS} of org/small-one")
    assert "are on this disk" in text
    hub.moods.clear()
    hub.refuse(429, Retry_After="90")
    fails(kernel, "%model org/small-one", "DownloadError", "in 1 min 30 s")
    hub.moods.clear()
    hub.refuse(500)
    fails(kernel, "%model org/small-one", "DownloadError", "500 Internal Server Error")


def test_tokens(kernel: Kernel, hub: Hub, checkpoints: Checkpoints) -> None:
    hub.add("org/closed", checkpoints("llama"), gated=True)
    folder = Path(kernel.value("__import__('os').getcwd()"))
    for token in (TOKEN, TOKEN + "x"):
        (folder / "token").write_text(token)
        kernel("import os; os.environ['HF_TOKEN'] = open('token').read()")
        said = "has no access" if token == TOKEN else "in HF_TOKEN is not accepted"
        fails(kernel, "%model org/closed", "GatedModelError", said)
    # The stack that the notebook keeps knows no token.
    cell = kernel(
        "import sys, traceback\n"
        "print(''.join(traceback.TracebackException.from_exception("
        "sys.last_value, capture_locals=True).format()))"
    )
    assert "GatedModelError" in cell.streams
    assert TOKEN not in cell.streams
    kernel("del os.environ['HF_TOKEN']")


def test_no_network(kernel: Kernel, hub: Hub, checkpoints: Checkpoints) -> None:
    hub.add("org/here", checkpoints("llama"))
    assert kernel("%model org/here").error is None
    kernel("from huggingface_hub import constants; constants.ENDPOINT = 'http://127.0.0.1:9'")
    fails(kernel, "%model org/far", "OfflineError", "cannot be reached", "hf download org/far")
    kernel("constants.HF_HUB_OFFLINE = True")
    fails(kernel, "%model org/far", "OfflineError", "switched off", "hf download org/far")
    cell = kernel("%model org/here")
    assert cell.error is None, cell
    kernel(f"constants.HF_HUB_OFFLINE = False; constants.ENDPOINT = {hub.url!r}")
