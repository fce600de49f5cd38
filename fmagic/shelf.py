"""The models that a session holds, by name."""

from __future__ import annotations

import contextlib
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from fmagic.drive import Unwatched, tidy
from fmagic.errors import (
    FmagicError,
    Interrupted,
    ModelNotFoundError,
    OptionError,
    OutOfMemoryError,
    UnsuitableModelError,
    did_you_mean,
)
from fmagic.fetching import Fetching
from fmagic.shield import import_whole

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fmagic.drive import Watch
    from fmagic.models.devices import Device
    from fmagic.models.holdings import Held
    from fmagic.models.language import LanguageModel
    from fmagic.models.loaded import Loaded
    from fmagic.models.remote.loading import Access
    from fmagic.models.spec import ModelSpec
    from fmagic.models.writer import Writer
    from fmagic.settings import Fmagic

TO_LOAD = ("torch", "transformers.generation", "fmagic.models.loader", "fmagic.models.language")
"""What is imported before a model is loaded; a second or more, the first time."""


class Shelf:
    """Loads, names, finds and frees models.

    Attributes:
        settings: defaults and limits.
        by_name: what is loaded, in the order of loading.
        current: name of the model that is used when none is named.
    """

    def __init__(self, settings: Fmagic) -> None:
        self.settings = settings
        self.by_name: dict[str, Loaded] = {}
        self.current: str | None = None
        # Held while weights are read or used: the picker loads in a thread of its own.
        self.busy = threading.RLock()

    @tidy
    def load(
        self,
        spec: str,
        *,
        name: str | None = None,
        revision: str | None = None,
        quant: str | None = None,
        dtype: str | None = None,
        device: str | None = None,
        adapter: str | Path | None = None,
        trust_remote_code: bool = False,
        allow_pickle: bool = False,
        key_env: str | None = None,
        price_in: float | None = None,
        price_out: float | None = None,
        concurrency: int | None = None,
        watch: Watch | None = None,
    ) -> Loaded:
        """Load a model and make it the current one.

        A model of the hub that is not on this disk is fetched first; a notebook shows how far it is.

        Args:
            spec: `tiny`, `org/name[@revision]`, a folder, the name of a tuned model, or
                `http(s)://host:port/v1#name` of a server that speaks the OpenAI protocol.
            name: to call it by; the last part of the spec if not given. A model that has the name
                already is freed first.
            revision: branch, tag or commit of a model of the hub, as in `org/name@revision`; the
                record of a run holds the commit.
            quant: `auto`, `nf4`, `int8` or `none`; auto weighs what fits and what is fastest.
            dtype: of unquantized weights, such as `bfloat16`; the device's fastest if not given.
            device: `cuda`, `cuda:1`, `mps` or `cpu`, or `auto`: as many GPUs as it takes, and if
                they are too small the processor's memory beside them.
            adapter: folder of a peft adapter to put on the model.
            trust_remote_code: run code from the model's repository.
            allow_pickle: load weights that are not safetensors.
            key_env: environment variable with the key to a server.
            price_in: US dollars for a million tokens that a server reads.
            price_out: US dollars for a million tokens that it writes.
            concurrency: most requests to a server at once.
            watch: sees the fetching; the display of the front if not given.

        Raises:
            ModelError: it cannot be found, loaded, trusted, or does not fit.
            OptionError: an option does not exist or does not go with this model or device.
        """
        from fmagic.models.loader import load
        from fmagic.models.remote.loading import Access, connect
        from fmagic.models.spec import at_revision, parse_spec

        parsed = parse_spec(spec, models_dir=Path(self.settings.models_dir))
        if parsed.kind != "remote":
            import_whole(*TO_LOAD)
        if revision is not None:
            parsed = at_revision(parsed, revision)
        name = name or Path(parsed.name_there or parsed.name).name
        replaced = self.by_name.get(name)
        access = Access(key_env, price_in, price_out, concurrency)
        here = {
            "--quant": quant,
            "--dtype": dtype,
            "--device": device,
            "--adapter": adapter,
            "--trust-remote-code": trust_remote_code,
            "--allow-pickle": allow_pickle,
        }
        _must_go_together(parsed, access, [option for option, value in here.items() if value])
        model: Loaded
        if parsed.kind == "remote":
            model = connect(parsed, name=name, access=access, settings=self.settings)
            if replaced is not None:
                replaced.unload()
            return self._keep(name, model)
        try:
            with Fetching(parsed.name, (lambda: watch) if watch else self.watch) as fetching:
                model = load(
                    parsed,
                    name=name,
                    quant=quant or self.settings.quant,
                    dtype=dtype,
                    device=device or self.settings.device,
                    adapter=adapter,
                    trust_remote_code=trust_remote_code,
                    allow_pickle=allow_pickle,
                    progress=fetching,
                    settings=self.settings,
                    replaces=replaced,
                    beside=self.by_name.values(),
                    alone=self._reading(),
                )
        except BaseException as error:
            gone = ""
            if replaced is not None and not replaced.is_loaded:
                self._forget(name)
                gone = f"{name} was freed to make room; `%model {replaced.spec}` loads it again."
            if isinstance(error, KeyboardInterrupt) and gone:
                raise Interrupted(f"Stopped. {gone}") from None
            more = self._offer(device) if isinstance(error, OutOfMemoryError) else ""
            if isinstance(error, FmagicError) and (gone or more):
                said = "\n".join(filter(None, (str(error), gone, more)))
                raise type(error)(said) from error.__cause__
            raise
        return self._keep(name, model)

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        """Let nothing else read or use weights, and free what was kept for speed alone."""
        with self.busy:
            for each in self.by_name.values():
                each.trim()
            yield

    def _keep(self, name: str, model: Loaded) -> Loaded:
        from fmagic.models.sharing import count_once

        self.by_name.pop(name, None)  # a dict keeps the old place of a name otherwise
        self.by_name[name] = model
        self.current = name
        count_once(self.by_name.values())
        self.changed()
        return model

    def _offer(self, device: str | None) -> str:
        """Say what this kernel could free on a device, the longest unused model first."""
        from fmagic.models.devices import detect
        from fmagic.models.holdings import offer

        return offer(self.holdings(detect(device or self.settings.device)))

    def holdings(self, device: Device) -> list[Held]:
        """Return what this kernel holds on a device, see `fmagic.models.holdings`."""
        from fmagic.models.holdings import holdings

        return holdings(self.by_name.values(), self.user_variables(), device)

    def user_variables(self) -> Mapping[str, object]:
        """Return the user's variables; a shelf alone knows none."""
        return {}

    def unload(self, name: str | None = None, *, everything: bool = False) -> int:
        """Free one model, the current one if no name is given, or all.

        Returns:
            The bytes that came back: resident memory on a CPU, the allocator's on a GPU.
        """
        if everything:
            return sum(self.unload(each) for each in list(self.by_name))
        if name is None and self.current is None:
            raise ModelNotFoundError("No model is loaded.")
        name = name or self.current
        assert name is not None
        if name not in self.by_name:
            raise ModelNotFoundError(
                f"No loaded model is called {name!r}.{did_you_mean(name, self.by_name)}"
            )
        from fmagic.models.sharing import count_once

        freed = self.by_name[name].unload()
        self._forget(name)
        count_once(self.by_name.values())
        return freed

    def _forget(self, name: str) -> None:
        del self.by_name[name]
        if self.current == name:
            self.current = next(reversed(self.by_name), None)
        self.changed()

    def changed(self) -> None:
        """Tell whoever shows what is loaded; a shelf alone tells nobody."""

    def watch(self) -> Watch:
        """Return someone to watch a model being fetched; a shelf alone shows nobody."""
        return Unwatched()

    def model(self, name: str | Loaded | None = None) -> Loaded:
        """Return a loaded model: the current one, one by name, or one loaded now by its spec."""
        from fmagic.models.loaded import Loaded
        from fmagic.models.spec import parse_spec

        if isinstance(name, Loaded):
            return self._held(name)
        if not isinstance(name, str | None):
            raise OptionError(
                f"model takes the name of a model, or what load returned, not {name!r}."
            )
        if name is None:
            if self.current is None:
                raise ModelNotFoundError(
                    "No model is loaded. `%model tiny` loads the bundled one, which works offline."
                )
            return self._used(self.by_name[self.current])
        if (named := self.by_name.get(name)) is not None:
            if named.adapter is not None and name == str(named.spec) and named.spec.kind != "tuned":
                raise OptionError(
                    f"{name} is loaded with the adapter {named.adapter}, and --model {name} means it "
                    f"without. `%model {name}` loads that; without --model the current one is used."
                )
            return self._used(named)
        spec = parse_spec(name, models_dir=Path(self.settings.models_dir))
        for model in self.by_name.values():
            if model.spec == spec and (model.adapter is None or spec.kind == "tuned"):
                return self._used(model)
        current = self.current
        try:
            return self.load(name, name=self._name_beside(spec))
        finally:
            # A model that is named for one cell does not become the current one.
            if current in self.by_name:
                self.current = current
            self.changed()

    def _held(self, model: Loaded) -> Loaded:
        """Return a model that `load` gave out, or the same if it was loaded anew since."""
        held = self.by_name.get(model.name)
        if held is None or (held.spec, held.adapter) != (model.spec, model.adapter):
            raise ModelNotFoundError(
                f"The {model.name} that was handed over is not loaded any more. Load {model.spec} "
                "again, and hand over what that returns."
            )
        return self._used(held)

    def _name_beside(self, spec: ModelSpec) -> str:
        """Return what to call a model so that it takes no other's place."""
        name = Path(spec.name_there or spec.name).name
        if name not in self.by_name:
            return name
        if spec.revision is not None:
            return f"{name}@{spec.revision}"
        return "/".join((spec.path or Path(spec.name)).parts[-2:])

    @staticmethod
    def _used(model: Loaded) -> Loaded:
        model.used = time.monotonic()
        return model

    def writer(self, name: str | Loaded | None, verb: str) -> Writer:
        """Return a model that writes text, for the magic `verb`."""
        from fmagic.models.writer import Writer

        model = self.model(name)
        if not isinstance(model, Writer):
            raise UnsuitableModelError(
                f"{model.name} is an encoder: it makes vectors and writes no text, so {verb} cannot "
                "use it. Use it with %%embed, or load a causal model, for example `%model tiny`."
            )
        return model

    def trainable_base(self, name: str | Loaded | None, tuned: str) -> LanguageModel:
        """Return the model that a tuning to be called `tuned` starts from.

        The base of an adapter, never the adapter: tuning again must not stack one on another.
        """
        model = self._trainable(name)
        if model.adapter is None and model.name != tuned:
            return model
        base = tuning_of(model)
        if base is None and model.adapter is None:
            raise OptionError(
                f"{tuned} is loaded already and is not a tuned model. Choose another name with --as."
            )
        if base is None:
            raise OptionError(
                f"{model.name} carries the adapter {model.adapter}, and adapters are not stacked. "
                "Load its base with %model, and tune that."
            )
        if name is not None and model.name != tuned:
            raise OptionError(
                f"{model.name} is a tuned model, and adapters are not stacked. "
                f"Tune its base instead: --model {base}."
            )
        for other in self.by_name.values():
            if str(other.spec) == base and other.adapter is None and other.name != tuned:
                return self._trainable(other.name)
        return self._trainable(base)

    def _trainable(self, name: str | Loaded | None) -> LanguageModel:
        from fmagic.models.language import LanguageModel

        model = self.writer(name, "%%finetune")
        if not isinstance(model, LanguageModel):
            raise UnsuitableModelError(
                f"{model.name} runs on {model.device.name}, and %%finetune trains in this kernel. "
                "Name a model of this machine, for example --model tiny."
            )
        if model.device.parts:
            raise UnsuitableModelError(
                f"{model.name} is spread over {model.device}, and %%finetune trains on one device. "
                f"Load it on one: `%model {model.spec} --device cuda --quant nf4`."
            )
        return model


def _must_go_together(spec: ModelSpec, access: Access, here: list[str]) -> None:
    if spec.kind == "remote" and here:
        raise OptionError(
            f"{', '.join(here)} cannot change a model on a server: it decides how its models run."
        )
    if spec.kind != "remote" and access.given:
        raise OptionError(
            f"{', '.join(access.given)} is for a model on a server: "
            "%model http://localhost:8000/v1#name."
        )


def tuning_of(model: Loaded) -> str | None:
    """Return the spec of the base that a tuned model was made from; `None` for other models."""
    from fmagic.models.spec import TUNED_FILE, read_json

    if model.spec.kind != "tuned" or model.spec.path is None:
        return None
    base = (read_json(model.spec.path / TUNED_FILE) or {}).get("base")
    return base if isinstance(base, str) else None
