from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from markdown_it import MarkdownIt

from fmagic.runs.card import figure
from fmagic.runs.exporters import export
from fmagic.runs.record import RerunInfo, RunRecord

if TYPE_CHECKING:
    from pathlib import Path

    from markdown_it.token import Token


def parsed(records: list[RunRecord], folder: Path) -> list[Token]:
    place = folder / "runs.md"
    export("markdown", records, str(place))
    # With HTML let through: what the report does not escape would show.
    parser = MarkdownIt("commonmark", {"html": True}).enable("table")
    return parser.parse(place.read_text(encoding="utf-8"))


def inner(tokens: list[Token]) -> list[Token]:
    return [child for token in tokens for child in token.children or []]


def texts(tokens: list[Token]) -> str:
    """The text of each block as a reader sees it."""
    return "\n".join(
        "".join(child.content for child in token.children) for token in tokens if token.children
    )


def fences(tokens: list[Token]) -> list[str]:
    return [token.content.removesuffix("\n") for token in tokens if token.type == "fence"]


def titles(tokens: list[Token]) -> list[str]:
    return [after.content for token, after in pairwise(tokens) if token.type == "heading_open"]


def test_a_colleague_finds_everything(records: list[RunRecord], tmp_path: Path) -> None:
    records[0].tags, records[0].note = ["first"], "a good start"
    tokens = parsed(records, tmp_path)
    assert titles(tokens) == [
        "Runs",
        *(f"{record.kind} {record.short_id}" for record in records),
    ]
    for record in records:
        assert record.template is None or record.template in fences(tokens)
    text = texts(tokens)
    for part in (
        f"{len(records)} runs, 2026-11-21 08:05 to 2026-11-21 08:23 UTC.",
        "model: Qwen/Qwen3-0.6B, revision c1899de289a0",
        "data: train, rows 1686, columns text, label",
        "max_tokens 256",
        "seed: 7",
        "tags: first",
        "note: a good start",
        "held_out_loss_after",
        "734 MB",
        "TemplateError",
    ):
        assert part in text, part


def test_one_notebook_gives_the_title(hostile: RunRecord, tmp_path: Path) -> None:
    tokens = parsed([hostile], tmp_path)
    assert texts(tokens).splitlines()[0] == f"Runs of {hostile.notebook}"


def test_a_run_links_to_those_it_builds_on(records: list[RunRecord], tmp_path: Path) -> None:
    (child,) = [record for record in records if record.kind == "evaluate"]
    (parent,) = [record for record in records if record.id in child.parents]
    links = [token.attrs["href"] for token in inner(parsed(records, tmp_path)) if token.attrs]
    anchor = f"#{parent.kind}-{parent.short_id}"
    assert links.count(anchor) == 2  # in the table, and from the child
    alone = texts(parsed([child], tmp_path))
    assert f"builds on: {parent.id}" in alone


def test_a_run_says_which_one_it_repeats(tmp_path: Path) -> None:
    first = RunRecord(kind="prompt")
    again = [
        RunRecord(kind="prompt", rerun=RerunInfo(of=first.id, same_output=same))
        for same in (True, False, None)
    ]
    text = texts(parsed([first, *again], tmp_path))
    repeats = [line for line in text.splitlines() if line.startswith("repeats: ")]
    assert repeats == [
        f"repeats: prompt {first.short_id}{same}"
        for same in (", with the same text", ", with another text", "")
    ]


def test_figures_read_as_in_the_card(tmp_path: Path) -> None:
    record = RunRecord(kind="evaluate", metrics={"loss": 0.5, "accuracy": 0.925, "seconds": 90.0})
    text = texts(parsed([record], tmp_path))
    assert "accuracy 92.5%" in text  # in the table of runs
    assert figure("seconds", 90.0) in text.splitlines()


def test_hostile_content_stays_content(hostile: RunRecord, tmp_path: Path) -> None:
    plain = RunRecord(kind="prompt", template="plain")
    tokens = parsed([hostile, plain], tmp_path)
    assert titles(tokens) == [
        "Runs",
        f"finetune {hostile.short_id}",
        f"prompt {plain.short_id}",
    ]
    kinds = {token.type for token in (*tokens, *inner(tokens))}
    assert not kinds & {"html_block", "html_inline", "image", "em", "code_inline", "code_block"}
    assert fences(tokens) == [*[hostile.template] * 3, "plain"]  # asked, answered, failed
    one_line = " ".join(str(hostile.note).split())
    text = texts(tokens)
    for place in ("note: ", "tags: ", "builds on: ", "Error: "):
        assert f"{place}{one_line}" in text, place


def test_each_row_has_as_many_cells_as_its_table_has_columns(
    hostile: RunRecord, tmp_path: Path
) -> None:
    export("markdown", [hostile], str(tmp_path / "runs.md"))
    lines = (tmp_path / "runs.md").read_text(encoding="utf-8").splitlines()
    table = [line for line in lines if line.startswith("| ")][:3]
    assert {line.count("|") for line in table} == {9}


@pytest.mark.parametrize("run", ["```", "`````\n~~~", "`" * 40])
def test_no_template_leaves_its_fence(run: str, tmp_path: Path) -> None:
    template = f"a\n{run}\n# no title\n{run}text\nb"
    tokens = parsed([RunRecord(kind="prompt", template=template)], tmp_path)
    assert fences(tokens) == [template]
    assert len(titles(tokens)) == 2
