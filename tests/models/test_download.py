"""Downloads from a hub in good and in bad moods: one whole copy in the end, or nothing broken."""

from __future__ import annotations

import _thread
import contextlib
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from fmagic.errors import DownloadError, Interrupted, ModelError, OfflineError
from fmagic.models import download, hub_client, hub_storage
from fmagic.models.hub import cached, resolve
from fmagic.models.hub_storage import RemoteFile, Storage
from fmagic.models.spec import ModelSpec
from tests.support.hub import Hub, digest

if TYPE_CHECKING:
    from fmagic.models.hub import LocalModel
    from tests.support.checkpoints import Checkpoints

NAME = "org/small"
SPEC = ModelSpec("hub", NAME)
WEIGHTS = "model.safetensors"
Seen = list[tuple[int, int]]


@pytest.fixture
def folder(checkpoints: Checkpoints) -> Path:
    return checkpoints("llama")


@pytest.fixture
def commit(hub: Hub, folder: Path) -> str:
    return hub.add(NAME, folder, tags=("v1",))


def fetched(seen: Seen | None = None, revision: str | None = None) -> LocalModel:
    def note(done: int, total: int) -> None:
        if seen is not None:
            seen.append((done, total))

    return resolve(SPEC, revision=revision, progress=note)


def is_good(found: LocalModel, folder: Path) -> bool:
    return all(
        (found.root / each.name).read_bytes() == each.read_bytes() for each in folder.iterdir()
    )


def leftovers(cache: Path) -> list[Path]:
    return [*cache.rglob("*.incomplete"), *cache.rglob("*.new")]


def test_a_model_comes_whole_and_is_found_again_without_the_network(
    hub: Hub, hub_cache: Path, commit: str, folder: Path
) -> None:
    seen: Seen = []
    found = fetched(seen)
    assert found.revision == commit
    assert is_good(found, folder)
    assert seen[0] == (0, hub.bytes_of(NAME))
    assert seen[-1] == (hub.bytes_of(NAME),) * 2
    assert seen == sorted(seen)
    assert not leftovers(hub_cache)
    before = len(hub.asked)
    assert fetched() == found == fetched(revision=commit)
    assert len(hub.asked) == before


def test_the_client_of_the_hub_reads_what_was_fetched(hub: Hub, commit: str, folder: Path) -> None:
    from huggingface_hub import constants, scan_cache_dir, snapshot_download

    found = fetched()
    assert snapshot_download(NAME, local_files_only=True) == str(found.root)
    files = len(hub.gets("/resolve/"))
    assert snapshot_download(NAME) == str(found.root)
    assert len(hub.gets("/resolve/")) == files  # it fetches nothing again
    scanned = scan_cache_dir(constants.HF_HUB_CACHE)
    assert not scanned.warnings
    (repository,) = scanned.repos
    assert repository.size_on_disk == hub.bytes_of(NAME)


def test_what_the_client_of_the_hub_fetched_is_used(hub: Hub, commit: str, folder: Path) -> None:
    from huggingface_hub import hf_hub_download

    hf_hub_download(NAME, WEIGHTS, revision=commit)
    before = len(hub.gets(WEIGHTS))
    seen: Seen = []
    assert is_good(fetched(seen), folder)
    assert len(hub.gets(WEIGHTS)) == before
    assert seen[0][0] == (folder / WEIGHTS).stat().st_size


