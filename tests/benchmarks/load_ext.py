"""How long `%load_ext` takes, and what it imports."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TypedDict

from .harness import Measured, Row, Settings, has

NAME = "load_ext"
TITLE = "seconds of `%load_ext` in a fresh IPython"
TARGET = "at most 0.1 s, without torch, transformers, pandas, numpy or ipywidgets"

PEERS = {"jupysql": "sql", "jupyter-ai-magics": "jupyter_ai_magics"}
HEAVY = ("torch", "transformers", "pandas", "numpy", "ipywidgets")
SCRIPT = """
import json, sys, time
from traitlets.config import Config
from IPython.core.interactiveshell import InteractiveShell

config = Config()
config.HistoryManager.enabled = False
shell = InteractiveShell.instance(config=config)
before = set(sys.modules)
start = time.perf_counter()
shell.run_line_magic("load_ext", sys.argv[1])
seconds = time.perf_counter() - start
assert shell.extension_manager.loaded, "the extension is not loaded"
json.dump({"seconds": seconds, "new": sorted(set(sys.modules) - before)}, sys.__stdout__)
"""


class Loading(TypedDict):
    """What `SCRIPT` reports: how long it took, and the modules that were not there before."""

    seconds: float
    new: list[str]


def run(settings: Settings) -> list[Row]:
    """Load each extension in processes of their own, in turns."""
    peers = {name: module for name, module in PEERS.items() if has(module)}
    extensions = {"fmagic": "fmagic", **peers}
    seconds: dict[str, list[float]] = {name: [] for name in extensions}
    imported: set[str] = set()
    for number in range(settings.repeats(7) + 1):
        for name, module in extensions.items():
            result = _load(module, settings)
            if number:  # the first fills the caches of the disk
                seconds[name].append(result["seconds"])
            if name == "fmagic":
                imported |= {each.partition(".")[0] for each in result["new"]}
    ours = Measured.of(seconds["fmagic"])
    heavy = sorted(imported & set(HEAVY))
    note = f"imports {', '.join(heavy)}" if heavy else f"imports none of {', '.join(HEAVY)}"
    rows = [
        Row("%load_ext", name, Measured.of(seconds[name]), ours, "s", "lower", "0.1 s", note)
        for name in peers
    ]
    if not rows:
        note += "; the peers jupysql and jupyter-ai-magics are not installed"
        rows = [Row("%load_ext", "", None, ours, "s", "lower", "0.1 s", note)]
    return rows


def _load(module: str, settings: Settings) -> Loading:
    environment = {**os.environ, "IPYTHONDIR": str(settings.folder / "ipython")}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, module],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"%load_ext {module} failed:\n{done.stderr}")
    result: Loading = json.loads(done.stdout.splitlines()[-1])
    return result
