from __future__ import annotations

import pytest

from fmagic.errors import LogError
from fmagic.runs.rerun import again
from tests.runs.samples import made


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("%%prompt\nHello", "%%prompt --model tiny --seed 7\nHello"),
        ("%%prompt --seed 1 --data d\nHi", "%%prompt --model tiny --seed 1 --data d\nHi"),
        ("%%prompt --model=x\nHi", "%%prompt --seed 7 --model=x\nHi"),
        ("%prompt Say --modelling", "%prompt --model tiny --seed 7 Say --modelling"),
        ("fm.prompt('hi')", "fm.prompt('hi')"),
        (
            "%load_ext fmagic\nx = %prompt Hi",
            "%load_ext fmagic\nx = %prompt --model tiny --seed 7 Hi",
        ),
        ("%model tiny\n%prompt a\n%prompt b", "%model tiny\n%prompt a\n%prompt b"),
        ("%%time\n%prompt a", "%%time\n%prompt a"),
        (
            "%%prompt\nWhat does\n%prompt x\ndo?",
            "%%prompt --model tiny --seed 7\nWhat does\n%prompt x\ndo?",
        ),
    ],
)
def test_the_cell_with_model_and_seed(source: str, expected: str) -> None:
    assert again(made(1, cell={"source": source}, seed=7, model={"name": "tiny"})) == expected


@pytest.mark.parametrize(
    ("model", "parents", "named"),
    [
        ({"name": "d", "revision": "0191", "adapter": "d"}, ["0191"], "--model d@0191 "),
        ({"name": "whole", "revision": "0191"}, ["0191"], "--model whole@0191 "),
        ({"name": "tiny", "adapter": "d"}, ["0191"], "--model d@0191 "),
        ({"name": "tiny", "adapter": "foreign"}, [], ""),
        ({"name": "org/name", "revision": "abc"}, [], "--model org/name "),
    ],
)
def test_the_very_model_is_named(model: dict[str, str], parents: list[str], named: str) -> None:
    run = made(1, cell={"source": "%prompt Hi"}, model=model, parents=parents)
    assert again(run) == f"%prompt {named}Hi"


def test_a_name_with_a_space_is_quoted() -> None:
    run = made(1, cell={"source": "%%prompt\nx"}, model={"name": "my model"})
    assert again(run) == "%%prompt --model 'my model'\nx"


def test_cells_that_were_not_kept() -> None:
    with pytest.raises(LogError, match="outside of a notebook"):
        again(made(1))
    long = made(1, cell={"source": "%%prompt\n" + "x" * 100_000}).sealed()
    with pytest.raises(LogError, match="cut"):
        again(long)
