from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import torch

from fmagic.errors import UnsuitableModelError
from fmagic.models.pooling import pool, read_pooling

if TYPE_CHECKING:
    from pathlib import Path

STATES = torch.tensor([[[1.0, 0.0], [0.0, 3.0], [9.0, 9.0]], [[0.0, 1.0], [4.0, 0.0], [2.0, 2.0]]])
MASK = torch.tensor([[1, 1, 0], [1, 1, 1]])


def unit(*numbers: float) -> list[float]:
    return torch.nn.functional.normalize(torch.tensor(numbers), dim=0).tolist()


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("mean", [unit(0.5, 1.5), unit(2.0, 1.0)]),
        ("cls", [unit(1.0, 0.0), unit(0.0, 1.0)]),
        ("last", [unit(0.0, 3.0), unit(2.0, 2.0)]),
        ("max", [unit(1.0, 3.0), unit(4.0, 2.0)]),
    ],
)
def test_padding_takes_no_part(mode: str, expected: list[list[float]]) -> None:
    vectors = pool(STATES, MASK, mode)  # type: ignore[arg-type]  # a mode of the table above
    assert vectors.tolist() == [pytest.approx(row, abs=1e-6) for row in expected]
    alone = pool(STATES[:1, :2], None, mode)  # type: ignore[arg-type]  # as above
    assert alone[0].tolist() == pytest.approx(expected[0], abs=1e-6)


def write(folder: Path, steps: list[str], pooling: dict[str, object]) -> None:
    modules = [
        {"type": f"sentence_transformers.models.{s}", "path": f"{i}_{s}"}
        for i, s in enumerate(steps)
    ]
    (folder / "modules.json").write_text(json.dumps(modules))
    for module in modules:
        (folder / module["path"]).mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))


@pytest.mark.parametrize(
    ("config", "mode"),
    [
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, "cls"),
        ({"pooling_mode_lasttoken": True}, "last"),
        ({"pooling_mode": "mean"}, "mean"),
        ({}, "mean"),
    ],
)
def test_the_files_say_the_mode(tmp_path: Path, config: dict[str, object], mode: str) -> None:
    write(tmp_path, ["Transformer", "Pooling", "Normalize"], config)
    (tmp_path / "sentence_bert_config.json").write_text('{"max_seq_length": 128}')
    pooling = read_pooling(tmp_path, default="mean")
    assert pooling.mode == mode
    assert pooling.longest == 128


def test_a_folder_without_the_files_gets_the_default(tmp_path: Path) -> None:
    assert read_pooling(tmp_path, default="last").mode == "last"


@pytest.mark.parametrize(
    ("name", "prompt"), [("query", "query: "), (None, ""), ("lost", ""), (3, "")]
)
def test_the_files_say_what_stands_before_a_text(tmp_path: Path, name: object, prompt: str) -> None:
    config = {"prompts": {"query": "query: "}, "default_prompt_name": name}
    (tmp_path / "config_sentence_transformers.json").write_text(json.dumps(config))
    assert read_pooling(tmp_path, default="mean").prompt == prompt


def test_steps_that_are_not_there_are_refused(tmp_path: Path) -> None:
    write(tmp_path, ["Transformer", "Pooling", "Dense"], {"pooling_mode": "mean"})
    with pytest.raises(UnsuitableModelError, match="Dense"):
        read_pooling(tmp_path, default="mean")


@pytest.mark.parametrize(
    "config",
    [
        {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": True},
        {"pooling_mode_weightedmean_tokens": True},
    ],
)
def test_poolings_that_are_not_there_are_refused(tmp_path: Path, config: dict[str, object]) -> None:
    write(tmp_path, ["Transformer", "Pooling"], config)
    with pytest.raises(UnsuitableModelError, match="pooling"):
        read_pooling(tmp_path, default="mean")
