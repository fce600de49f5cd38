"""Tab in the cells of fmagic, without a kernel; one test asks a real shell."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell

from fmagic.completion import complete, register
from fmagic.drive import Script
from fmagic.models.precision import BYTES
from fmagic.models.quant import methods
from fmagic.results import Answers
from fmagic.session import Session
from fmagic.settings import Fmagic

if TYPE_CHECKING:
    from pathlib import Path

FRAME = pd.DataFrame({"text": ["a"], "label": ["b"]})


class Variables(Script):
    """A front with a user's variables."""

    def variables(self) -> dict[str, object]:
        return {"reviews": FRAME, "rows": [{"title": "x"}], "word": "x", "pandas": pd, "f": len}


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.csv").write_text("a\n")
    (tmp_path / "notes.txt").write_text("a\n")
    session = Session(
        Fmagic(journal_dir=str(tmp_path / "journal"), models_dir=str(tmp_path / "models")),
        Variables(),
    )
    session.save_template("stars", "user:\nHow many stars?\n")
    session.log.begin("evaluate", seed=3).finish()
    session.log.annotate(session.log.session()[-1], add=["baseline"])
    return session


def offered(session: Session, cell: str) -> list[str]:
    """Return what is offered where the bar stands."""
    before, _, after = cell.partition("|")
    lines = before.split("\n")
    start, texts = complete(before + after, len(lines) - 1, len(lines[-1]), lambda: session)
    return [lines[-1][:start] + text for text in texts]


@pytest.mark.parametrize(
    ("cell", "some"),
    [
        ("%%prompt --max|", ["%%prompt --max-tokens"]),
        ("%%prompt --da|ta reviews\nhello", ["%%prompt --data"]),
        ("%%prompt --data re|", ["%%prompt --data reviews"]),
        ("%%prompt --data=tr|", ["%%prompt --data=train.csv"]),
        ("%%prompt --data |", ["%%prompt --data reviews", "%%prompt --data rows",
                               "%%prompt --data train.csv"]),
        ("%%prompt --template |", ["%%prompt --template stars"]),
        ("%%prompt --model ti|", ["%%prompt --model tiny"]),
        ("%%finetune --method q|", ["%%finetune --method qlora"]),
        ("%%prompt --on-missing |", ["%%prompt --on-missing error", "%%prompt --on-missing skip",
                                     "%%prompt --on-missing keep"]),
        ("%model ti|", ["%model tiny"]),
        ("%model tiny --quant n|", ["%model tiny --quant none", "%model tiny --quant nf4"]),
        ("x = 1\n%model ti|", ["%model tiny"]),
        ("%runs e|", ["%runs export"]),
        ("%runs export m|", ["%runs export markdown", "%runs export mlflow"]),
        ("%runs --kind |", ["%runs --kind evaluate"]),
        ("%runs --tag b|", ["%runs --tag baseline"]),
        ("%%prompt\nsy|", ["system:"]),
        ("%%evaluate --data reviews\nuser:\n{{ la|", ["{{ label"]),
        ("%%prompt --data rows\n{{ t|", ["{{ title"]),
        ("%%prompt\n{% if w|", ["{% if word"]),
        ("%%prompt\n{{ word }} and {{\n  wo| }}", ["  word"]),
    ],
)  # fmt: skip
def test_what_is_offered(session: Session, cell: str, some: list[str]) -> None:
    assert offered(session, cell) == some


@pytest.mark.parametrize(
    ("data", "column"),
    [("lists", "name"), ("scored", "text"), ("scored.frame", "text"), ("'table.csv'", "city")],
)
def test_columns_are_known_of_every_kind_of_table(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: str, column: str
) -> None:
    (tmp_path / "table.csv").write_text("city,year\nBari,1990\n")
    tables = {"lists": {"name": ["x"]}, "scored": Answers(session.log.session()[-1], FRAME, [])}
    monkeypatch.setattr(session.front, "variables", lambda: tables)
    cell = f"%%prompt --data {data}\n{{{{ {column[:2]}|"
    assert offered(session, cell) == [f"{{{{ {column}"]


def test_a_class_of_tables_is_no_table(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    tables = {
        "Dataset": datasets.Dataset,
        "DataFrame": pd.DataFrame,
        "odd": SimpleNamespace(columns=3),
        "reviews": {"text": ["x"]},
    }
    monkeypatch.setattr(session.front, "variables", lambda: tables)
    assert offered(session, "%%prompt --data re|") == ["%%prompt --data reviews"]


def test_quantizations_and_number_types_are_those_that_there_are(session: Session) -> None:
    assert offered(session, "%model tiny --quant |") == [
        f"%model tiny --quant {name}" for name in dict.fromkeys(["auto", "none", *methods()])
    ]
    assert offered(session, "%model tiny --dtype |") == [
        f"%model tiny --dtype {name}" for name in ("auto", *BYTES)
    ]


def test_what_is_offered_is_known_without_torch() -> None:
    code = (
        "import sys; from fmagic.completion import complete; from fmagic.session import Session; "
        "lines = ['%model tiny --quant n', '%model tiny --dtype b']; "
        "print(*[complete(line, 0, len(line), Session)[1] for line in lines]); "
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["['none', 'nf4'] ['bfloat16']", "False"]


@pytest.mark.parametrize(
    "cell",
    [
        "%%prompt\nplain tex|",
        "%%prompt\n{{ word }} wor|",
        "%%prompt\n|",
        "%%embed\nsys|",
        "%%timeit --da|",
        "import o|",
        "%prompt Say ti|",
        "%%prompt --max-tokens 5 wo|",
    ],
)
def test_where_nothing_is_offered(session: Session, cell: str) -> None:
    assert offered(session, cell) == []


def test_modules_and_functions_are_no_values_of_a_template(session: Session) -> None:
    assert offered(session, "%%prompt\n{{ |") == ["{{ reviews", "{{ rows", "{{ word"]


def test_an_id_of_a_run(session: Session) -> None:
    short = session.log.session()[-1].short_id
    assert offered(session, "%runs show |") == [f"%runs show {short}"]
    assert offered(session, f"%runs diff {short} |") == [f"%runs diff {short} {short}"]


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("%%prompt --max|", "--max-tokens"),
        ("%%prompt --data=re|", "reviews"),
        ("%%evaluate --data reviews\nuser:\n{{ la|", "label"),
        ("%%prompt\nass|", "assistant:"),
    ],
)
def test_a_real_shell_asks_once(session: Session, cell: str, text: str) -> None:
    shell = InteractiveShell()  # type: ignore[no-untyped-call]  # IPython has it without types
    for _ in range(2):
        register(shell, lambda: session)
    before = cell.partition("|")[0]
    with provisionalcompleter():
        found: list[Any] = list(shell.Completer.completions(before, len(before)))
    assert [each.text for each in found] == [text]
    whole = before[: found[0].start] + found[0].text + before[found[0].end :]
    assert whole.startswith(before)
    assert whole.endswith(text)
