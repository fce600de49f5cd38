from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from fmagic.errors import LogError, OptionError
from fmagic.runs import exporters as folder
from fmagic.runs.exporters import export, exporters, text_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from fmagic.runs.record import RunRecord

FILES = ["csv", "jsonl", "markdown"]
TRACKERS = {"mlflow": "mlflow", "otel": "opentelemetry", "trackio": "trackio"}


def test_every_file_of_the_folder_is_an_exporter() -> None:
    found = exporters()
    assert sorted(found) == sorted([*FILES, *TRACKERS])
    for exporter in found.values():
        assert exporter.TITLE
        assert "\n" not in exporter.TITLE
        assert callable(exporter.export)
    assert {name for name, exporter in found.items() if exporter.NEEDS} == set(TRACKERS)


def test_looking_for_exporters_imports_no_tracker() -> None:
    code = (
        "import sys; from fmagic.runs.exporters import exporters; exporters(); "
        f"print(sorted(set({[*TRACKERS.values()]}) & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_another_package_adds_an_exporter(
    monkeypatch: pytest.MonkeyPatch, records: list[RunRecord]
) -> None:
    def count(records: Sequence[RunRecord], target: str | None) -> str:
        return f"{len(records)} to {target}"

    for name in ("paper", "csv"):
        made = SimpleNamespace(NAME=name, TITLE="prints", NEEDS=None, export=count)
        monkeypatch.setattr(folder, f"fake_{name}", made, raising=False)
    points = [EntryPoint(name, f"{folder.__name__}:fake_{name}", "") for name in ("paper", "csv")]
    monkeypatch.setattr("fmagic.plugins.entry_points", lambda group: points)
    assert export("paper", records, "tray 2") == f"{len(records)} to tray 2"
    assert exporters()["csv"].TITLE != "prints"


def test_an_unknown_exporter_names_the_nearest(records: list[RunRecord]) -> None:
    with pytest.raises(OptionError, match=r"no exporter 'mlfow'\. Did you mean 'mlflow'\?.*csv, "):
        export("mlfow", records)


@pytest.mark.parametrize("name", [*FILES, *TRACKERS])
def test_without_runs_there_is_nothing_to_export(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LogError, match=r"no runs to export. %%prompt"):
        export(name, [])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", TRACKERS)
def test_a_missing_package_is_answered_with_the_command(
    name: str, records: list[RunRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in list(sys.modules):
        if module.partition(".")[0] == TRACKERS[name]:
            monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setitem(sys.modules, TRACKERS[name], None)
    with pytest.raises(OptionError, match=r"pip install 'fmagic\[trackers\]'") as caught:
        export(name, records)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", FILES)
def test_a_file_goes_where_it_is_told_or_into_the_working_folder(
    name: str, records: list[RunRecord], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = export(name, records)
    (written,) = tmp_path.iterdir()
    assert f"{len(records)} runs" in said
    assert f" to {written.name}." in said
    place = tmp_path / "my report"
    assert str(place) in export(name, records[:1], str(place))
    assert "1 run " in export(name, records[:1], str(place))
    assert sorted(each.name for each in tmp_path.iterdir()) == sorted([written.name, place.name])


@pytest.mark.parametrize("name", FILES)
def test_the_text_of_a_file_is_what_the_file_holds(
    name: str, records: list[RunRecord], tmp_path: Path
) -> None:
    export(name, records, str(tmp_path / "file"))
    written = (tmp_path / "file").read_bytes().decode("utf-8-sig")
    assert text_of(name, records) == written


def test_only_a_file_has_a_text(records: list[RunRecord]) -> None:
    with pytest.raises(OptionError, match="'mlflow' writes no file"):
        text_of("mlflow", records)
    with pytest.raises(OptionError, match="Did you mean 'csv'"):
        text_of("cvs", records)


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_cannot_be_written_is_one_clear_line(
    name: str, records: list[RunRecord], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    for target in (tmp_path, tmp_path / "no folder" / "runs", tmp_path / "file" / "runs"):
        with pytest.raises(LogError, match="cannot be written to") as caught:
            export(name, records, str(target))
        assert str(target) in str(caught.value)
        assert "\n" not in str(caught.value)
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_replaced_whole_or_not_at_all(
    name: str, records: list[RunRecord], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "kept"
    kept.write_text("the export of yesterday", encoding="utf-8")
    link = tmp_path / "link"
    link.symlink_to(kept)

    def full(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.replace", full)
        with pytest.raises(LogError, match="No space left on device"):
            export(name, records, str(link))
    assert kept.read_text(encoding="utf-8") == "the export of yesterday"
    assert {each.name for each in tmp_path.iterdir()} == {"kept", "link"}
    export(name, records, str(link))
    assert link.is_symlink()
    assert records[0].short_id in kept.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", FILES)
def test_no_secret_and_no_path_of_this_machine_is_in_a_file(
    name: str, secretive: RunRecord, told: tuple[bytes, bytes], tmp_path: Path
) -> None:
    export(name, [secretive], str(tmp_path / "written"))
    written = (tmp_path / "written").read_bytes()
    assert secretive.short_id.encode() in written
    assert not any(each in written for each in told)
