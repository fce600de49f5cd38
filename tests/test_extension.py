"""`%load_ext fmagic` is instant and changes nothing but the magics."""

from __future__ import annotations

import json
import subprocess
import sys

import fmagic

PROBE = """
import json, logging, os, sys, warnings
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
before = set(sys.modules)
state = lambda: (dict(os.environ), list(map(str, warnings.filters)), logging.root.level,
                 len(logging.root.handlers), sys.excepthook is sys.__excepthook__)
was = state()
shell.run_line_magic("load_ext", "fmagic")
new = {name.partition(".")[0] for name in set(sys.modules) - before}
magics = {name for kind in shell.magics_manager.magics.values() for name in kind}
print(json.dumps({"new": sorted(new), "same": was == state(), "magics": sorted(magics)}))
"""
HEAVY = {"torch", "transformers", "pandas", "numpy", "ipywidgets", "peft", "pydantic", "socket"}


def probe() -> dict[str, list[str]]:
    done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True)
    found: dict[str, list[str]] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_loading_imports_nothing_heavy_and_changes_nothing() -> None:
    found = probe()
    assert not HEAVY & set(found["new"])
    assert found["same"]
    for name in ("prompt", "evaluate", "embed", "finetune", "model", "runs", "fmagic"):
        assert name in found["magics"]


def test_importing_is_light_and_functions_are_there() -> None:
    code = (
        "import sys, fmagic; "
        f"assert not {HEAVY - {'socket'}!r} & set(sys.modules), sorted(sys.modules); "
        "print(fmagic.get_session.__doc__)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    for name in fmagic.FUNCTIONS:
        assert callable(getattr(fmagic, name))
        assert getattr(fmagic, name).__doc__