def test_the_token_goes_to_the_hub_alone(
    hub: Hub, commit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.tokens["hf_of_a_test"] = set()
    monkeypatch.setenv("HF_TOKEN", "hf_of_a_test")
    fetched()
    assert {each.authorization for each in hub.asked} == {None, "Bearer hf_of_a_test"}
    assert all((each.authorization is None) == each.content_network for each in hub.asked)


@pytest.mark.parametrize("revision", ["v1", "main", None])
def test_a_revision_is_pinned_to_its_commit(
    hub: Hub, commit: str, folder: Path, revision: str | None
) -> None:
    assert fetched(revision=revision).revision == commit
    newer = hub.add(NAME, folder, files={"README.md": b"newer"})
    assert fetched(revision=revision).revision == commit
    assert fetched(revision=newer).revision == newer


def test_plain_python_shows_nothing(
    hub: Hub, commit: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from fmagic.session import Session

    model = Session().load(NAME, revision="v1", device="cpu", quant="none")
    assert model.info()["revision"] == commit
    model.unload()
    assert capsys.readouterr() == ("", "")


def test_a_broken_connection_goes_on_where_it_was(hub: Hub, commit: str, folder: Path) -> None:
    hub.misbehave("cut", WEIGHTS, times=3)
    seen: Seen = []
    assert is_good(fetched(seen), folder)
    starts = [each.range for each in hub.gets(WEIGHTS) if each.content_network]
    size = (folder / WEIGHTS).stat().st_size
    assert starts[0] is None
    assert starts[1:] == [f"bytes={size - size // 2**n - (size % 2**n > 0)}-" for n in (1, 2, 3)]
    assert seen == sorted(seen)


def test_a_hub_that_cannot_resume_starts_again(hub: Hub, commit: str, folder: Path) -> None:
    hub.misbehave("cut", WEIGHTS, times=1)
    hub.misbehave("no-range", WEIGHTS)
    assert is_good(fetched(), folder)


def test_a_break_that_lasts_keeps_what_was_received(
    hub: Hub, hub_cache: Path, commit: str, folder: Path
) -> None:
    hub.misbehave("cut", WEIGHTS, times=1)
    hub.misbehave("cut", WEIGHTS, after=0.0)
    said = r"connection broke .*kB of .*kB are kept.*\nRun the cell again to go on from there"
    with pytest.raises(DownloadError, match=said):
        fetched()
    assert cached(NAME) is None
    (part,) = hub_cache.rglob(f"{digest((folder / WEIGHTS).read_bytes())[0]}.incomplete")
    half = part.stat().st_size
    assert half == (folder / WEIGHTS).stat().st_size // 2
    hub.moods.clear()
    hub.asked.clear()
    seen: Seen = []
    assert is_good(fetched(seen), folder)
    assert seen[0][0] >= half
    assert [each.range for each in hub.gets(WEIGHTS)] == [f"bytes={half}-"] * 2
    assert not leftovers(hub_cache)


def test_a_part_of_a_download_is_told_offline(hub: Hub, commit: str) -> None:
    hub.misbehave("cut", WEIGHTS, times=1)
    hub.misbehave("cut", WEIGHTS, after=0.0)
    with pytest.raises(DownloadError):
        fetched()
    with pytest.raises(OfflineError, match="Only a part of org/small"):
        resolve(SPEC, offline=True)


def test_a_corrupt_file_is_fetched_once_more(hub: Hub, commit: str, folder: Path) -> None:
    hub.misbehave("corrupt", WEIGHTS, times=1)
    assert is_good(fetched(), folder)
    assert len(hub.gets(WEIGHTS)) == 4  # twice, each with its redirect


@pytest.mark.parametrize("file", [WEIGHTS, "/config.json"])
def test_a_file_that_stays_corrupt_is_removed(
    hub: Hub, hub_cache: Path, commit: str, folder: Path, file: str
) -> None:
    hub.misbehave("corrupt", file)
    with pytest.raises(
        DownloadError, match=rf"{file.strip('/')} of org/small comes broken .*removed\.\nRun"
    ):
        fetched()
    assert not list(hub_cache.rglob(f"blobs/{digest((folder / file.strip('/')).read_bytes())[0]}*"))
    assert cached(NAME) is None
    hub.moods.clear()
    assert is_good(fetched(), folder)


def test_a_file_that_is_too_short_is_an_error(
    hub: Hub, hub_cache: Path, commit: str, folder: Path
) -> None:
    hub.misbehave("truncated", WEIGHTS)
    with pytest.raises(DownloadError, match=r"ends before its .* bytes"):
        fetched()
    assert not list(hub_cache.rglob(f"blobs/{digest((folder / WEIGHTS).read_bytes())[0]}*"))


def test_a_file_that_is_too_long_is_an_error_and_no_endless_loop(
    hub: Hub, commit: str, folder: Path
) -> None:
    hub.misbehave("endless", WEIGHTS)
    with pytest.raises(DownloadError, match=r"does not end after its .* bytes"):
        fetched()
    assert len(hub.gets(WEIGHTS)) == 2  # once, with its redirect


def test_where_locks_hold_nobody_back_the_file_on_the_disk_is_checked(
    hub: Hub, hub_cache: Path, commit: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (hub_client, download):
        monkeypatch.setattr(module, "lock", lambda *_: contextlib.nullcontext())
    stream = download._Fetching._stream

    def meddled(self: download._Fetching, file: RemoteFile, part: Path, *args: Any) -> None:
        stream(self, file, part, *args)
        if file.name == WEIGHTS and len(hub.gets(WEIGHTS)) <= 2:
            with part.open("r+b") as out:
                out.write(b"another process")

    monkeypatch.setattr(download._Fetching, "_stream", meddled)
    assert is_good(fetched(), folder)
    assert len(hub.gets(WEIGHTS)) == 4  # it was fetched once more


def test_a_lock_that_works_is_known(tmp_path: Path) -> None:
    file = tmp_path / "x.lock"
    assert not hub_client.excludes(file)
    with hub_client.lock(file, 5):
        assert hub_client.excludes(file)
    assert not hub_client.excludes(file)


@pytest.mark.parametrize("architecture", ["bert", "llama"])
def test_small_files_that_another_program_left_out_are_fetched(
    hub: Hub, checkpoints: Checkpoints, tmp_path: Path, architecture: str
) -> None:
    from huggingface_hub import snapshot_download

    whole = shutil.copytree(checkpoints(architecture), tmp_path / "whole")
    (whole / "modules.json").write_text("[]")
    hub.add(NAME, whole)
    snapshot_download(NAME, allow_patterns=["config.json", "*.safetensors"])
    before = len(hub.gets(WEIGHTS))
    found = fetched()
    assert (found.root / "modules.json").is_file()
    assert (found.root / "tokenizer.json").is_file()
    assert len(hub.gets(WEIGHTS)) == before


def test_what_a_model_does_not_have_is_asked_for_once(
    hub: Hub, checkpoints: Checkpoints, hub_cache: Path
) -> None:
    from huggingface_hub import snapshot_download

    hub.add(NAME, checkpoints("bert"))
    snapshot_download(NAME)
    asked = len(hub.asked)
    fetched()
    assert len(hub.asked) > asked
    asked = len(hub.asked)
    fetched()
    assert len(hub.asked) == asked
    shutil.rmtree(next(hub_cache.glob("models--*")) / ".no_exist")
    hub.refuse(500, "/api/models")
    found = fetched()  # it is whole as far as anybody can tell
    asked = len(hub.asked)
    (found.root / "README.md").write_text("# As it comes with all of a repository")
    fetched()
    assert len(hub.asked) == asked


def test_a_short_wait_is_waited(hub: Hub, commit: str, folder: Path) -> None:
    hub.refuse(429, "/api/models", times=1, Retry_After="0")
    hub.refuse(429, WEIGHTS, times=1, Retry_After="0")
    assert is_good(fetched(), folder)


@pytest.mark.parametrize("where", ["/api/models", WEIGHTS])
def test_a_long_wait_is_told(hub: Hub, commit: str, where: str) -> None:
    hub.refuse(429, where, Retry_After="300")
    with pytest.raises(DownloadError, match=r"too many requests .* again in 5 min 00 s\."):
        fetched()


def test_a_fault_that_passes_is_not_told(hub: Hub, commit: str, folder: Path) -> None:
    hub.refuse(503, WEIGHTS, times=2)
    assert is_good(fetched(), folder)


@pytest.mark.parametrize("where", ["/api/models", WEIGHTS])
def test_a_fault_that_lasts_is_told(hub: Hub, commit: str, where: str) -> None:
    hub.refuse(502, where)
    with pytest.raises(DownloadError, match=r"a fault \(502 Bad Gateway\)\. Run the cell again"):
        fetched()


def test_a_hub_that_falls_silent_is_given_up(
    hub: Hub, commit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 0.1)
    hub.misbehave("stall", WEIGHTS, after=0.0)
    with pytest.raises(DownloadError, match=r"connection broke .*ReadTimeout"):
        fetched()


def test_stop_keeps_what_was_received_and_ends_at_once(hub: Hub, commit: str, folder: Path) -> None:
    hub.misbehave("stall", WEIGHTS)
    half = (folder / WEIGHTS).stat().st_size // 2

    def stop(done: int, _: int) -> None:
        if done >= half:
            _thread.interrupt_main()

    with pytest.raises(Interrupted, match=r"Stopped\. .* are kept\. Run the cell again to go on"):
        resolve(SPEC, progress=stop)
    assert not hub.release.is_set()  # the silent hub was not waited for
    assert "fmagic-download" not in {each.name for each in threading.enumerate()}
    assert cached(NAME) is None
    hub.moods.clear()
    seen: Seen = []
    assert is_good(fetched(seen), folder)
    assert half <= seen[0][0] < seen[0][1]


def test_a_full_disk_is_refused_before_the_first_byte(
    hub: Hub, hub_cache: Path, commit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = hub_storage.SPARE_DISK + hub.bytes_of(NAME) - 1
    usage = SimpleNamespace(free=free)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(DownloadError, match=r"takes .*kB of disk, and .* are free .*HF_HOME"):
        fetched()
    assert not hub.gets(NAME)
    assert not list(hub_cache.iterdir())
    # What is there already counts.
    usage.free = free + 2
    hub.misbehave("cut", WEIGHTS, times=1)
    hub.misbehave("cut", WEIGHTS, after=0.0)
    with pytest.raises(DownloadError, match="connection broke"):
        fetched()
    hub.moods.clear()
    usage.free = hub_storage.SPARE_DISK + (hub.bytes_of(NAME) * 3) // 4
    assert fetched().revision == commit


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_disk_that_fills_up_meanwhile(
    hub: Hub, hub_cache: Path, commit: str, folder: Path
) -> None:
    part = Storage(NAME).root / "blobs" / f"{digest((folder / WEIGHTS).read_bytes())[0]}.incomplete"
    part.parent.mkdir(parents=True)
    part.symlink_to("/dev/full")
    with pytest.raises(DownloadError, match=rf"disk is full: {WEIGHTS} .* HF_HOME .* is kept"):
        fetched()
    assert cached(NAME) is None


def test_a_cache_that_cannot_be_written(
    hub: Hub, hub_cache: Path, commit: str, folder: Path
) -> None:
    (hub_cache / "models--org--small").write_text("in the way")
    with pytest.raises(DownloadError, match=r"cannot be written .* Set HF_HOME to a folder"):
        fetched()


@pytest.mark.parametrize("size", [None, 100])
def test_a_model_that_was_spoilt_on_this_disk_is_fetched_again(
    hub: Hub, commit: str, folder: Path, size: int | None
) -> None:
    weights = fetched().root / WEIGHTS
    content = weights.read_bytes()
    # Cut off, or of the right length with a broken head.
    spoilt = content[:size] if size else b"\0" * 64 + content[64:]
    weights.resolve().write_bytes(spoilt)
    hub.asked.clear()
    assert is_good(fetched(), folder)
    assert {each.path.rpartition("/")[2] for each in hub.gets("/resolve/")} == {WEIGHTS}


def test_two_processes_at_once_end_with_one_good_copy(
    hub: Hub, hub_cache: Path, commit: str, folder: Path
) -> None:
    hub.misbehave("slow", WEIGHTS, times=1)
    code = (
        "from fmagic.models.hub import resolve\n"
        "from fmagic.models.spec import ModelSpec\n"
        f"print(resolve(ModelSpec('hub', {NAME!r})).revision)\n"
    )
    others = {
        "HF_ENDPOINT": hub.url,
        "HF_HUB_OFFLINE": "0",
        "HF_HUB_CACHE": str(hub_cache),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code],
            env={**os.environ, **others},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    assert hub.flowing.wait(60)
    # Both have asked for the list; one has the weights half, the other waits for it.
    assert hub.wait_for(2, "/api/models")
    hub.release.set()
    for process in processes:
        out, err = process.communicate(timeout=120)
        assert (process.returncode, out.strip(), err) == (0, commit, "")
    found = cached(NAME)
    assert found is not None
    assert is_good(found, folder)
    assert not leftovers(hub_cache)
    assert len([each for each in hub.gets(WEIGHTS) if each.content_network]) == 1


def test_files_that_cannot_be_resumed_come_through_the_client(
    hub: Hub, commit: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_storage, "LARGEST_BY_HTTP", 5000)
    seen: Seen = []
    assert is_good(fetched(seen), folder)
    assert seen[-1] == (hub.bytes_of(NAME),) * 2


def test_what_a_model_is_can_be_looked_at_before_its_weights_come(
    hub: Hub, commit: str, folder: Path
) -> None:
    def look(seen: Path) -> None:
        assert [each.name for each in seen.iterdir()] == ["config.json"]
        assert (seen / "config.json").read_bytes() == (folder / "config.json").read_bytes()
        raise ModelError("of no use")

    with pytest.raises(ModelError, match="of no use"):
        resolve(SPEC, look=look)
    assert not hub.gets(WEIGHTS)
    assert cached(NAME) is None


@pytest.mark.parametrize("mood", ["cut", "corrupt", "status"])
def test_a_look_that_fails_leaves_it_to_the_fetching(
    mood: str, hub: Hub, commit: str, folder: Path
) -> None:
    hub.misbehave(mood, "config.json", times=1)
    assert is_good(resolve(SPEC, look=lambda _: pytest.fail("it was shown")), folder)


def test_without_digests_nothing_is_looked_at(
    hub: Hub, commit: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RemoteFile, "is_checkable", False)
    found = resolve(SPEC, look=lambda _: pytest.fail("it was shown"))
    assert is_good(found, folder)


def test_a_name_outside_the_folder_is_refused(hub: Hub, hub_cache: Path, folder: Path) -> None:
    hub.add(NAME, folder, files={"1_x/../../../evil/config.json": b"{}"})
    with pytest.raises(ModelError, match="outside its folder"):
        fetched()
    assert not list(hub_cache.parent.rglob("evil*"))


@pytest.mark.parametrize("wrong", ["", "../../x", "A" * 64, "a" * 41])
def test_a_digest_that_is_none_is_never_a_path(wrong: str, hub_cache: Path) -> None:
    file = RemoteFile("config.json", 2, wrong)
    assert not file.is_checkable
    assert Storage(NAME).kept(file) == 0


def test_progress_of_the_client_is_reported_and_nothing_is_drawn(
    capsys: pytest.CaptureFixture[str],
) -> None:
    seen: Seen = []
    bar = hub_client.bar_class(lambda done, total: seen.append((done, total)), 0, 100)(
        total=0, initial=0, unit="B", unit_scale=True, name="huggingface_hub.snapshot_download"
    )
    other = type(bar)(total=100, unit="B", name="huggingface_hub.snapshot_download.transfer")
    bar.update(40)
    other.update(40)
    bar.update(90)
    assert seen == [(40, 100), (100, 100)]
    assert capsys.readouterr() == ("", "")
