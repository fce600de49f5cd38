"""Finds the benchmarks, and runs each in a process of its own."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import traceback
import warnings
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import TYPE_CHECKING

import psutil

from .harness import MissingError, Settings
from .report import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import ModuleType


def found() -> dict[str, ModuleType]:
    """Return the benchmarks in this folder by name."""
    names = (info.name for info in iter_modules([str(Path(__file__).parent)]))
    modules = [import_module(f"{__package__}.{name}") for name in names if name != "__main__"]
    return {module.NAME: module for module in modules if hasattr(module, "NAME")}


def run_all(names: Iterable[str], repeat: int | None) -> Iterator[Outcome]:
    """Run benchmarks one after the other.

    A process for each: what one loads, patches or fragments must not change the next.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context, max_tasks_per_child=1) as pool:
        for name in names:
            yield pool.submit(measure, name, repeat).result()


def measure(name: str, repeat: int | None) -> Outcome:
    """Run one benchmark; meant for a process of its own."""
    benchmark = found()[name]
    outcome = Outcome(name, benchmark.TITLE, benchmark.TARGET, load=psutil.getloadavg()[0])
    with tempfile.TemporaryDirectory(prefix=f"fmagic-{name}-") as folder:
        _keep_to(Path(folder))
        try:
            outcome.rows = benchmark.run(Settings(Path(folder), repeat))
        except MissingError as missing:
            outcome.problem = f"Not measured: {missing}"
        except Exception:  # noqa: BLE001 - one broken benchmark must not cost the others
            outcome.problem = f"Failed:\n\n```\n{traceback.format_exc()}```"
            outcome.failed = True
    return outcome


def _keep_to(folder: Path) -> None:
    """Let this process use neither the network nor the user's folders, and show no progress."""
    for name in ("MODELS", "CACHE", "JOURNAL"):
        os.environ[f"FMAGIC_{name}_DIR"] = str(folder / name.lower())
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    os.environ["TRANSFORMERS_VERBOSITY"] = "error"
    os.environ["TQDM_DISABLE"] = "1"
    warnings.simplefilter("ignore")  # of peers and versions; results are what is read here
