"""Models of the hub as choices: what its search finds, and one of them measured from afar."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from fmagic.errors import ModelError
from fmagic.models.architecture import reads_images_too
from fmagic.models.choices import Choice, Sizer, Wanted, of_list
from fmagic.models.fit import Census
from fmagic.models.hub_search import remote_census, search
from fmagic.models.known import find
from fmagic.models.licenses import classify
from fmagic.models.shape import Shape
from fmagic.models.sizing import census_of, shape_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fmagic.models.devices import Device

# The hub's names of tasks that are called otherwise here.
HUB_TASKS = {
    "feature-extraction": "embedding",
    "sentence-similarity": "embedding",
    "text2text-generation": "seq2seq",
    "translation": "seq2seq",
    "summarization": "seq2seq",
    "zero-shot-image-classification": "image-text-embedding",
    "text-to-image": "image-generation",
}
WORKERS = 8
IMAGES_TOO = "image-text-to-text"
UNKNOWN = Shape(0, 0, 0, 0, 0, 0, 0, 0, 0, 0)


def of_hub(device: Device, wanted: Wanted, without: Iterable[str] = ()) -> list[Choice]:
    """Return what the hub's own search finds for the query.

    The fit of a model that is not on the curated list counts weights alone, unless the query is
    its name, or tuning is asked about: then the heads of its files are read.

    Args:
        device: where they would run.
        wanted: which to show.
        without: names that are listed already.

    Raises:
        OfflineError: the network is off or does not answer.
        DownloadError: the hub has a fault or gets too many requests.
    """
    sizer = Sizer(device)
    listed = {name.lower() for name in without}
    found = []
    for each in search(wanted.query):
        if each.name.lower() in listed:
            continue
        if (known := find(each.name)) is not None:
            found.append(of_list(known, sizer))
            continue
        task = HUB_TASKS.get(each.task or "", each.task or "")
        if task == IMAGES_TOO and any(map(reads_images_too, each.tags)):
            task = "text-generation"  # of text alone, see `architecture`
        census = Census(each.parameters, 0, 0) if each.parameters else None
        fits, best, reason = sizer.of_task(task, census, UNKNOWN)
        choice = Choice(
            name=each.name,
            task=task,
            license=classify(each.licence),
            parameters=each.parameters or 0,
            context=0,
            good_at=f"{each.downloads:,} downloads a month",
            where="to fetch",
            disk_bytes=each.bytes or 0,
            gated=each.gated,
            source=f"https://huggingface.co/{each.name}",
            fits=fits,
            best=best,
            reason=reason,
        )
        found.append(choice)
    asked = [wanted.tune is not None or each.name.lower() == wanted.query.lower() for each in found]
    with ThreadPoolExecutor(WORKERS) as pool:
        found = list(pool.map(partial(_measured_if, sizer), found, asked))
    return [each for each in found if dataclasses.replace(wanted, query="").takes(each)]


def _measured_if(sizer: Sizer, choice: Choice, asked: bool) -> Choice:
    """Measure a model if that is asked for and possible."""
    if not asked or not choice.runs or choice.tunings:
        return choice
    try:
        return measured(choice, sizer)
    except ModelError:  # it asks for consent, or is broken: loading it says which
        return choice


def measured(choice: Choice, sizer: Sizer) -> Choice:
    """Return a model of the hub with what it takes in full, from the heads of its files.

    Args:
        choice: what the search found.
        sizer: of the device where it would run.

    Raises:
        ModelError: the hub does not give it, or its files are broken; one of its subclasses also
            where the network is off or does not answer.
    """
    remote = remote_census(choice.name)
    census, shape = census_of(remote.tensors, remote.config), shape_of(remote.config)
    fits, best, reason = sizer.of_task(choice.task, census, shape)
    return dataclasses.replace(
        choice,
        parameters=census.parameters,
        context=shape.context,
        disk_bytes=remote.bytes,
        fits=fits,
        best=best,
        reason=reason,
        tunings=sizer.tunings(choice.task, census, shape),
    )
