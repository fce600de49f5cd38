"""Puts a model together from files on this disk: its weights, its tokenizer, an adapter.

What can be known from files is looked at first; then the model that is replaced is freed, and only
then weights are read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fmagic.errors import OptionError
from fmagic.models import copies, fit, keeping, quant, sharing, spread
from fmagic.models.adapters import attach
from fmagic.models.architecture import make_plan
from fmagic.models.checkpoint import find_weights
from fmagic.models.measures import context_length, weight_bytes
from fmagic.models.placing import find_place
from fmagic.models.precision import choose_dtype
from fmagic.models.quiet import hush_casts
from fmagic.models.reading import load_module, load_tokenizer, method_options, must_work, skeleton

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fmagic.models.adapters import Adapter
    from fmagic.models.architecture import Plan
    from fmagic.models.checkpoint import Weights
    from fmagic.models.devices import Device
    from fmagic.models.encoder import Encoder
    from fmagic.models.hub import LocalModel
    from fmagic.models.language import LanguageModel
    from fmagic.models.licenses import License
    from fmagic.models.loaded import Loaded
    from fmagic.models.spec import ModelSpec
    from fmagic.settings import Fmagic


@dataclass(frozen=True, slots=True)
class Request:
    """How a model was asked for, with names resolved.

    Attributes:
        quant: `auto`, `none`, or a method of `fmagic.models.quant`.
        dtype: of unquantized weights; `None` or `auto` leaves it to fmagic.
        ways: devices to be tried one after the other.
        trust_remote_code: run Python files of the model if transformers has no class for it.
        allow_pickle: read pickled weights if there are no safetensors.
        notice: what the user should know of it.
    """

    quant: str
    dtype: str | None
    ways: tuple[Device, ...]
    trust_remote_code: bool
    allow_pickle: bool
    notice: str | None = None

    @property
    def takes_any_dtype(self) -> bool:
        """Whether the type of numbers is left to fmagic."""
        return self.dtype in (None, "auto")


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be put together.

    Attributes:
        spec: of the model.
        base: of the weights; another model if `spec` is an adapter.
        local: where the weights are.
        adapter: to put on them.
        request: how it was asked for.
        name: under which the session knows it; the model's own name if `None`.
        settings: of the session.
        replaces: a model that is freed before weights are read.
        beside: models in memory that may lend their weights to an adapter.
        stated: licence of the weights.
    """

    spec: ModelSpec
    base: ModelSpec
    local: LocalModel
    adapter: Adapter | None
    request: Request
    name: str | None
    settings: Fmagic
    replaces: Loaded | None
    beside: Iterable[Loaded]
    stated: License


@dataclass(frozen=True, slots=True)
class _Files:
    """What the files say before a weight is read; `empty` is the network without them."""

    plan: Plan
    weights: Weights
    tokenizer: Any
    empty: Any
    census: fit.Census


@dataclass(frozen=True, slots=True)
class _Place:
    """Where and how the weights will be; `needed` is `None` where `lender` has them already."""

    device: Device
    dtype: str
    choice: quant.Choice
    needed: fit.Fit | None
    lender: Loaded | None


def build(order: Order) -> LanguageModel | Encoder:
    """Read a model into memory.

    Raises:
        ModelError: one of its subclasses says why the model cannot be loaded.
        OptionError: an option has a value that does not work here.
        UnfitTypeError: it does not work in the type of numbers that was chosen.
    """
    from fmagic.models.encoder import Encoder
    from fmagic.models.language import LanguageModel

    files = _look(order)
    plan, place = files.plan, _find_place(order, files)
    if order.replaces is not None:
        order.replaces.unload()
    device, notices = place.device, [plan.notice, order.request.notice]
    if place.lender is not None:
        module = sharing.share(place.lender.module)
    else:
        module, said = _read(order, files, place)
        device = spread.settled(device, module)
        notices += [*said, spread.warning(device, module)]
    if order.adapter is not None and spread.offloads(device):
        raise OptionError(
            f"{order.spec.name} does not fit on the GPUs, and an adapter cannot be put on a model of "
            "which a part stays in the processor's memory. Add --quant nf4."
        )
    taken = weight_bytes(module)
    if order.adapter is not None:
        module, notice = attach(module, order.adapter, files.tokenizer)
        notices += [notice, order.adapter.notice]
    if place.choice.method.name == "int8":
        hush_casts(module)
    encodes = plan.kind == "encoder"
    return (Encoder if encodes else LanguageModel)(
        name=order.name or order.spec.name,
        spec=order.spec,
        kind=plan.kind,
        module=module,
        tokenizer=files.tokenizer,
        folder=order.local.root,
        device=device,
        dtype=place.dtype,
        quant=place.choice.method.name,
        quant_reason=place.choice.reason,
        revision=order.spec.revision if order.spec.kind == "tuned" else order.local.revision,
        adapter=order.adapter.name if order.adapter else None,
        adapter_run=order.adapter.run if order.adapter else None,
        parameters=files.census.parameters,
        weight_bytes=taken,
        context_length=context_length(module, files.tokenizer, encoder=encodes),
        batch_tokens=order.settings.batch_tokens,
        notices=tuple(filter(None, [*notices, *_traits(order, plan, module)])),
        license=order.stated,
        trust_remote_code=plan.with_code,
        allow_pickle=files.weights.pickled,
    )


