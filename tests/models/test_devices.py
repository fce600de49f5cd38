"""Devices, and how much memory there really is."""

from pathlib import Path

import psutil
import pytest

from fmagic.errors import OptionError
from fmagic.models.devices import (
    cgroup_limits,
    detect,
    free_memory,
    held_bytes,
    parse_bytes,
    resident_bytes,
)

GB = 10**9


def write(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)


def test_the_processor() -> None:
    device = detect("cpu")
    assert (device.type, str(device), device.index) == ("cpu", "cpu", 0)
    assert 0 < device.free_bytes <= device.total_bytes <= psutil.virtual_memory().total
    assert device.name
    assert free_memory(device) > 0


@pytest.mark.parametrize("request_", ["gpu", "cuda:x", "cpu:1", "cud"])
def test_no_such_device(request_: str) -> None:
    with pytest.raises(OptionError, match=r"cuda|one cpu"):
        detect(request_)


def test_a_missing_gpu_has_a_reason() -> None:
    import torch

    if torch.cuda.is_available():
        with pytest.raises(OptionError, match="this machine has cuda:0"):
            detect("cuda:99")
    else:
        with pytest.raises(OptionError, match=r"no cuda device: .* Use --device cpu"):
            detect("cuda")


@pytest.mark.parametrize(
    ("text", "count"),
    [("1000", 1000), ("2GB", 2 * GB), ("1.5 gib", 3 * 2**29), ("800M", 800 * 10**6), ("0", 0)],
)
def test_sizes(text: str, count: int) -> None:
    assert parse_bytes(text) == count


@pytest.mark.parametrize("text", ["", "much", "-1GB", "2 GX", "1ib"])
def test_no_sizes(text: str) -> None:
    with pytest.raises(OptionError, match="no size of memory"):
        parse_bytes(text)


def test_the_limit_counts_what_the_process_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    held = psutil.Process().memory_info().rss
    monkeypatch.setenv("FMAGIC_MEMORY_LIMIT", str(held + 50_000_000))
    assert 0 < detect("cpu").free_bytes <= 60_000_000
    monkeypatch.setenv("FMAGIC_MEMORY_LIMIT", "1MB")
    assert detect("cpu").free_bytes == 0


def test_a_limit_that_is_no_size_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FMAGIC_MEMORY_LIMIT", "lots")
    with pytest.raises(OptionError, match="FMAGIC_MEMORY_LIMIT"):
        detect("cpu")


def test_limits_of_control_groups_version_2(tmp_path: Path) -> None:
    write(tmp_path / "proc/self", cgroup="0::/a/b\n")
    top = tmp_path / "sys/fs/cgroup"
    stat = f"anon 1\ninactive_file {GB}\n"
    write(top / "a", memory__max=f"{8 * GB}\n", memory__current=f"{3 * GB}\n", memory__stat=stat)
    write(top / "a/b", memory__max="max\n", memory__current=f"{GB}\n", memory__stat=stat)
    assert cgroup_limits(tmp_path) == [(8 * GB, 2 * GB)]


def test_limits_of_control_groups_version_1_mounted_at_the_top(tmp_path: Path) -> None:
    write(tmp_path / "proc/self", cgroup="5:cpu:/host\n4:memory:/host/path\n0::/\n")
    write(
        tmp_path / "sys/fs/cgroup/memory",
        memory__limit_in_bytes=str(4 * GB),
        memory__usage_in_bytes=str(GB),
        memory__stat="total_inactive_file 0\n",
    )
    assert cgroup_limits(tmp_path) == [(4 * GB, GB)]


def test_no_control_groups(tmp_path: Path) -> None:
    assert cgroup_limits(tmp_path) == []
    write(tmp_path / "proc/self", cgroup="4:memory:/\n")
    write(
        tmp_path / "sys/fs/cgroup/memory",
        memory__limit_in_bytes=str(2**63 - 4096),
        memory__usage_in_bytes="1",
        memory__stat="",
    )
    assert cgroup_limits(tmp_path) == []


def test_memory_that_is_given_back_is_seen() -> None:
    import torch

    before = resident_bytes()
    block = torch.ones(20_000_000)
    during = resident_bytes()
    del block
    after = held_bytes(detect("cpu"))
    assert during - before > 60_000_000
    assert during - after > 60_000_000
