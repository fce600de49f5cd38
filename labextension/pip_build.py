"""The extension as a part of the wheel: what hatch-jupyter-builder calls when pip builds fmagic.

Nobody needs Node to install fmagic. Where it is missing, or the packages cannot be fetched, the
Python part is installed alone, and `fmagic doctor` says so and what to do.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from hatch_jupyter_builder.utils import is_stale

HERE = Path(__file__).parent
BUILT = HERE / "dist" / "package.json"
SOURCES = ("src", "style", "schema", "scripts", "package.json")
OLDEST_NODE = (20, 19)
PATIENCE = 600  # seconds
# Bad networks are told at once, not after minutes of trying again.
SETTINGS = {
    "npm_config_audit": "false",
    "npm_config_fund": "false",
    "npm_config_prefer_offline": "true",
    "npm_config_fetch_retries": "0",
    "npm_config_fetch_timeout": "30000",
}


def build(target_name: str, version: str) -> None:
    """Build the extension, if it can be; an installation never fails over it.

    Args:
        target_name: `wheel` or `sdist`.
        version: `standard`, or `editable`, which takes the extension as it is.
    """
    if os.environ.get("HATCH_JUPYTER_BUILDER_SKIP_NPM") == "1":
        return
    if version == "editable":
        if not BUILT.exists():
            _tell("it is not built yet")
        return
    if BUILT.exists() and not any(is_stale(BUILT.parent, HERE / name) for name in SOURCES):
        return
    problem = _missing() or _run()
    if problem:
        _tell(problem)


def _missing() -> str | None:
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        return "Node.js is not installed"
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.match(r"v(\d+)\.(\d+)", said)
    if found is None or (int(found[1]), int(found[2])) < OLDEST_NODE:
        return (
            f"Node.js {'.'.join(map(str, OLDEST_NODE))} or newer is needed, here is {said.strip()}"
        )
    return None


def _run() -> str | None:
    npm = shutil.which("npm") or "npm"
    # Tools for its tests need not be fetched again where a developer has them.
    steps = [] if (HERE / "node_modules").exists() else [[npm, "ci"]]
    for step in [*steps, [npm, "run", "build"]]:
        try:
            subprocess.run(
                step, cwd=HERE, env={**os.environ, **SETTINGS}, check=True, timeout=PATIENCE
            )
        except (OSError, subprocess.SubprocessError) as error:
            return f"`{' '.join(step[1:])}` failed: {error}"
    return None


def _tell(problem: str) -> None:
    print(  # noqa: T201 - pip shows it with -v, and if the build fails
        f"fmagic is installed without {'a new' if BUILT.exists() else 'its'} JupyterLab extension: "
        f"{problem}. To build it: "
        "cd labextension && npm ci && npm run build; then install again.",
        file=sys.stderr,
    )
