"""Writing in the cells of fmagic: colours, completion, and the commands that put cells in."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Locator

    from tests.support.lab import Lab, Server

START = "%load_ext fmagic\n%model tiny\nreviews = [{'text': 'I love it', 'label': 'good'}]"
TEMPLATE = """%%prompt --data reviews --choices good,bad -o "the result"
system:
You don't know if it is for a class; return None.
user:
{# not shown #}{% if text %}{{ text | replace("a", "b") }}{% endif %}
{"json": [1, 2]}
assistant:
{{ label }}"""


def cell(lab: Lab, number: int) -> Locator:
    return lab.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-CodeCell").nth(number)


def texts(lab: Lab) -> list[str]:
    """Return the cells of the current notebook."""
    found: list[str] = lab.page.evaluate(
        "window.jupyterapp.shell.currentWidget.content.widgets"
        ".map(cell => cell.model.sharedModel.getSource())"
    )
    return found


def type_into(lab: Lab, number: int, text: str) -> None:
    cell(lab, number).locator(".cm-content").click()
    lab.page.keyboard.press("Control+End")
    lab.page.keyboard.type(text)


def choose(lab: Lab, words: str) -> None:
    """Choose a command in the palette."""
    lab.command("apputils:activate-command-palette")
    palette = lab.page.locator("#command-palette")
    palette.locator("input").fill(words)
    palette.locator(".lm-CommandPalette-item").first.wait_for()
    lab.page.keyboard.press("Enter")


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_colours(lab: Lab, theme: str) -> None:
    from playwright.sync_api import expect

    lab.open_cells(
        "colours",
        TEMPLATE,
        "%model Qwen/Qwen3-0.6B --quant nf4\nfor x in range(5): print('text')\n"
        "%prompt --max-tokens 5 Isn't this a class for me?",
        "%%embed -o vectors\nI don't like it.\nfor or while",
        "for x in range(5):\n    print('a')",
    )
    lab.theme(theme)
    first = cell(lab, 0)
    for kind, words in {
        "magic": ["%%prompt"],
        "option": ["--data", "--choices", "-o"],
        "value": ["reviews", "good,bad", '"the result"'],
        "role": ["system:", "user:", "assistant:"],
        "brace": ["{%", "%}", "{{", "}}", "{%", "%}", "{{", "}}"],
        "keyword": ["if", "endif"],
        "expression": ["text", "text | replace(", ",", ")", "label"],
        "string": ['"a"', '"b"'],
        "comment": ["{# not shown #}"],
    }.items():
        expect(first.locator(f".fmagic-token-{kind}")).to_have_text(words)
    expect(cell(lab, 1).locator(".fmagic-magic-line")).to_have_count(2)
    expect(cell(lab, 2).locator(".fmagic-magic-body")).to_have_count(2)
    expect(cell(lab, 3).locator(".fmagic-magic-line")).to_have_count(0)
    # What Python would colour in a text has the colour of text.
    plain = lab.page.evaluate(
        """() => {
            const lines = [...document.querySelectorAll('.fmagic-magic-body')];
            const line = lines.find(each => each.textContent.startsWith("You don't"));
            const styles = [line, ...line.querySelectorAll('span')].map(getComputedStyle);
            return styles.map(style => `${style.color} ${style.fontWeight} ${style.fontStyle}`);
        }"""
    )
    assert len(plain) > 1
    assert len(set(plain)) == 1
    lab.shot(f"colours-{theme.rpartition(' ')[2].lower()}")


def test_a_line_after_a_role_is_not_indented(lab: Lab) -> None:
    lab.open_cells("indent", "%%prompt\nuser:")
    type_into(lab, 0, "\nhello")
    assert texts(lab) == ["%%prompt\nuser:\nhello"]


@pytest.mark.parametrize(
    ("written", "completed"),
    [
        ("%%prompt --max-t", "%%prompt --max-tokens"),
        ("%%prompt --model ti", "%%prompt --model tiny"),
        ("%%prompt --data reviews\n{{ la", "%%prompt --data reviews\n{{ label"),
    ],
)
def test_tab_completes(lab: Lab, written: str, completed: str) -> None:
    lab.open_cells("complete", START, "")
    lab.run_all()
    type_into(lab, 1, written)
    lab.page.keyboard.press("Tab")
    completer = lab.page.locator(".jp-Completer:visible")
    lab.page.wait_for_function(
        """wanted => {
            const cells = window.jupyterapp.shell.currentWidget.content.widgets;
            const text = cells[1].model.sharedModel.getSource();
            const box = document.querySelector('.jp-Completer:not(.lm-mod-hidden)');
            return text.startsWith(wanted) || box?.textContent;
        }""",
        arg=completed,
    )
    if completer.count():
        lab.shot("complete")
        lab.page.keyboard.press("Enter")
    assert texts(lab)[1].rstrip("} ") == completed


def test_the_palette_puts_cells_in(lab: Lab) -> None:
    from playwright.sync_api import expect

    lab.open_cells("palette", "1 + 1")
    choose(lab, "insert a prompt cell")
    lab.page.wait_for_function("window.jupyterapp.shell.currentWidget.content.widgets.length === 3")
    setup, prompt = texts(lab)[1:]
    assert setup == "%load_ext fmagic\n%model tiny"
    assert prompt.startswith("%%prompt\nsystem:\n")
    # One goes on writing at once.
    expect(cell(lab, 2).locator(".cm-content")).to_be_focused()
    lab.page.keyboard.type("What is red?")
    assert texts(lab)[2] == prompt + "What is red?"
    lab.shot("palette")
    lab.run_all()
    expect(lab.page.locator(".fmagic-statusbar-button")).to_have_text(re.compile("^tiny"))

    choose(lab, "pick a model")
    lab.page.wait_for_function("window.jupyterapp.shell.currentWidget.content.widgets.length === 4")
    assert texts(lab)[3] == "%pick"
    lab.shot("pick")
    choose(lab, "show the experiment log")
    expect(lab.page.locator("#fmagic-experiments")).to_be_visible()


def test_the_launcher_makes_a_quickstart(lab: Lab, server: Server) -> None:
    lab.open_cells("launch", "1 + 1")
    lab.command("launcher:create")
    launcher = lab.page.locator(".jp-Launcher:visible")
    section = launcher.locator(".jp-Launcher-section", has_text="fmagic")
    section.scroll_into_view_if_needed()
    lab.shot("launcher")
    section.locator(".jp-LauncherCard", has_text="Quickstart").click()
    lab.page.wait_for_function(
        "window.jupyterapp.shell.currentWidget?.context?.path.endsWith('01-quickstart.ipynb')"
        " && window.jupyterapp.shell.currentWidget.context.isReady"
    )
    folder = server.folder / "fmagic-quickstart"
    assert (folder / "01-quickstart.ipynb").is_file()
    assert (folder / "data" / "reviews-train.csv").stat().st_size > 1000
    sources: list[Any] = texts(lab)
    assert "%load_ext fmagic\n%model tiny" in sources
    lab.shot("quickstart")


def test_the_launcher_makes_a_notebook_for_a_prompt(lab: Lab) -> None:
    lab.open_cells("launch-prompt", "1 + 1")
    lab.command("launcher:create")
    section = lab.page.locator(".jp-Launcher:visible .jp-Launcher-section", has_text="fmagic")
    section.locator(".jp-LauncherCard", has_text="Prompt").click()
    lab.page.wait_for_function(
        "window.jupyterapp.shell.currentWidget?.content?.widgets?.some("
        "cell => cell.model.sharedModel.getSource().startsWith('%%prompt'))"
    )
    assert texts(lab)[0] == "%load_ext fmagic\n%model tiny"
