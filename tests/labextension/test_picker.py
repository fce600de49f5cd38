"""The picker as someone uses it who chooses a first model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.support.hub import Hub

if TYPE_CHECKING:
    from playwright.sync_api import Locator

    from tests.support.checkpoints import Checkpoints
    from tests.support.lab import Lab

PICK = "%load_ext fmagic\n%pick"


def opened(lab: Lab, name: str) -> Locator:
    """Run `%pick` and wait for its list."""
    lab.open_cells(name, PICK, "%model")
    lab.run_all()
    area = lab.page.locator(".jp-Cell").first.locator(".jp-OutputArea")
    expect(area.get_by_role("button", name="tiny", exact=True)).to_be_visible()
    return area


def test_a_first_model_is_picked_and_loaded(lab: Lab) -> None:
    area = opened(lab, "pick")
    expect(area).to_contain_text("Load does what a line would do")
    load = area.get_by_role("button", name="Load", exact=True)
    expect(load).to_be_disabled()
    area.get_by_role("button", name="tiny", exact=True).click()
    expect(area).to_contain_text("apache-2.0 (open)")
    expect(load).to_be_enabled()
    lab.shot("picker")
    load.click()
    expect(area).to_contain_text("tiny is loaded and current.")
    expect(area).to_contain_text("%model tiny")
    lab.shot("picker-loaded")
    shown = [
        text for data in lab.save()["cells"][0]["outputs"] for text in data.get("data", {}).values()
    ]
    assert any("%model tiny" in str(text) for text in shown), "the line is not in the file"


def test_filters_narrow_the_list_and_say_why_a_model_does_not_fit(lab: Lab) -> None:
    area = opened(lab, "filters")
    area.get_by_placeholder("name, or what it should be good at").fill("llama")
    lab.page.keyboard.press("Enter")
    expect(area.get_by_role("button", name="tiny", exact=True)).to_be_hidden()
    expect(area.get_by_role("button", name="meta-llama/Llama-3.2-1B-Instruct")).to_be_visible()
    expect(area.get_by_role("button", name="meta-llama/Llama-3.3-70B-Instruct")).to_be_hidden()
    area.get_by_label("only what fits").click()
    large = area.get_by_role("button", name="meta-llama/Llama-3.3-70B-Instruct")
    expect(large).to_be_visible()
    large.click()
    expect(area).to_contain_text("700 million")
    expect(area).to_contain_text("would need")
    lab.theme("JupyterLab Dark")
    lab.shot("picker-dark")
    area.get_by_placeholder("name, or what it should be good at").fill("no such model")
    lab.page.keyboard.press("Enter")
    expect(area).to_contain_text("No model is like that.")
    lab.theme("JupyterLab Light")


def test_a_model_of_the_hub_is_found_measured_and_loaded(
    lab: Lab, checkpoints: Checkpoints
) -> None:
    with Hub() as hub:
        hub.add("org/small-llama", checkpoints("llama"), licence="mit")
        known = {"HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "0", "HF_HOME": "hub-home"}
        lab.open_cells("hub", f"import os\nos.environ.update({known})\n{PICK}")
        lab.run_all()
        area = lab.page.locator(".jp-Cell").first.locator(".jp-OutputArea")
        area.get_by_placeholder("name, or what it should be good at").fill("small-llama")
        area.get_by_label("search the hub").click()
        area.get_by_role("button", name="org/small-llama").click()
        expect(area).to_contain_text("mit (open)")
        expect(area).to_contain_text("qlora")
        lab.shot("picker-hub")
        area.get_by_role("button", name="Load", exact=True).click()
        expect(area).to_contain_text("org/small-llama is loaded and current.")


def test_a_failed_loading_says_why_and_the_picker_goes_on(lab: Lab) -> None:
    area = opened(lab, "fails")
    area.get_by_placeholder("name, or what it should be good at").fill("MiniLM")
    lab.page.keyboard.press("Enter")
    area.get_by_role("button", name="sentence-transformers/all-MiniLM-L6-v2").click()
    area.get_by_role("button", name="Load", exact=True).click()
    expect(area).to_contain_text("None of sentence-transformers/all-MiniLM-L6-v2 is on this disk")
    lab.shot("picker-failed")
    expect(area.get_by_role("button", name="Load", exact=True)).to_be_enabled()
