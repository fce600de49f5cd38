"""Stop, in a real kernel: at once, what was done is kept, the next cell works."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.kernel import Cell, Kernel

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

ROWS = 10_000


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    folder = tmp_path_factory.mktemp("notebook")
    kernel = Kernel(folder)
    cell = kernel(f"""
import os
os.environ["FMAGIC_MODELS_DIR"] = {str(folder / "models")!r}
os.environ["FMAGIC_JOURNAL_DIR"] = {str(folder / "journal")!r}
%load_ext fmagic
%model tiny
import pandas as pd
table = pd.DataFrame({{"text": [f"The kettle number {{i}} is fine" for i in range({ROWS})],
                      "label": ["positive", "negative"] * {ROWS // 2}}})
""")
    assert cell.error is None, cell
    yield kernel
    kernel.close()


def after_updates(count: int) -> Any:
    seen = 0

    def enough(message: dict[str, Any]) -> bool:
        nonlocal seen
        seen += message["msg_type"] in ("display_data", "update_display_data")
        return seen >= count

    return enough


def learning(message: dict[str, Any]) -> bool:
    return "loss" in str(message["content"].get("data", {}).get("text/plain", ""))


def stopped(kernel: Kernel, code: str, when: Any = None) -> Cell:
    cell = kernel(code, stop_when=when or after_updates(2))
    assert cell.error == "Interrupted", cell
    assert cell.run()["status"] == "interrupted"
    assert kernel("%prompt --max-tokens 3 Is this review good?\n").error is None
    return cell


def test_a_table_keeps_what_was_done(kernel: Kernel) -> None:
    stopped(kernel, "%%prompt --data table --max-tokens 4 -o part\nuser:\n{{ text }}")
    done = kernel.value("int(part.frame['answer'].notna().sum())")
    assert 0 < done < ROWS
    assert kernel.value("len(part.frame)") == ROWS


def test_a_streaming_answer_keeps_its_text(kernel: Kernel) -> None:
    body = "%%prompt --max-tokens 900 -o part\nuser:\nRepeat this list. " + "red blue green " * 30
    cell = kernel(
        "import fmagic.models.language as _l\n"
        "_l.LanguageModel.end_tokens = frozenset()\n"  # so that the answer is long enough to stop
        "%unload --all\n%model tiny"
    )
    assert cell.error is None, cell
    stopped(kernel, body)
    assert kernel.value("part.text")


def test_embedding(kernel: Kernel) -> None:
    stopped(kernel, "%embed --data table --text text -o part")
    assert kernel.value("int((part.vectors == part.vectors).all(axis=1).sum())") < ROWS


def test_training_saves_the_best_so_far(kernel: Kernel) -> None:
    body = "user:\n{{ text }}\nassistant:\n{{ label }}"
    stopped(kernel, f"%%finetune --data table --as part-tuned\n{body}", when=learning)
    assert kernel("%%prompt --model part-tuned --max-tokens 3\nhello").error is None
