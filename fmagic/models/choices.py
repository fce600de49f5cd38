"""What can be picked: models on this disk and of the curated list, with licence and fit, ranked."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from fmagic.errors import OptionError, did_you_mean
from fmagic.models import quant
from fmagic.models.catalog import listing
from fmagic.models.devices import parse_bytes
from fmagic.models.fit import Census, Fit, Training, estimate
from fmagic.models.known import TASKS, find, known_models
from fmagic.models.licenses import KINDS
from fmagic.models.precision import BYTES, choose_dtype
from fmagic.models.sizing import local_size

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from fmagic.models.catalog import Entry
    from fmagic.models.devices import Device
    from fmagic.models.known import KnownModel
    from fmagic.models.licenses import License
    from fmagic.models.shape import Shape

PLAIN = "none"  # the method that quantizes nothing
TUNED_ON = {"lora": PLAIN, "qlora": "nf4", "full": PLAIN}  # ways of tuning, and of their weights
CONTEXT = 2048  # tokens of prompt and answer together, for which the fit is worked out
WRITES = ("text-generation", "seq2seq")
RUNS = (*WRITES, "embedding")  # tasks that fmagic runs
_PARAMETERS = re.compile(r"(\d+(?:\.\d+)?)\s*([bm])", re.IGNORECASE)
_MILLION, _BILLION = 10**6, 10**9


@dataclass(frozen=True, slots=True)
class Choice:
    """A model that can be picked.

    Attributes:
        name: as `%model` takes it.
        task: what it is for, a name of `known.TASKS`; empty if its files do not say.
        license: of its weights.
        parameters: how many, 0 if its files do not say.
        context: most tokens that it reads and writes together, 0 if unknown or without bound.
        good_at: in one line, of models of the curated list.
        where: `bundled`, `tuned`, `on disk`, `to fetch` or `loaded as NAME`.
        disk_bytes: on this disk, or to fetch; 0 if unknown.
        gated: whether the hub asks for consent first.
        source: address of the facts, empty for a model of this disk alone.
        fits: what it takes with each quantization that works on this device; empty if unknown.
        best: name of the quantization that `--quant auto` takes.
        reason: why that one.
        tunings: what tuning it takes with each method that works on this device.
    """

    name: str
    task: str
    license: License
    parameters: int
    context: int
    good_at: str
    where: str
    disk_bytes: int
    gated: bool
    source: str
    fits: Mapping[str, Fit]
    best: str
    reason: str
    tunings: Mapping[str, Fit] = field(default_factory=dict)

    @property
    def runs(self) -> bool:
        """Whether fmagic runs models of its task."""
        return self.task in RUNS or not self.task

    @property
    def is_here(self) -> bool:
        """Whether it is on this disk."""
        return self.where != "to fetch"

    @property
    def fit(self) -> Fit | None:
        """What it takes with the quantization that is best; `None` if that is unknown."""
        return self.fits.get(self.best)

    def needed(self, tune: str | None) -> Fit | None:
        """Return what it takes to answer, or to be tuned with a method; `None` if unknown."""
        return self.tunings.get(tune) if tune else self.fit

    @property
    def advice(self) -> str:
        """What it takes of what is free, how it would be loaded and why, in one line."""
        return self._said(f" of {self.fit.free_said} free" if self.fit else "")

    @property
    def brief(self) -> str:
        """The same for a list, above which stands what is free."""
        return self._said("")

    def _said(self, free: str) -> str:
        if self.fit is None:
            if self.where.startswith("loaded"):
                return ""
            return "size unknown" if self.runs else "fmagic does not run this task yet"
        room = f"{self.fit.said}{free}"
        if self.best != PLAIN:
            room = f"{self.best}: {room}"
        others = [each for each in self.fits.values() if each.method != self.best]
        if not self.fit.fits:
            least = min(self.fits.values(), key=lambda each: each.total)
            lacking = f"{method_said(least.method)} would need {least.said}"
            return f"{lacking}, {least.free_said} are free" if free else lacking
        if self.best != PLAIN and (larger := [each for each in others if not each.fits]):
            need = " and ".join(f"{method_said(each.method)} {each.said}" for each in larger)
            return f"{room}; {need} would not fit"
        return room if self.fit.is_comfortable else f"{room}, which is tight"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which models to show.

    Attributes:
        query: part of a name, or of what the model is good at.
        task: a name of `known.TASKS`.
        license: a class (`open`, `restricted`, `commercial`, `unknown`) or an identifier.
        fits: only what fits into the memory that is free.
        cached: only what is on this disk.
        max_size: `3B` or `500M` parameters, or `5GB` of memory.
        tune: `lora`, `qlora` or `full`: only what can be tuned so, and `fits`, `max_size` and the
            order are about that.

    Raises:
        OptionError: no such task, class or method, or `max_size` is no size.
    """

    query: str = ""
    task: str | None = None
    license: str | None = None
    fits: bool = False
    cached: bool = False
    max_size: str | None = None
    tune: str | None = None

    def __post_init__(self) -> None:
        if self.task is not None and self.task not in TASKS:
            raise OptionError(
                f"There is no task {self.task!r}.{did_you_mean(self.task, TASKS)} "
                f"It is one of {', '.join(TASKS)}."
            )
        if self.license is not None:
            known = {*KINDS, *(each.license.id for each in known_models())}
            if self.license.lower() not in known:
                raise OptionError(
                    f"There is no licence {self.license!r}.{did_you_mean(self.license, known)} "
                    f"It is a class ({', '.join(KINDS)}) or an identifier such as apache-2.0."
                )
        if self.max_size is not None:
            largest(self.max_size)
        if self.tune is not None and self.tune not in TUNED_ON:
            raise OptionError(
                f"There is no method {self.tune!r} of tuning."
                f"{did_you_mean(self.tune, TUNED_ON)} It is one of {', '.join(TUNED_ON)}."
            )

    def takes(self, choice: Choice) -> bool:
        """Tell whether a model is to be shown."""
        words = f"{choice.name} {choice.good_at}".lower()
        asked = self.license and self.license.lower()
        needed = choice.needed(self.tune)
        return (
            self.query.lower() in words
            and self.task in (None, choice.task)
            and asked in (None, choice.license.kind, choice.license.id.lower())
            and (self.tune is None or needed is not None)
            and (not self.fits or (needed is not None and needed.fits))
            and (not self.cached or choice.is_here)
            and (self.max_size is None or self._is_within(choice, self.max_size))
        )

    def _is_within(self, choice: Choice, size: str) -> bool:
        what, bound = largest(size)
        if what == "parameters":
            return 0 < choice.parameters <= bound
        fits = [choice.tunings[self.tune]] if self.tune else choice.fits.values()
        return any(each.total <= bound for each in fits)


