"""What the page shows of the kernel while it works: the status bar, and Stop."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.support.kernel import RUN_MIME
from tests.support.lab import Lab, Server, write_notebook

if TYPE_CHECKING:
    from playwright.sync_api import Locator

START = """%load_ext fmagic
%model tiny"""
# An answer that nobody waits for to the end: it never ends by itself, and each token takes a while.
SLOW = """import time, fmagic.models.decoding as decoding, fmagic.models.language as language
language.LanguageModel.end_tokens = frozenset()
_write = decoding.Decoder._write
def slowly(self, *args, **options):
    time.sleep(0.05)
    return _write(self, *args, **options)
decoding.Decoder._write = slowly"""
ENDLESS = "%%prompt --max-tokens 1900 -o part\nRepeat: red blue green"
WAIT = "import threading\nthreading.Event().wait(600)"


def run(lab: Lab, number: int, command: str = "notebook:run-cell") -> None:
    """Run from one cell without waiting for the end."""
    lab.page.evaluate(
        """([number, command]) => {
            const panel = window.jupyterapp.shell.currentWidget;
            panel.content.activeCellIndex = number;
            void window.jupyterapp.commands.execute(command);
        }""",
        [number, command],
    )


def cell(lab: Lab, number: int) -> Locator:
    return lab.page.locator(".jp-Notebook .jp-CodeCell").nth(number)


def ended(lab: Lab, number: int) -> None:
    """Wait for the number of a cell that has come to its end."""
    from playwright.sync_api import expect

    expect(cell(lab, number).locator(".jp-InputPrompt")).to_have_text(re.compile(r"\[\d+\]:"))


def test_the_status_bar_follows_the_kernel(lab: Lab) -> None:
    from playwright.sync_api import expect

    lab.open_cells(
        "status",
        START,
        f"%model tiny --as second\n{WAIT}",
        "%unload --all",
    )
    item = lab.page.locator(".fmagic-statusbar-button")
    expect(item).to_be_hidden()
    run(lab, 0)
    expect(item).to_have_text(re.compile(r"^tiny · \w+ · [\d.]+ [MG]B$"))
    lab.shot("status")
    run(lab, 1)
    expect(item).to_have_text(re.compile("^second · "))
    expect(cell(lab, 1).locator(".jp-InputPrompt")).to_have_text("[*]:")

    item.click()
    table = lab.page.get_by_role("dialog", name="Loaded models")
    expect(table.get_by_role("row")).to_have_count(3)
    expect(table.get_by_role("row", name=re.compile("second"))).to_contain_text("(current)")
    expect(table).to_contain_text(re.compile(r"Memory: [\d.]+ [MG]B"))
    lab.shot("status-loaded")
    lab.theme("JupyterLab Dark")
    lab.shot("status-loaded-dark")
    lab.theme("JupyterLab Light")
    lab.page.keyboard.press("Escape")
    expect(table).to_be_hidden()
    expect(item).to_be_focused()

    lab.command("notebook:interrupt-kernel")
    ended(lab, 1)
    run(lab, 2)
    expect(item).to_have_text("no model loaded")
    lab.page.evaluate("window.jupyterapp.shell.currentWidget.sessionContext.restartKernel()")
    expect(item).to_be_hidden()
    run(lab, 0)
    expect(item).to_have_text(re.compile("^tiny · "))


def test_the_status_bar_follows_the_focus_and_a_reload(lab: Lab, server: Server) -> None:
    from playwright.sync_api import expect

    write_notebook(server.folder / "plain.ipynb", sources=["1 + 1"])
    lab.open_cells("focus", START)
    item = lab.page.locator(".fmagic-statusbar-button")
    run(lab, 0)
    expect(item).to_have_text(re.compile("^tiny · "))
    lab.command("docmanager:open", path="plain.ipynb")
    expect(item).to_be_hidden()
    lab.command("docmanager:open", path="focus.ipynb")
    expect(item).to_have_text(re.compile("^tiny · "))
    lab.command("docmanager:save")
    lab.page.reload()
    lab.page.wait_for_selector(".jp-Notebook .jp-Cell")
    lab.command("docmanager:open", path="focus.ipynb")
    expect(item).to_have_text(re.compile("^tiny · "))


@pytest.mark.parametrize("key", [False, True], ids=["click", "keyboard"])
def test_stop_ends_an_answer_and_run_all(lab: Lab, key: bool) -> None:
    from playwright.sync_api import expect

    lab.open_cells(f"stop-{key}", f"{START}\n{SLOW}", ENDLESS, "print('not', 'reached')", "1 + 1")
    run(lab, 0)
    ended(lab, 0)
    run(lab, 1, "notebook:run-all-below")
    stop = lab.page.get_by_role("button", name="Stop prompting")
    expect(stop).to_be_visible()
    expect(cell(lab, 1).locator(".jp-OutputArea")).to_contain_text("red")
    box, output = stop.bounding_box(), cell(lab, 1).locator(".jp-OutputArea").bounding_box()
    assert box is not None
    assert output is not None
    assert box["x"] >= output["x"] + output["width"] - 1
    lab.shot(f"stop-{key}")
    if key:
        stop.focus()
        lab.page.keyboard.press("Enter")
    else:
        lab.theme("JupyterLab Dark")
        lab.shot("stop-dark")
        stop.click()
    expect(stop).to_be_hidden()
    expect(cell(lab, 1).locator(".jp-OutputArea")).to_contain_text("Interrupted")
    ended(lab, 1)
    lab.shot(f"stopped-{key}")
    outputs = lab.save()["cells"][1]["outputs"]
    record = next(each["data"][RUN_MIME] for each in outputs if RUN_MIME in each.get("data", {}))
    assert record["status"] == "interrupted"
    assert record["output"]["text"]
    expect(cell(lab, 2).locator(".jp-OutputArea")).not_to_contain_text("not reached")
    run(lab, 3)
    expect(cell(lab, 3).locator(".jp-OutputArea")).to_contain_text("2")


def test_without_subshells_stop_interrupts_the_kernel(lab: Lab) -> None:
    from playwright.sync_api import expect

    lab.open_cells("interrupt", SLOW, START, ENDLESS, "1 + 1")
    lab.page.evaluate(
        "window.jupyterapp.shell.currentWidget.sessionContext.session.kernel"
        ".commsOverSubshells = 'disabled'"
    )
    for number in (0, 1):
        run(lab, number)
        ended(lab, number)
    run(lab, 2)
    stop = lab.page.get_by_role("button", name="Stop prompting")
    stop.click()
    expect(stop).to_be_hidden()
    expect(cell(lab, 2).locator(".jp-OutputArea")).to_contain_text("Interrupted")
    run(lab, 3)
    expect(cell(lab, 3).locator(".jp-OutputArea")).to_contain_text("2")
