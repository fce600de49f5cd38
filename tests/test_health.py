from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fmagic import cli
from fmagic.health import _labextension, doctor_view
from fmagic.session import Session
from fmagic.settings import Fmagic

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.checkpoints import Checkpoints


def test_status_names_device_models_and_journal(checkpoints: Checkpoints) -> None:
    session = Session(Fmagic(device="cpu"))
    assert "%model tiny" in repr(session.status())
    session.load(str(checkpoints("llama")), name="small", quant="none")
    text = repr(session.status())
    assert "small (current)" in text
    assert str(session.log.journal.path) in text
    assert "small" in repr(session.models("smal"))
    assert "came back" in repr(session.freed(session.unload()))


def test_the_list_of_models_has_tiny_and_can_be_searched() -> None:
    session = Session(Fmagic())
    assert "tiny" in repr(session.models())
    assert "No model" in repr(session.models("no such model"))


def test_doctor_finds_the_installation_well() -> None:
    view = doctor_view(Fmagic(device="cpu"))
    bad = [check for check in view.data if check.verdict == "bad"]
    assert not bad
    assert {"torch", "device", "tiny answers", "journal_dir"} <= {check.name for check in view.data}


def test_doctor_says_what_to_mend(tmp_path: Path) -> None:
    closed = tmp_path / "file"
    closed.write_text("")
    view = doctor_view(Fmagic(device="cuda:7", journal_dir=str(closed / "journal")))
    found = {check.name: check for check in view.data}
    assert found["device"].verdict == "bad"
    assert "cuda" in found["device"].found
    assert found["journal_dir"].verdict == "bad"
    assert found["journal_dir"].remedy
    assert "need mending" in repr(view)


def test_doctor_says_whether_the_jupyterlab_extension_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from jupyter_core import paths

    monkeypatch.setattr(paths, "jupyter_path", lambda *_: [str(tmp_path)])
    check = _labextension()
    assert (check.verdict, "npm run build" in check.remedy) == ("note", True)
    (tmp_path / "fmagic-labextension").mkdir()
    (tmp_path / "fmagic-labextension" / "package.json").write_text("{}")
    assert _labextension().verdict == "ok"


def test_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["doctor"]) == 0
    assert "tiny answers" in capsys.readouterr().out
    with pytest.raises(SystemExit) as stopped:
        cli.main(["nonsense"])
    assert stopped.value.code == 2
