"""The log in JupyterLab: a run's card, and what the notebook remembers of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from playwright.sync_api import expect

from fmagic import cli
from tests.runs.samples import made
from tests.support.kernel import RUN_MIME
from tests.support.lab import fixtures, write_notebook

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from playwright.sync_api import Locator, Page

    from tests.support.lab import Lab, Server

LOAD = "%load_ext fmagic\n%model tiny"
ASK = "%%prompt --max-tokens 12\nIs this review positive or negative?\n\nI love it."


def read(path: Path, capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """Return the runs as `fmagic runs NOTEBOOK --json` tells them."""
    capsys.readouterr()
    assert cli.main(["runs", str(path), "--json"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def mirrored(page: Page) -> list[dict[str, Any]]:
    """Return the runs in the metadata of the open notebook."""
    found: list[dict[str, Any]] = page.evaluate(
        "window.jupyterapp.shell.currentWidget.context.model.getMetadata('fmagic')?.runs ?? []"
    )
    return found


def note(panel: Locator, tags: str, text: str) -> None:
    """Type tags and a note into the fields of the run that is shown."""
    panel.get_by_label("Tags").fill(tags)
    panel.get_by_label("Note").fill(text)
    panel.get_by_label("Note").press("Control+Enter")
    expect(panel).to_contain_text("Saved in the notebook")


def folds_out_by_the_keyboard(lab: Lab, card: Locator, run: dict[str, Any]) -> None:
    """Open and close a card with Enter; the cell is not edited by that."""
    page = lab.page
    card.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(card.locator(".fmagic-sections")).to_be_visible()
    expect(card.locator(".fmagic-sections")).to_contain_text(run["id"])
    assert page.evaluate("window.jupyterapp.shell.currentWidget.content.mode") == "command"
    lab.shot("card-open")
    page.keyboard.press("Enter")
    expect(card.locator(".fmagic-sections")).to_be_hidden()


def test_a_run_is_a_card_and_the_log_outlives_its_output(
    lab: Lab, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_notebook(server.folder / "walk.ipynb", sources=[LOAD, ASK, "%runs"])
    page = lab.open(path).page
    panel = lab.panel()
    expect(panel).to_contain_text("No runs yet")
    lab.shot("panel-empty")
    lab.run_all()

    # The card, with the result over it and without the static card of the HTML.
    card = page.locator(".fmagic-card")
    expect(card).to_have_count(1)
    expect(card).to_contain_text("ok")
    expect(card).to_contain_text("tiny")
    expect(page.locator(".fmagic-body")).not_to_be_empty()
    expect(page.locator(".fmagic-output [data-fmagic]")).to_have_count(0)
    (run,) = (output[RUN_MIME] for output in lab.outputs() if RUN_MIME in output)
    expect(page.locator(".fmagic-body")).to_have_text(run["output"]["text"] or "(an empty answer)")

    folds_out_by_the_keyboard(lab, card, run)

    # The panel has it, and what is noted there is on the card and in the file.
    row = panel.locator(".fmagic-row")
    expect(row).to_have_count(1)
    row.click()
    note(panel, "#best baseline", "the good one")
    expect(card).to_contain_text("#best #baseline the good one")
    expect(row).to_contain_text("the good one")
    lab.shot("panel-note")

    # The kernel knows of it before anything is saved.
    page.evaluate("window.jupyterapp.shell.currentWidget.content.activeCellIndex = 2")
    lab.command("notebook:run-cell")
    expect(page.locator(".jp-OutputArea-output", has_text="the good one").last).to_be_visible()
    expect(page.locator(".jp-Cell").last).to_contain_text("#best #baseline the good one")

    # Cleared and saved, the log is whole.
    lab.command("notebook:clear-all-cell-outputs")
    expect(card).to_have_count(0)
    saved = lab.save()
    assert all(not cell.get("outputs") for cell in saved["cells"])
    assert saved["metadata"]["fmagic"]["schema"] == "fmagic.log/1"
    (kept,) = read(path, capsys)
    assert (kept["id"], kept["note"], kept["tags"]) == (
        run["id"],
        "the good one",
        ["best", "baseline"],
    )
    assert kept["output"] == run["output"]

    # It goes on from there, on the next page too.
    lab.run_all()
    expect(panel.locator(".fmagic-row")).to_have_count(2)
    lab.save()
    lab.open(path)
    expect(lab.panel().locator(".fmagic-row")).to_have_count(2)
    assert {each["id"] for each in read(path, capsys)} == {each["id"] for each in mirrored(page)}


def test_looking_at_a_notebook_does_not_change_it(lab: Lab, server: Server) -> None:
    lab.open(write_notebook(server.folder / "look.ipynb", fixtures()))
    panel = lab.panel()
    expect(panel.locator(".fmagic-row")).to_have_count(len(fixtures()))
    panel.locator(".fmagic-row").first.click()
    panel.get_by_label("Tags").focus()
    panel.get_by_label("Note").focus()
    assert not lab.is_dirty()
    assert mirrored(lab.page) == []
    # Once something changes, all of them are kept.
    lab.command("notebook:clear-all-cell-outputs")
    assert len(lab.save()["metadata"]["fmagic"]["runs"]) == len(fixtures())
    lab.command("docmanager:save")
    assert not lab.is_dirty()


def test_a_log_of_a_later_format_is_left_alone_with_one_warning(lab: Lab, server: Server) -> None:
    later = {"schema": "fmagic.log/2", "runs": {"packed": "otherwise"}}
    path = write_notebook(server.folder / "later.ipynb", fixtures(), metadata=later)
    page = lab.open(path).page
    panel = lab.panel()
    expect(panel.locator(".fmagic-row")).to_have_count(len(fixtures()))
    lab.command("notebook:clear-all-cell-outputs")
    assert lab.save()["metadata"]["fmagic"] == later
    lab.command("docmanager:save")
    expect(page.get_by_text("written by a newer fmagic")).to_be_visible()
    expect(page.locator(".jp-Notification-Status")).to_have_text("1")
    panel.locator(".fmagic-row").first.click()
    expect(panel.get_by_label("Note")).to_be_disabled()


def test_the_mirror_can_be_turned_off(lab: Lab, server: Server) -> None:
    path = write_notebook(server.folder / "off.ipynb", fixtures())
    with server.setting("mirror", enabled=False):
        lab.open(path)
        panel = lab.panel()
        panel.locator(".fmagic-row").first.click()
        note(panel, "", "kept all the same")
        lab.command("notebook:clear-all-cell-outputs")
        (kept,) = lab.save()["metadata"]["fmagic"]["runs"]
    assert kept["note"] == "kept all the same"


def test_the_mirror_keeps_a_thousand_and_counts_the_rest(lab: Lab, server: Server) -> None:
    book = {
        "schema": "fmagic.log/1",
        "runs": [made(number % 60, id=run_id(number)).dump() for number in range(999)],
        "dropped": {"runs": 7, "until": "2026-11-21T07:00:00.000Z"},
    }
    lab.open(write_notebook(server.folder / "many.ipynb", fixtures()[:3], metadata=book))
    expect(lab.panel()).to_contain_text("1002 runs.")
    lab.command("notebook:clear-all-cell-outputs")
    kept = lab.save()["metadata"]["fmagic"]
    assert len(kept["runs"]) == 1000
    assert kept["dropped"]["runs"] == 9


def run_id(number: int) -> str:
    return f"019aa000-0000-7000-8000-{number:012x}"


def test_what_a_record_says_runs_nothing(lab: Lab, server: Server) -> None:
    evil = (
        '<img src=x onerror="window.hit=1"><script>window.hit=1</script>'
        '<a href="javascript:window.hit=1">x</a>\x1b[31mred\u202e'
    )
    record = fixtures()[0] | {
        "kind": "prompt",
        "template": evil,
        "note": evil,
        "tags": [evil],
        "params": {evil: evil},
        "metrics": {evil: 1},
        "series": {evil: [[0, 1], [1, 2]]},
        "parents": [evil],
        "error": {"type": evil, "message": evil},
        "output": {"text": evil},
    }
    torn = {"schema": "fmagic.run/1", "id": evil}
    newer = {**record, "schema": "fmagic.run/9", "id": run_id(1)}
    path = write_notebook(server.folder / "evil.ipynb", [record], sources=["1"])
    content = json.loads(path.read_text())
    for data in (torn, newer):
        cell = json.loads(json.dumps(content["cells"][0]))
        cell["id"] = f"evil-{data['schema'][-1]}"
        # A page that is not fmagic's, beside a record that is none.
        cell["outputs"][0]["data"] = {RUN_MIME: data, "text/html": evil, "text/plain": "plain"}
        content["cells"].append(cell)
    path.write_text(json.dumps(content))
    page = lab.open(path).page
    expect(page.locator(".fmagic-card")).to_have_count(3)
    for head in page.locator(".fmagic-head").all():
        head.click()
    expect(page.locator(".fmagic-unread").nth(0)).to_contain_text("no whole record")
    expect(page.locator(".fmagic-unread").nth(1)).to_contain_text("newer fmagic")
    panel = lab.panel()
    expect(panel.locator(".fmagic-row")).to_have_count(1)
    panel.locator(".fmagic-row").click()
    lab.shot("hostile")
    for place in (page.locator(".fmagic-card"), panel):
        expect(place.locator("img, script, a")).to_have_count(0)
    assert page.evaluate("window.hit") is None