def method_said(name: str) -> str:
    """Return how a method is called where it stands in a sentence."""
    return "unquantized" if name == PLAIN else name


def largest(text: str) -> tuple[str, float]:
    """Return what `3B`, `500M` or `5GB` bounds, `parameters` or `memory`, and by how much.

    Raises:
        OptionError: it is neither.
    """
    if match := _PARAMETERS.fullmatch(text.strip()):
        return "parameters", float(match[1]) * (_BILLION if match[2].lower() == "b" else _MILLION)
    try:
        return "memory", parse_bytes(text)
    except OptionError:
        raise OptionError(
            f"{text!r} is no size. Write 3B or 500M for parameters, or 5GB for memory."
        ) from None


class Sizer:
    """Works out what models take on one device; looks only once at what works there.

    Args:
        device: where they would run.
    """

    def __init__(self, device: Device) -> None:
        self.device = device
        self._width = BYTES[choose_dtype(None, device)]
        self._methods = {
            name: method
            for name, method in quant.methods().items()
            if quant.why_not(method, device) is None
        }

    def fit(
        self,
        census: Census,
        shape: Shape,
        method: quant.Method,
        *,
        writes: bool,
        training: Training | None = None,
    ) -> Fit:
        """Return what a model takes with a method."""
        return estimate(
            shape,
            census,
            method,
            self.device,
            dtype_bytes=self._width,
            context=min(shape.context or CONTEXT, CONTEXT),
            writes=writes,
            training=training,
        )

    def fits(
        self, census: Census, shape: Shape, *, writes: bool
    ) -> tuple[dict[str, Fit], str, str]:
        """Return what a model takes with each method, the best of them, and why."""
        fits = {
            name: self.fit(census, shape, method, writes=writes)
            for name, method in self._methods.items()
            if census.linear or method.bytes_per_parameter is None
        }
        chosen = quant.choose(
            self.device,
            lambda method: self.fit(census, shape, method, writes=writes),
            parameters=census.parameters,
            writes=writes,
            among=self._methods,
        )
        return fits, chosen.method.name, chosen.reason

    def of_task(
        self, task: str, census: Census | None, shape: Shape | None
    ) -> tuple[dict[str, Fit], str, str]:
        """Return the same for a model of a task; nothing where sizes lack, or fmagic cannot run it."""
        if census is None or shape is None or (task and task not in RUNS):
            return {}, "", ""
        return self.fits(census, shape, writes=task != "embedding")

    def tunings(self, task: str, census: Census | None, shape: Shape | None) -> dict[str, Fit]:
        """Return what tuning a model takes with each method; nothing if it writes no text.

        Args:
            task: of the model.
            census: its weights, if they are known.
            shape: of its architecture, if that is known.
        """
        if census is None or shape is None or not shape.layers or task not in WRITES:
            return {}
        return {
            way: self.fit(census, shape, base, writes=True, training=Training(way))
            for way, method in TUNED_ON.items()
            if (base := self._methods.get(method)) is not None
            and (census.linear or base.bytes_per_parameter is None)
        }


