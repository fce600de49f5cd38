"""Models of the hub that can be picked, and what they take, before anything is fetched."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fmagic.errors import ModelError
from fmagic.models.choices import Sizer, Wanted
from fmagic.models.choices_hub import measured, of_hub
from fmagic.models.fit import take_census
from fmagic.models.loader import load
from tests.models.test_choices import LAPTOP

if TYPE_CHECKING:
    from tests.support.checkpoints import Checkpoints
    from tests.support.hub import Hub


def test_the_hub_is_searched_and_filtered(hub: Hub, checkpoints: Checkpoints) -> None:
    hub.add("org/small-one", checkpoints("llama"))
    (found,) = of_hub(LAPTOP, Wanted(query="small"))
    assert found.name == "org/small-one"
    assert found.where == "to fetch"
    assert found.source == "https://huggingface.co/org/small-one"
    assert found.fit is not None
    assert (found.context, found.tunings) == (0, {})
    assert of_hub(LAPTOP, Wanted(query="small", license="restricted")) == []
    assert of_hub(LAPTOP, Wanted(query="small"), without=["org/Small-One"]) == []


def test_a_whole_name_is_measured_without_fetching_it(hub: Hub, checkpoints: Checkpoints) -> None:
    folder = checkpoints("llama")
    hub.add("org/small-one", folder)
    hub.add("org/small-one-more", folder)
    exact, other = sorted(of_hub(LAPTOP, Wanted(query="org/small-one")), key=lambda each: each.name)
    assert exact.context == 128
    assert set(exact.tunings) == {"lora", "qlora", "full"}
    assert (other.context, other.tunings) == (0, {})
    assert measured(other, Sizer(LAPTOP)).fits == exact.fits
    assert exact.parameters == take_census(load(str(folder)).module).parameters
    assert not any(each.content_network and each.range is None for each in hub.asked)


def test_a_model_that_reads_images_too_writes_text_if_it_can(
    hub: Hub, checkpoints: Checkpoints
) -> None:
    other = {"config.json": b'{"model_type": "llava"}'}
    hub.add("org/small-one", checkpoints("gemma3"), task="image-text-to-text")
    hub.add("org/small-two", checkpoints("gemma3"), task="image-text-to-text", files=other)
    found = {each.name: each for each in of_hub(LAPTOP, Wanted(query="small"))}
    assert found["org/small-one"].runs
    assert not found["org/small-two"].runs


def test_tuning_is_reckoned_for_all_that_is_found(hub: Hub, checkpoints: Checkpoints) -> None:
    hub.add("org/small-one", checkpoints("llama"))
    hub.add("org/small-two", checkpoints("bert"), task="feature-extraction")
    (found,) = of_hub(LAPTOP, Wanted(query="small", tune="lora"))
    assert found.name == "org/small-one"


def test_what_the_hub_does_not_tell_leaves_the_model_listed(
    hub: Hub, checkpoints: Checkpoints
) -> None:
    hub.add("org/small-one", checkpoints("llama"), files={"config.json": b"{"})
    (found,) = of_hub(LAPTOP, Wanted(query="org/small-one"))
    assert found.tunings == {}
    with pytest.raises(ModelError, match=r"config\.json of org/small-one on the hub is broken"):
        measured(found, Sizer(LAPTOP))
    hub.add("org/small-one", checkpoints("llama"), files={"config.json": b" " * 10_000_001})
    with pytest.raises(ModelError, match="it is too long"):
        measured(found, Sizer(LAPTOP))
