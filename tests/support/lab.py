"""A JupyterLab of the test's own and a browser that walks through it."""

from __future__ import annotations

import json
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat

from tests.support.kernel import RUN_MIME

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from playwright.sync_api import Locator, Page

ROOT = Path(__file__).parents[2]
BUILT = ROOT / "labextension" / "dist"
NAME = "fmagic-labextension"
PATIENCE = 120  # seconds until a server or a page that does nothing is given up
TOKEN = "for-this-test-alone"
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
LANGUAGE = {
    "codemirror_mode": {"name": "ipython", "version": 3},
    "file_extension": ".py",
    "mimetype": "text/x-python",
    "name": "python",
    "nbconvert_exporter": "python",
    "pygments_lexer": "ipython3",
    "version": platform.python_version(),
}
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def chromium() -> str | None:
    """Return the path of Chromium, if it is there."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)


def missing() -> str | None:
    """Return what keeps the tests in the browser from running, and what to do about it."""
    if chromium() is None:
        return "Chromium is not installed: apt-get install -y chromium"
    if not (BUILT / "package.json").exists():
        return "the extension is not built: cd labextension && npm ci && npm run build"
    return None


@dataclass
class Server:
    """JupyterLab with the extension as it is built in this tree.

    Attributes:
        url: its address.
        folder: where its notebooks are.
        settings: where its settings are.
    """

    url: str
    folder: Path
    settings: Path
    _process: subprocess.Popen[str]
    _reader: threading.Thread

    @classmethod
    def start(cls, home: Path) -> Server:
        """Start a server whose every folder is in `home`, and wait until it answers."""
        folder = home / "notebooks"
        folder.mkdir(parents=True)
        _settings(home)
        extensions = home / "share" / "labextensions"
        extensions.mkdir(parents=True)
        (extensions / NAME).symlink_to(BUILT, target_is_directory=True)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "jupyterlab",
                "--no-browser",
                "--allow-root",
                "--expose-app-in-browser",
                "--ServerApp.ip=127.0.0.1",
                f"--ServerApp.port={port}",
                "--ServerApp.port_retries=0",
                f"--ServerApp.root_dir={folder}",
                f"--IdentityProvider.token={TOKEN}",
                "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
            ],
            env=_environment(home),
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        ready = threading.Event()
        said: list[str] = []

        def listen() -> None:
            # To its end, or the server would stand still before a full pipe.
            assert process.stderr is not None
            for line in process.stderr:
                said.append(line)
                if "is running at" in line:
                    ready.set()
            ready.set()

        reader = threading.Thread(target=listen, daemon=True)
        reader.start()
        if not ready.wait(PATIENCE) or process.poll() is not None:
            process.kill()
            raise AssertionError("".join(said))
        return cls(f"http://127.0.0.1:{port}", folder, home / "settings", process, reader)

    def address(self, notebook: str) -> str:
        """Return the address of a notebook in a workspace that is empty."""
        return f"{self.url}/lab/tree/{notebook}?token={TOKEN}&reset"

    @contextmanager
    def setting(self, plugin: str, **values: Any) -> Iterator[None]:
        """Set what a user can set of a plugin, for pages that are opened meanwhile."""
        file = self.settings / NAME / f"{plugin}.jupyterlab-settings"
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(values))
        try:
            yield
        finally:
            file.unlink()

    def stop(self) -> None:
        """End the server and its kernels."""
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._reader.join(PATIENCE)
        assert self._process.stderr is not None
        self._process.stderr.close()


class Lab:
    """A notebook in a page.

    Attributes:
        page: the page.
        path: the notebook file.
    """

    def __init__(self, page: Page, server: Server, shots: Path) -> None:
        self.page = page
        self.path = server.folder
        self._server = server
        self._shots = shots

    def open(self, path: Path) -> Lab:
        """Open a notebook and wait until its cells are there."""
        self.path = path
        self.page.goto(self._server.address(path.name))
        self.page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=PATIENCE * 1000)
        self.page.wait_for_function(
            "window.jupyterapp.shell.currentWidget?.context?.isReady", timeout=PATIENCE * 1000
        )
        return self

    def open_cells(self, name: str, *sources: str) -> Lab:
        """Write a notebook of these cells, open it, and wait for its kernel."""
        self.open(write_notebook(self._server.folder / f"{name}.ipynb", sources=sources))
        self.wait_for_kernel()
        return self

    def command(self, name: str, **arguments: Any) -> None:
        """Run a command of JupyterLab to its end."""
        self.page.evaluate(
            "([name, args]) => window.jupyterapp.commands.execute(name, args).then(() => null)",
            [name, arguments],
        )

    def run_all(self) -> None:
        """Run all cells, to the end of the last."""
        self.wait_for_kernel()
        self.command("notebook:run-all-cells")

    def wait_for_kernel(self) -> None:
        """Wait until the kernel is there and idle: JupyterLab drops what is run before."""
        self.page.wait_for_function(
            "window.jupyterapp.shell.currentWidget.sessionContext.session?.kernel?.status === 'idle'",
            timeout=PATIENCE * 1000,
        )

    def save(self) -> dict[str, Any]:
        """Save the notebook and return what the file holds."""
        self.command("docmanager:save")
        content: dict[str, Any] = json.loads(self.path.read_text(encoding="utf-8"))
        return content

    def outputs(self) -> list[dict[str, Any]]:
        """Return the data of all outputs, from the top."""
        found: list[dict[str, Any]] = self.page.evaluate(
            "[...window.jupyterapp.shell.currentWidget.context.model.cells]"
            ".flatMap(cell => cell.outputs?.toJSON() ?? []).map(output => output.data ?? {})"
        )
        return found

    def widen(self, pixels: int) -> None:
        """Make the right sidebar as wide as this."""
        handles = self.page.locator("#jp-main-split-panel > .lm-SplitPanel-handle:visible")
        handle = handles.last
        box = handle.bounding_box()
        assert box is not None
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        right = self.page.locator("#jp-right-stack").bounding_box()
        assert right is not None
        self.page.mouse.move(x, y)
        self.page.mouse.down()
        self.page.mouse.move(x - (pixels - right["width"]), y, steps=4)
        self.page.mouse.up()

    def is_dirty(self) -> bool:
        """Tell whether the notebook has changes that are not saved."""
        dirty: bool = self.page.evaluate(
            "window.jupyterapp.shell.currentWidget.context.model.dirty"
        )
        return dirty

    def panel(self) -> Locator:
        """Show the experiments panel."""
        self.page.evaluate("window.jupyterapp.shell.activateById('fmagic-experiments')")
        found = self.page.locator("#fmagic-experiments")
        found.wait_for(state="visible")
        return found

    def theme(self, name: str) -> None:
        """Change the theme and wait until the page has it."""
        self.command("apputils:change-theme", theme=name)
        light = str("Light" in name).lower()
        self.page.wait_for_selector(f"body[data-jp-theme-light={light}]", state="attached")
        # JupyterLab stumbles over a second change while the first still fades out.
        self.page.wait_for_selector("#jupyterlab-splash", state="detached")

    def shot(self, name: str) -> None:
        """Keep a picture of the page."""
        self._shots.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=self._shots / f"{name}.png")


def fixtures() -> list[dict[str, Any]]:
    """Return the fixture records, by the order of their ids."""
    files = (ROOT / "tests" / "fixtures" / "runs").glob("*.json")
    records = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    return sorted(records, key=lambda record: record["id"])


def write_notebook(
    path: Path,
    records: Sequence[dict[str, Any]] = (),
    sources: Sequence[str] = (),
    metadata: dict[str, Any] | None = None,
) -> Path:
    """Write a notebook: a cell with its output for each record, then cells that were not run.

    Args:
        path: where.
        records: runs, as their JSON.
        sources: of the cells that follow.
        metadata: what `metadata.fmagic` holds.
    """
    from fmagic.runs.card import bundle, card
    from fmagic.runs.record import RunRecord

    notebook = nbformat.v4.new_notebook()
    # As JupyterLab writes them, so that it need not change the notebook when it is opened.
    notebook.metadata["kernelspec"] = KERNEL
    notebook.metadata["language_info"] = LANGUAGE
    for data in records:
        cell = nbformat.v4.new_code_cell(data.get("cell", {}).get("source", "# a run"))
        if data.get("cell", {}).get("id"):
            cell.id = data["cell"]["id"]
        record = RunRecord.model_validate(data)
        shown = {**bundle(record, card(record)), RUN_MIME: data}
        cell.outputs.append(nbformat.v4.new_output("display_data", shown))
        notebook.cells.append(cell)
    notebook.cells += [nbformat.v4.new_code_cell(source) for source in sources]
    if metadata is not None:
        notebook.metadata["fmagic"] = metadata
    nbformat.write(notebook, path)
    return path


def _environment(home: Path) -> dict[str, str]:
    folders = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTER_PATH": "share",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "IPYTHONDIR": "ipython",
        "FMAGIC_MODELS_DIR": "models",
        "FMAGIC_CACHE_DIR": "cache",
        "FMAGIC_JOURNAL_DIR": "journal",
    }
    own = {name: str(home / folder) for name, folder in folders.items()}
    return {**os.environ, **own, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


def _settings(home: Path) -> None:
    """Switch off what would ask the network or cover the page."""
    settings = home / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    (settings / "notification.jupyterlab-settings").write_text(
        json.dumps({"fetchNews": "false", "checkForUpdates": False})
    )
