"""What a user may write to name a model."""

import json
from pathlib import Path

import pytest

from fmagic.errors import ModelNotFoundError, OptionError
from fmagic.models.spec import known_names, near_names, parse_spec

OLDER, NEWER = "0198a000-0000-7000-8000-000000000001", "0198b000-0000-7000-8000-000000000002"


@pytest.fixture
def models_dir(tmp_path: Path) -> Path:
    """Where a model called `reviews` was tuned twice."""
    for run in (OLDER, NEWER):
        folder = tmp_path / "models" / "reviews" / run
        folder.mkdir(parents=True)
        (folder / "fmagic.json").write_text(json.dumps({"base": "tiny"}))
    return tmp_path / "models"


def model_folder(path: Path) -> Path:
    path.mkdir(parents=True)
    (path / "config.json").write_text("{}")
    return path


@pytest.mark.parametrize(
    ("text", "kind", "name", "revision"),
    [
        ("tiny", "tiny", "tiny", None),
        (" tiny ", "tiny", "tiny", None),
        ("Qwen/Qwen3-0.6B", "hub", "Qwen/Qwen3-0.6B", None),
        ("org/name@v1.0", "hub", "org/name", "v1.0"),
        ("org/name@refs/pr/3", "hub", "org/name", "refs/pr/3"),
        ("http://localhost:8000/v1#a/b", "remote", "http://localhost:8000/v1#a/b", None),
        ("http://localhost:8000/v1/#@a/b:c", "remote", "http://localhost:8000/v1#@a/b:c", None),
    ],
)
def test_names(text: str, kind: str, name: str, revision: str | None, models_dir: Path) -> None:
    spec = parse_spec(text, models_dir=models_dir)
    assert (spec.kind, spec.name, spec.revision) == (kind, name, revision)


@pytest.mark.parametrize("form", ["./{}", "{}", "../here/{}", "{}/", "'./{}'"])
def test_a_folder_with_a_model(
    form: str, tmp_path: Path, models_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model_folder(tmp_path / "here" / "my model")
    monkeypatch.chdir(tmp_path / "here")
    spec = parse_spec(form.format("my model"), models_dir=models_dir)
    assert (spec.kind, spec.name) == ("folder", "my model")
    assert spec.path is not None
    assert (spec.path / "config.json").is_file()


def test_an_absolute_folder_and_one_below_home(
    tmp_path: Path, models_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = model_folder(tmp_path / "a" / "b")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert parse_spec(str(folder), models_dir=models_dir).path == folder
    assert parse_spec("~/a/b", models_dir=models_dir).path == folder


def test_a_folder_wins_over_the_hub_name_it_looks_like(
    tmp_path: Path, models_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model_folder(tmp_path / "org" / "name")
    monkeypatch.chdir(tmp_path)
    assert parse_spec("org/name", models_dir=models_dir).kind == "folder"


def test_the_newest_run_of_a_tuned_model(models_dir: Path) -> None:
    spec = parse_spec("reviews", models_dir=models_dir)
    assert (spec.kind, spec.revision) == ("tuned", NEWER)
    assert str(spec) == "reviews"
    older = parse_spec(f"reviews@{OLDER[:9]}", models_dir=models_dir)
    assert older.revision == OLDER
    with pytest.raises(ModelNotFoundError, match="No run 'beef'"):
        parse_spec("reviews@beef", models_dir=models_dir)


def test_a_tuned_name_wins_over_a_folder_and_dot_slash_means_the_folder(
    tmp_path: Path, models_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model_folder(tmp_path / "reviews")
    monkeypatch.chdir(tmp_path)
    assert parse_spec("reviews", models_dir=models_dir).kind == "tuned"
    assert parse_spec("./reviews", models_dir=models_dir).kind == "folder"


@pytest.mark.parametrize(
    "text", [r"C:\models\qwen", "C:/models/qwen", r"models\qwen", r"\\server\share\qwen"]
)
def test_a_windows_path_is_no_hub_name(text: str, models_dir: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="no folder"):
        parse_spec(text, models_dir=models_dir)


@pytest.mark.parametrize(("text", "near"), [("tinny", "'tiny'"), ("revews", "'reviews'")])
def test_a_misspelt_name_gets_the_nearest(text: str, near: str, models_dir: Path) -> None:
    with pytest.raises(ModelNotFoundError, match=f"Did you mean {near}"):
        parse_spec(text, models_dir=models_dir)


def test_a_model_of_the_cache_is_suggested_without_its_organisation(
    models_dir: Path, hub_cache: Path
) -> None:
    (hub_cache / "models--Qwen--Qwen3-0.6B").mkdir()
    (hub_cache / "datasets--some--thing").mkdir()
    assert known_names(models_dir) == ["tiny", "reviews", "Qwen/Qwen3-0.6B"]
    with pytest.raises(ModelNotFoundError, match=r"Did you mean 'Qwen/Qwen3-0\.6B'\?"):
        parse_spec("Qwen3-0.6b", models_dir=models_dir)


def test_nothing_near_is_said_as_nothing() -> None:
    assert near_names("zzzzzz", ["tiny"]) == ""


def test_a_folder_that_is_no_model_says_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(ModelNotFoundError, match=r"only notes\.txt\. A model folder has config"):
        parse_spec(str(tmp_path), models_dir=tmp_path / "none")


def test_an_adapter_folder_names_its_base(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text('{"base_model_name_or_path": "org/base"}')
    with pytest.raises(ModelNotFoundError, match="%model org/base --adapter"):
        parse_spec(str(tmp_path), models_dir=tmp_path / "none")


def test_a_missing_folder_gets_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "qwen").mkdir()
    with pytest.raises(ModelNotFoundError, match="Did you mean 'qwen'"):
        parse_spec(str(tmp_path / "qwem"), models_dir=tmp_path / "none")


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "model.gguf").write_text("x")
    with pytest.raises(ModelNotFoundError, match="is a file"):
        parse_spec(str(tmp_path / "model.gguf"), models_dir=tmp_path / "none")


@pytest.mark.parametrize(("text", "said"), [("", "No model"), ("http://host/v1", "after #")])
def test_no_name_at_all(text: str, said: str, models_dir: Path) -> None:
    with pytest.raises(OptionError, match=said):
        parse_spec(text, models_dir=models_dir)


@pytest.mark.parametrize(
    "text",
    [
        "http://me:planted@host/v1#name",
        "https://planted@host/v1#name",
        "http://me:planted#x@host/v1#name",
        "http://host:planted/v1#name",
        "https://host/v1?api_key=planted#name",
        "http:///planted#name",
    ],
)
def test_an_address_with_a_password_is_refused_and_not_repeated(
    text: str, models_dir: Path
) -> None:
    with pytest.raises(OptionError, match=r"--key-env|no address of a server") as refused:
        parse_spec(text, models_dir=models_dir)
    assert "planted" not in str(refused.value)


def test_the_parts_of_an_address(models_dir: Path) -> None:
    spec = parse_spec("http://host/v1#org/name", models_dir=models_dir)
    assert (spec.address, spec.name_there) == ("http://host/v1", "org/name")
    spec = parse_spec("org/name", models_dir=models_dir)
    assert (spec.address, spec.name_there) == ("", "")
