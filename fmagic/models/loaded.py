"""A model in memory: what it is, how it was loaded, and how its memory comes back."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal

from fmagic.errors import ModelError
from fmagic.models.devices import held_bytes
from fmagic.models.licenses import UNKNOWN, License

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import numpy as np

    from fmagic.models.devices import Device
    from fmagic.models.spec import ModelSpec

Kind = Literal["causal", "seq2seq", "encoder"]


@dataclass(eq=False, kw_only=True)
class Loaded:
    """A model in memory; made by `fmagic.models.loader.load`.

    Attributes:
        name: under which a session knows it.
        spec: what the user asked for.
        kind: `causal` and `seq2seq` write text, an `encoder` makes vectors.
        module: the torch module, in evaluation mode; peft's wrapper where there is an adapter.
        tokenizer: of transformers.
        folder: with its files, where pooling and licence are read.
        device: on which it runs.
        dtype: of its unquantized weights, as torch writes it without `torch.`.
        quant: name of the quantization method.
        quant_reason: why that method, in words for the user.
        revision: commit of the hub, `None` for a local folder.
        adapter: name of the adapter that is attached, `None` without one.
        adapter_run: id of the run that made the adapter, `None` if it was made elsewhere.
        parameters: number of weights, each quantized one counted as one.
        weight_bytes: what the weights take in memory, quantization constants included.
        context_length: most tokens that it reads and writes together.
        batch_tokens: most tokens of one pass, padding included.
        notices: what the user should know about how it was loaded.
        used: when it was last asked for, by a clock of this process.
        license: of the weights; with an adapter the one of the two that asks more.
        trust_remote_code: whether Python files of its repository run.
        allow_pickle: whether its weights are pickled.
    """

    name: str
    spec: ModelSpec
    kind: Kind
    module: Any = field(repr=False)
    tokenizer: Any = field(repr=False)
    folder: Path = field(repr=False)
    device: Device
    dtype: str
    quant: str = "none"
    quant_reason: str = ""
    revision: str | None = None
    adapter: str | None = None
    adapter_run: str | None = None
    parameters: int = 0
    weight_bytes: int = 0
    context_length: int = 0
    batch_tokens: int = 8192
    notices: tuple[str, ...] = ()
    license: License = UNKNOWN
    trust_remote_code: bool = False
    allow_pickle: bool = False
    used: float = field(default_factory=time.monotonic, repr=False)

    def __getattr__(self, name: str) -> Any:
        # Only what is missing gets here: `unload` removes these two.
        if name in ("module", "tokenizer"):
            raise ModelError(f"{self.name} was unloaded. `%model {self.spec}` loads it again.")
        raise AttributeError(name)

    @property
    def is_loaded(self) -> bool:
        """Whether the model is still in memory."""
        return "module" in self.__dict__

    @property
    def network(self) -> Any:
        """The model itself; adapters sit inside its layers, so peft's wrapper is not needed."""
        unwrap = getattr(self.module, "get_base_model", None)
        return unwrap() if unwrap else self.module

    def remarks(self) -> Sequence[str]:
        """Return what is worth knowing about how the model runs, once it has run."""
        return ()

    def trim(self) -> None:
        """Free what is kept only for the speed of the next answer; most models keep nothing."""

    def info(self) -> dict[str, Any]:
        """Return what a run's record says about the model."""
        return {
            "name": str(self.spec) if self.spec.kind != "folder" else self.name,
            "revision": self.revision,
            "quant": self.quant,
            "dtype": self.dtype,
            "device": str(self.device),
            "adapter": self.adapter,
            "license": self.license.info(),
            "trust_remote_code": self.trust_remote_code or None,
            "allow_pickle": self.allow_pickle or None,
        }

    def passages(self, texts: Sequence[str], *, truncate: bool = False) -> list[Any]:
        """Return texts as `vectors` takes them.

        Raises:
            ContextLengthError: a text is longer than the model reads, and `truncate` is false.
        """
        from fmagic.models.encoder import tokenize

        return list(tokenize(self, texts, truncate=truncate))

    def vectors(
        self, passages: Sequence[Any]
    ) -> Iterator[tuple[list[int], np.ndarray, int | None]]:
        """Make one vector of length 1 for each passage.

        Yields:
            `(places, vectors, tokens)`: which passages, their vectors, float32 of shape
            `(len(places), d)`, and the tokens read for them, `None` if nobody counted. No places
            at all mean that there is nothing new, but a moment to look whether Stop was asked for.
        """
        from fmagic.models.encoder import embed

        for places, part in embed(self, passages):
            yield places, part, sum(len(passages[place]) for place in places)

    def cost(self, input_tokens: int | None, output_tokens: int | None) -> float | None:  # noqa: ARG002 - in this kernel no token has a price
        """Return what tokens cost, in US dollars; `None` where there is no price or no count."""
        return None

    def unload(self) -> int:
        """Free the model and return the bytes that really came back to the device."""
        if not self.is_loaded:
            return 0
        before = held_bytes(self.device)
        kept = {each.name for each in fields(self)} - {"module", "tokenizer"}
        for name in [name for name in self.__dict__ if name not in kept]:
            del self.__dict__[name]  # cached properties hold the module too
        return max(0, before - held_bytes(self.device))
