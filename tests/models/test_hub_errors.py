"""What the hub's refusals become: each its own message, with what to do, and never a token in it."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

import pytest

from fmagic.errors import (
    DownloadError,
    FmagicError,
    GatedModelError,
    ModelError,
    ModelNotFoundError,
    OfflineError,
    OptionError,
)
from fmagic.models.hub import resolve
from fmagic.models.hub_errors import explained
from fmagic.models.spec import ModelSpec, at_revision

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.checkpoints import Checkpoints
    from tests.support.hub import Hub

TOKEN = "hf_theTokenOfThisTest"


@pytest.fixture
def folder(checkpoints: Checkpoints) -> Path:
    return checkpoints("llama")


@pytest.fixture
def token(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    return TOKEN


def refused(
    name: str, error: type[FmagicError], *, revision: str | None = None, known: tuple[str, ...] = ()
) -> str:
    """Return the message of a refusal, whose whole stack knows no token."""
    with pytest.raises(error) as caught:
        resolve(ModelSpec("hub", name), revision=revision, known=known)
    each: BaseException | None = caught.value
    while each is not None:
        shown = "".join(
            traceback.TracebackException.from_exception(each, capture_locals=True).format()
        )
        assert TOKEN not in shown
        each = each.__cause__ or each.__context__
    message = str(caught.value)
    assert len(message.splitlines()) <= 3
    return message


def test_a_gated_model_without_a_token(hub: Hub, folder: Path) -> None:
    hub.add("org/gated", folder, gated=True)
    said = refused("org/gated", GatedModelError)
    assert f"Accept its terms at {hub.url}/org/gated" in said
    assert "hf auth login" in said


def test_a_gated_model_without_consent(hub: Hub, folder: Path, token: str) -> None:
    hub.add("org/gated", folder, gated=True)
    hub.tokens[token] = set()
    said = refused("org/gated", GatedModelError)
    assert "account of this machine's token has no access" in said
    assert f"{hub.url}/org/gated" in said
    hub.tokens[token] = {"org/gated"}
    assert resolve(ModelSpec("hub", "org/gated")).revision


def test_a_bad_token(hub: Hub, folder: Path, token: str) -> None:
    hub.add("org/small", folder)
    said = refused("org/small", GatedModelError)
    assert "in HF_TOKEN is not accepted" in said
    assert "open models need none" in said


def test_a_bad_token_that_was_saved(
    hub: Hub, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    (tmp_path / "token").write_text(TOKEN)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    hub.add("org/small", folder)
    assert "that `hf auth login` saved is not accepted" in refused("org/small", GatedModelError)


@pytest.mark.parametrize("token", [TOKEN + "\0x", TOKEN + "…"])
def test_a_token_that_cannot_be_sent(
    hub: Hub, folder: Path, tmp_path: Path, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    (tmp_path / "token").write_text(token, encoding="utf-8")
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    hub.add("org/small", folder)
    assert "characters that no token has" in refused("org/small", GatedModelError)


def test_a_token_that_may_not_read(hub: Hub, folder: Path, token: str) -> None:
    hub.tokens[token] = set()
    hub.add("org/small", folder)
    hub.refuse(403, "/api/models")
    assert "right to read it" in refused("org/small", GatedModelError)


@pytest.mark.parametrize("logged_in", [True, False])
def test_no_such_model_names_the_nearest(
    hub: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch, logged_in: bool
) -> None:
    if logged_in:
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        hub.tokens[TOKEN] = set()
    hub.add("Qwen/Qwen3-0.6B", folder)
    hub.add("other/thing", folder)
    said = refused("Qwen/Qwen3-0.6", ModelNotFoundError)
    assert "has no model 'Qwen/Qwen3-0.6'" in said
    assert "Did you mean 'Qwen/Qwen3-0.6B'?" in said
    assert "other/thing" not in said
    assert "'org/tuned-b'" in refused("org/tuned-a", ModelNotFoundError, known=("org/tuned-b",))


def test_a_private_model_is_no_model(hub: Hub, folder: Path) -> None:
    hub.add("org/private", folder, private=True)
    said = refused("org/private", ModelNotFoundError)
    assert "A private one needs `hf auth login`" in said
    assert "Did you mean" not in said


def test_no_such_revision_lists_those_that_there_are(hub: Hub, folder: Path) -> None:
    hub.add("org/small", folder, tags=("v1.0", "v2.0"))
    said = refused("org/small", ModelNotFoundError, revision="v1.1")
    assert "no revision 'v1.1'. Did you mean 'v1.0'" in said
    assert "It has main, v1.0, v2.0." in said
    hub.refuse(500, "/refs")
    assert "commits lists" in refused("org/small", ModelNotFoundError, revision="v1.1")


@pytest.mark.parametrize("revision", ["../../x", "-x", "a b", ""])
def test_what_can_be_no_revision_is_not_asked_for(hub: Hub, revision: str) -> None:
    with pytest.raises(OptionError, match="is no revision"):
        resolve(ModelSpec("hub", "org/small", revision))
    assert not hub.asked


def test_a_revision_is_named_once() -> None:
    spec = ModelSpec("hub", "org/small", "v1")
    assert at_revision(ModelSpec("hub", "org/small"), "v1") == at_revision(spec, "v1") == spec
    with pytest.raises(OptionError, match="give one"):
        at_revision(spec, "v2")
    with pytest.raises(OptionError, match="is for models of the Hugging Face Hub"):
        at_revision(ModelSpec("tiny", "tiny"), "v1")


def test_a_file_that_is_listed_and_not_there(hub: Hub, folder: Path) -> None:
    hub.add("org/small", folder)
    hub.refuse(404, "/config.json", X_Error_Code="EntryNotFound")
    assert "may be changing" in refused("org/small", DownloadError)


def test_a_hub_that_is_none(hub: Hub, folder: Path) -> None:
    hub.refuse(418)
    assert "418" in refused("org/small", DownloadError)


def test_nobody_is_at_the_address(hub: Hub, token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    said = refused("org/small", OfflineError)
    assert "cannot be reached (ConnectError)" in said
    assert "\n  hf download org/small\n" in said


def test_other_errors_are_left_alone() -> None:
    assert explained(RuntimeError("x"), "org/small", None) is None


def test_a_hub_without_commits(hub: Hub, folder: Path) -> None:
    hub.add("org/small", folder)
    repository = hub.repositories["org/small"]
    (commit,) = repository.commits
    repository.commits = {"none": repository.commits[commit]}
    repository.branches = {"main": "none"}
    with pytest.raises(ModelError, match="which commit"):
        resolve(ModelSpec("hub", "org/small"))