def choices(models_dir: Path, device: Device, wanted: Wanted | None = None) -> list[Choice]:
    """Return what can be picked, ranked: what fits first, then what is here, then by size.

    What fmagic cannot run comes last.

    Args:
        models_dir: where `%%finetune` saves models.
        device: where they would run.
        wanted: which to show; all if not given.
    """
    wanted, sizer = wanted or Wanted(), Sizer(device)
    entries = listing(models_dir)
    by_name = {entry.name: entry for entry in entries}
    here = [_of_disk(entry, by_name.get(entry.base or ""), sizer) for entry in entries]
    names = {each.name.lower() for each in here}
    to_fetch = [of_list(each, sizer) for each in known_models() if each.name.lower() not in names]
    found = [each for each in [*here, *to_fetch] if wanted.takes(each)]
    return sorted(found, key=partial(_rank, tune=wanted.tune))


_GOOD_AT = {"tiny": "first cells and lessons without a network; its few tasks and nothing else"}


def _rank(choice: Choice, *, tune: str | None) -> tuple[object, ...]:
    needed = choice.needed(tune)
    fits = needed is not None and needed.fits
    return (
        not choice.runs,
        not fits,
        not choice.is_here,
        choice.parameters or 10**15,
        choice.name.lower(),
    )


def _of_disk(entry: Entry, base: Entry | None, sizer: Sizer) -> Choice:
    known = find(entry.name) if entry.source == "hub" else None
    if known is not None:
        return of_list(known, sizer, entry)
    # An adapter takes what its base takes, and a little more.
    whole = entry if base is None or entry.architecture else base
    sizes = local_size(whole.path)
    task = _task_of(whole)
    fits, best, reason = sizer.of_task(task, *(sizes or (None, None)))
    return Choice(
        name=entry.name,
        task=task,
        license=entry.license,
        parameters=sizes[0].parameters if sizes else 0,
        context=sizes[1].context if sizes else 0,
        good_at=f"tuned from {entry.base}" if entry.base else _GOOD_AT.get(entry.source, ""),
        where={"tiny": "bundled", "tuned": "tuned"}.get(entry.source, "on disk"),
        disk_bytes=entry.bytes,
        gated=False,
        source="",
        fits=fits,
        best=best,
        reason=reason,
        # An adapter cannot be tuned on: a new one starts from its base.
        tunings=sizer.tunings(task, *(sizes or (None, None))) if whole is entry else {},
    )


def of_list(known: KnownModel, sizer: Sizer, entry: Entry | None = None) -> Choice:
    """Return a model of the curated list as a choice.

    Args:
        known: the model.
        sizer: of the device where it would run.
        entry: of this disk, if the model is there.
    """
    fits, best, reason = sizer.of_task(known.task, known.census, known.shape)
    stored = known.stored_bytes or 2 * known.parameters
    return Choice(
        name=known.name,
        task=known.task,
        license=entry.license if entry else known.license,
        parameters=known.parameters,
        context=known.context,
        good_at=known.good_at,
        where="on disk" if entry else "to fetch",
        disk_bytes=entry.bytes if entry else stored,
        gated=known.gated,
        source=known.source,
        fits=fits,
        best=best,
        reason=reason,
        tunings=sizer.tunings(known.task, known.census, known.shape),
    )


def _task_of(entry: Entry) -> str:
    """Return the task that an architecture's name tells, empty if it tells none."""
    architecture = entry.architecture
    if entry.reads_images_too:
        return "text-generation"  # its name is that of an encoder-decoder
    endings = {
        "ForCausalLM": "text-generation",
        "LMHeadModel": "text-generation",
        "ForConditionalGeneration": "seq2seq",
        "Model": "embedding",
        "ForMaskedLM": "embedding",
        "ForSequenceClassification": "embedding",
        "ForImageClassification": "image-classification",
    }
    return next(
        (task for end, task in endings.items() if architecture and architecture.endswith(end)), ""
    )