def _look(order: Order) -> _Files:
    local, label = order.local, order.spec.name
    plan = make_plan(
        local.path,
        name=label,
        trust_remote_code=order.request.trust_remote_code,
        is_vectors=(local.root / "modules.json").is_file(),
    )
    weights = find_weights(local.path, allow_pickle=order.request.allow_pickle)
    tokenizer = load_tokenizer(local, plan, label)
    empty = skeleton(plan)
    return _Files(plan, weights, tokenizer, empty, fit.take_census(empty))


def _find_place(order: Order, files: _Files) -> _Place:
    request, local = order.request, order.local
    dtype = choose_dtype(request.dtype, request.ways[0])
    lends = order.adapter and sharing.lender(
        order.beside,
        local.root,
        local.revision,
        quant=None if request.quant == quant.AUTO else request.quant,
        # A base may have needed another type than the usual one.
        dtype=None if request.takes_any_dtype else dtype,
        devices=[str(part) for way in request.ways for part in way.each],
    )
    if lends:
        method = quant.get(lends.quant, lends.device)
        choice = quant.Choice(method, f"it shares the weights of {lends.name}")
        return _Place(lends.device, lends.dtype, choice, None, lends)
    device, choice, needed = find_place(
        files.plan,
        files.census,
        ways=request.ways,
        asked=request.quant,
        dtype=dtype,
        label=order.spec.name,
    )
    return _Place(device, dtype, choice, needed, None)


def _read(order: Order, files: _Files, place: _Place) -> tuple[Any, list[str | None]]:
    """Return a network with its weights, and notices: from its quantized copy if there is one."""
    local, plan, method, label = order.local, files.plan, place.choice.method, order.spec.name
    options = method_options(plan, files.empty, method, place.dtype)
    alone = not place.device.parts  # a copy is for one device
    shelf = (order.settings.keep_quantized and alone) and copies.place_of(
        copies.root_of(order.settings.cache_dir),
        order.base,
        local,
        files.weights,
        plan=plan,
        method=method,
        options=options,
        dtype=place.dtype,
        device=place.device,
        parameters=files.census.parameters,
    )
    module, broken = keeping.read(shelf) if shelf else (None, None)
    kept = None
    if module is None:
        assert place.needed is not None
        module = load_module(
            local.path,
            plan,
            dtype=place.dtype,
            placement=spread.placement(place.device, place.needed),
            pickled=files.weights.pickled,
            options=options,
            label=label,
        )
        logits = must_work(module, files.tokenizer, method.name, place.dtype, label)
        if shelf:
            fresh = keeping.Fresh(module, files.tokenizer, logits, files.census.parameters)
            kept = keeping.keep(shelf, fresh)
    return module, [broken, kept]


def _traits(order: Order, plan: Plan, module: Any) -> Iterator[str]:
    """Yield what the user should know of how this model works."""
    from fmagic.models.generating import beams_of

    label = order.spec.name
    if plan.kind == "encoder" and order.local.doubtful:
        yield (
            f"How the vectors of {label} are pooled could not be looked up; the mean of the tokens is "
            f"taken. With a network, `hf download {order.base.name}` fetches what its makers say."
        )
    if plan.kind == "seq2seq" and (beams := beams_of(module)) > 1:
        yield (
            f"{label} searches with {beams} beams, as its makers set it: answers come whole, unless "
            "--temperature is above 0."
        )
