"""What can be picked: filters, order, and words about fit."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from fmagic.errors import OptionError
from fmagic.models.choices import Choice, Sizer, Wanted, choices, largest
from fmagic.models.devices import Device
from fmagic.models.fit import Fit
from fmagic.models.known import find
from fmagic.models.licenses import classify
from tests.models.test_hub import put_into_cache

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.checkpoints import Checkpoints

GB = 10**9
LAPTOP = Device("cpu", 0, "a laptop", 8 * GB, 6 * GB)


def choice(*totals: int, best: str = "none", where: str = "to fetch") -> Choice:
    methods = ("none", "int8", "nf4")
    fits = {
        method: Fit(total * GB, 0, 0, 0, 6 * GB, method)
        for method, total in zip(methods, totals, strict=False)
    }
    return Choice(
        name="org/model",
        task="text-generation",
        license=classify("mit"),
        parameters=GB,
        context=2048,
        good_at="much",
        where=where,
        disk_bytes=0,
        gated=False,
        source="",
        fits=fits,
        best=best,
        reason="",
    )


def test_the_bundled_model_comes_first_and_what_does_not_fit_late(
    tmp_path: Path, hub_cache: Path
) -> None:
    found = choices(tmp_path, LAPTOP)
    assert found[0].name == "tiny"
    assert found[0].where == "bundled"
    names = [each.name for each in found]
    assert names.index("Qwen/Qwen3-0.6B") < names.index("meta-llama/Llama-3.3-70B-Instruct")
    fitting = [each.fit is not None and each.fit.fits for each in found]
    assert fitting == sorted(fitting, reverse=True)
    assert not found[-1].runs


def test_a_model_in_the_cache_is_here_and_sized_from_its_files(
    tmp_path: Path, hub_cache: Path, checkpoints: Checkpoints
) -> None:
    put_into_cache(hub_cache, checkpoints("llama"))
    found = choices(tmp_path, LAPTOP, Wanted(query="small", cached=True))
    small = next(each for each in found if each.name == "org/small")
    assert small.is_here
    assert small.task == "text-generation"
    assert small.context == 128
    assert 50_000 < small.parameters < 200_000
    assert small.fit is not None
    assert small.fit.fits


def test_a_model_that_reads_images_too_writes_text(
    tmp_path: Path, hub_cache: Path, checkpoints: Checkpoints
) -> None:
    put_into_cache(hub_cache, checkpoints("gemma3"))
    (found,) = choices(tmp_path, LAPTOP, Wanted(query="org/small"))
    assert found.task == "text-generation"
    assert found.fit is not None
    assert found.tunings


def test_an_adapter_has_the_sizes_of_its_base(tmp_path: Path, hub_cache: Path) -> None:
    for name, base in (("mine", "tiny"), ("lost", "org/elsewhere")):
        (tmp_path / name / "run").mkdir(parents=True)
        (tmp_path / name / "run" / "fmagic.json").write_text(json.dumps({"base": base}))
    found = {each.name: each for each in choices(tmp_path, LAPTOP, Wanted(cached=True))}
    assert found["mine"].fit == found["tiny"].fit
    assert (found["mine"].task, found["mine"].context) == ("text-generation", 2048)
    assert found["mine"].good_at == "tuned from tiny"
    assert found["lost"].advice == "size unknown"


def test_a_broken_model_in_the_cache_is_listed_without_a_size(
    tmp_path: Path, hub_cache: Path, checkpoints: Checkpoints
) -> None:
    snapshot = put_into_cache(hub_cache, checkpoints("llama"))
    (snapshot / "model.safetensors").write_bytes(b"no weights")
    found = choices(tmp_path, LAPTOP, Wanted(query="org/small"))
    assert [each.advice for each in found] == ["size unknown"]


@pytest.mark.parametrize(
    ("wanted", "holds"),
    [
        (Wanted(task="embedding"), lambda each: each.task == "embedding"),
        (Wanted(license="restricted"), lambda each: each.license.kind == "restricted"),
        (Wanted(license="Apache-2.0"), lambda each: each.license.id == "apache-2.0"),
        (Wanted(fits=True), lambda each: each.fit is not None and each.fit.fits),
        (Wanted(max_size="1B"), lambda each: each.parameters <= GB),
        (Wanted(max_size="1GB"), lambda each: min(f.total for f in each.fits.values()) <= GB),
        (Wanted(query="translation"), lambda each: "translat" in each.good_at + each.name),
    ],
)
def test_filters(wanted: Wanted, holds: object, tmp_path: Path, hub_cache: Path) -> None:
    found = choices(tmp_path, LAPTOP, wanted)
    assert 0 < len(found) < len(choices(tmp_path, LAPTOP))
    assert all(holds(each) for each in found)  # type: ignore[operator]  # a function


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"task": "text-generatoin"}, "Did you mean 'text-generation'"),
        ({"license": "opne"}, "Did you mean 'open'"),
        ({"max_size": "large"}, "Write 3B or 500M"),
    ],
)
def test_what_no_filter_is(options: dict[str, str], words: str) -> None:
    with pytest.raises(OptionError, match=words):
        Wanted(**options)  # type: ignore[arg-type]  # texts, all of them


def test_sizes_are_of_parameters_or_of_memory() -> None:
    assert largest("3B") == ("parameters", 3e9)
    assert largest("500m") == ("parameters", 5e8)
    assert largest("5GB") == ("memory", 5 * GB)


def test_the_advice_says_why() -> None:
    assert choice(2, 1, 1).advice == "2.0 GB of 6.0 GB free"
    tight = choice(6)
    assert tight.advice == "6.0 GB of 6.0 GB free, which is tight"
    quantized = choice(12, 7, 4, best="nf4").advice
    assert quantized == (
        "nf4: 4.0 GB of 6.0 GB free; unquantized 12.0 GB and int8 7.0 GB would not fit"
    )
    large = choice(40, 20, 10, best="nf4")
    assert large.advice == "nf4 would need 10.0 GB, 6.0 GB are free"
    assert (choice(2, 1, 1).brief, large.brief) == ("2.0 GB", "nf4 would need 10.0 GB")
    assert choice().advice == "size unknown"


def test_tuning_takes_more_than_asking() -> None:
    sizer, known = Sizer(LAPTOP), find("Qwen/Qwen3-0.6B")
    assert known is not None
    found = sizer.tunings(known.task, known.census, known.shape)
    assert found["qlora"].total < found["lora"].total < found["full"].total
    image = find("google/vit-base-patch16-224")
    assert image is not None
    assert sizer.tunings(image.task, image.census, image.shape) == {}


def test_what_can_be_tuned_is_ranked_by_what_that_takes(tmp_path: Path, hub_cache: Path) -> None:
    found = choices(tmp_path, LAPTOP, Wanted(tune="full"))
    assert {each.task for each in found} <= {"text-generation", "seq2seq"}
    fitting = [each.tunings["full"].fits for each in found]
    assert fitting == sorted(fitting, reverse=True)
    assert 0 < sum(fitting) < len(found)
    assert choices(tmp_path, LAPTOP, Wanted(tune="full", fits=True)) == found[: sum(fitting)]
    within = choices(tmp_path, LAPTOP, Wanted(tune="lora", max_size="2GB"))
    assert all(each.tunings["lora"].total <= 2 * GB for each in within)
    with pytest.raises(OptionError, match=r"no method 'loar' of tuning\. Did you mean 'lora'"):
        Wanted(tune="loar")
