"""Defaults and limits, as traits: `%config Fmagic` shows and sets them in a notebook.

`[tool.fmagic]` in the nearest `pyproject.toml` changes the defaults of a project, and
`FMAGIC_MODELS_DIR`, `FMAGIC_CACHE_DIR`, `FMAGIC_JOURNAL_DIR` those of a machine.
"""

from __future__ import annotations

import os
import tomllib
from typing import TYPE_CHECKING, Any

from traitlets import Bool, Float, Int, TraitError, Unicode
from traitlets.config import Configurable

from fmagic.errors import OptionError, did_you_mean

if TYPE_CHECKING:
    from pathlib import Path

FOLDER_VARIABLES = {
    "models_dir": "FMAGIC_MODELS_DIR",
    "cache_dir": "FMAGIC_CACHE_DIR",
    "journal_dir": "FMAGIC_JOURNAL_DIR",
}


def _default_folder(trait: str) -> str:
    import platformdirs

    named = os.environ.get(FOLDER_VARIABLES[trait])
    if named:
        return named
    if trait == "cache_dir":
        return platformdirs.user_cache_dir("fmagic")
    return os.path.join(platformdirs.user_state_dir("fmagic"), "journal")  # noqa: PTH118 - a trait is a string


class Fmagic(Configurable):
    """Settings of one session."""

    device = Unicode(
        None,
        allow_none=True,
        help="Where models run: cuda, cuda:1, mps, cpu or auto. None picks the fastest that is there.",
    ).tag(config=True)
    quant = Unicode("auto", help="Quantization of %model: auto, nf4, int8 or none.").tag(
        config=True
    )
    max_tokens = Int(256, min=1, help="Most tokens of one answer.").tag(config=True)
    temperature = Float(0.0, min=0.0, help="0 is greedy: the likeliest token each time.").tag(
        config=True
    )
    top_p = Float(
        1.0, min=1e-6, max=1.0, help="Share of the probability that is sampled from."
    ).tag(config=True)
    seed = Int(0, help="Seed of sampling and of training.").tag(config=True)
    remote_timeout = Float(
        120.0, min=0.1, help="Seconds without a byte after which a server is given up."
    ).tag(config=True)
    remote_retries = Int(
        4, min=0, help="How often a request to a server is made again after a passing failure."
    ).tag(config=True)
    remote_concurrency = Int(
        4, min=1, help="Most requests to a server at once, unless %model --concurrency says."
    ).tag(config=True)
    batch_tokens = Int(8192, min=1, help="Tokens of one batch, padding included.").tag(config=True)
    models_dir = Unicode(
        help="Where %%finetune saves, seen from the working folder (FMAGIC_MODELS_DIR)."
    ).tag(config=True)
    cache_dir = Unicode(
        help="Where copies are kept that can be made again (FMAGIC_CACHE_DIR)."
    ).tag(config=True)
    keep_quantized = Bool(
        True,
        help="Keep a copy of quantized weights, which loads faster. `fmagic cache` lists them.",
    ).tag(config=True)
    journal_dir = Unicode(help="Where the journal of runs is written (FMAGIC_JOURNAL_DIR).").tag(
        config=True
    )
    display = Bool(True, help="Show progress and a card for each run in the notebook.").tag(
        config=True
    )
    update_seconds = Float(
        0.1, min=0.02, help="Shortest time between two updates of a display, in seconds."
    ).tag(config=True)

    def _models_dir_default(self) -> str:
        return os.environ.get(FOLDER_VARIABLES["models_dir"]) or "fmagic-models"

    def _cache_dir_default(self) -> str:
        return _default_folder("cache_dir")

    def _journal_dir_default(self) -> str:
        return _default_folder("journal_dir")

    @classmethod
    def from_pyproject(cls, start: Path, **kwargs: Any) -> Fmagic:
        """Return settings with the `[tool.fmagic]` defaults that hold in the folder `start`.

        What the user's own Jupyter configuration or `kwargs` set stays as it is.

        Raises:
            OptionError: the table names a setting that does not exist, or a value it cannot take.
        """
        settings = cls(**kwargs)
        explicit = {*settings.config.get(cls.__name__, {}), *kwargs}
        for folder in (start, *start.parents):
            file = folder / "pyproject.toml"
            if file.is_file():
                settings._adopt(file, explicit)
                break
        return settings

    def _adopt(self, file: Path, explicit: set[str]) -> None:
        try:
            tool = tomllib.loads(file.read_text(encoding="utf-8")).get("tool", {})
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise OptionError(f"{file.name} cannot be read: {error}") from None
        table = tool.get("fmagic", {}) if isinstance(tool, dict) else None
        if not isinstance(table, dict):
            raise OptionError(f"[tool.fmagic] in {file.name} is no table of settings.")
        names = self.trait_names(config=True)
        for name, value in table.items():
            if name not in names:
                raise OptionError(
                    f"[tool.fmagic] in {file.name} has no setting {name!r}."
                    f"{did_you_mean(name, names)} `%config Fmagic` lists them."
                )
            if name in explicit:
                continue
            try:
                setattr(self, name, value)
            except TraitError as error:
                raise OptionError(f"[tool.fmagic] {name} in {file.name}: {error}") from None
