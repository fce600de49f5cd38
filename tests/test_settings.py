from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from traitlets import TraitError
from traitlets.config import Config

from fmagic.errors import OptionError
from fmagic.settings import FOLDER_VARIABLES, Fmagic

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def no_folder_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in FOLDER_VARIABLES.values():
        monkeypatch.delenv(name, raising=False)


def write(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")
    return folder


def test_defaults(tmp_path: Path) -> None:
    settings = Fmagic.from_pyproject(write(tmp_path, ""))
    assert settings.device is None
    assert (settings.quant, settings.max_tokens, settings.temperature) == ("auto", 256, 0.0)
    assert settings.models_dir == "fmagic-models"
    assert settings.journal_dir.endswith("journal")


def test_the_nearest_file_counts(tmp_path: Path) -> None:
    write(tmp_path, "[tool.fmagic]\nmax_tokens = 7\nquant = 'nf4'\n")
    inner = write(tmp_path / "a", "[tool.fmagic]\nmax_tokens = 9\n")
    below = inner / "b"
    below.mkdir()
    settings = Fmagic.from_pyproject(below)
    assert (settings.max_tokens, settings.quant) == (9, "auto")
    assert Fmagic.from_pyproject(tmp_path).quant == "nf4"


def test_what_the_user_sets_by_config_comes_after_the_project(tmp_path: Path) -> None:
    write(tmp_path, "[tool.fmagic]\nmax_tokens = 7\nseed = 3\n")
    config = Config({"Fmagic": {"max_tokens": 99}})
    settings = Fmagic.from_pyproject(tmp_path, config=config)
    assert (settings.max_tokens, settings.seed) == (99, 3)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ("max_token = 7", "no setting 'max_token'.*'max_tokens'"),
        ("max_tokens = 0", "max_tokens"),
        ("max_tokens = 'many'", "max_tokens"),
        ("top_p = 1.5", "top_p"),
        ("seed = ", "cannot be read"),
        ("config = 1", "no setting 'config'"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, table: str, says: str) -> None:
    with pytest.raises(OptionError, match=says):
        Fmagic.from_pyproject(write(tmp_path, f"[tool.fmagic]\n{table}\n"))


@pytest.mark.parametrize("text", ["[tool]\nfmagic = 3\n", "tool = 3\n"])
def test_a_table_that_is_none_is_named(tmp_path: Path, text: str) -> None:
    with pytest.raises(OptionError, match="table"):
        Fmagic.from_pyproject(write(tmp_path, text))


def test_a_file_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(OptionError, match="cannot be read"):
        Fmagic.from_pyproject(tmp_path)


@pytest.mark.parametrize(("trait", "variable"), list(FOLDER_VARIABLES.items()))
def test_folders_of_a_machine(
    trait: str, variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, str(tmp_path))
    assert getattr(Fmagic(), trait) == str(tmp_path)


def test_two_sessions_do_not_see_each_other() -> None:
    one, two = Fmagic(), Fmagic()
    one.max_tokens = 5
    assert two.max_tokens == 256
    with pytest.raises(TraitError):
        one.temperature = -1.0


def test_every_setting_has_its_help() -> None:
    traits = Fmagic.class_traits(config=True)
    assert len(traits) >= 10
    assert all(trait.help for trait in traits.values())
