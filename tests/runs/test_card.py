from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from fmagic.runs.card import bundle, card, detail, table
from fmagic.runs.record import RUN_MIME, ErrorInfo, ModelInfo, RunRecord
from fmagic.runs.schema import validate

if TYPE_CHECKING:
    import pytest


def test_every_fixture_has_its_card_and_its_page(fixture_record: dict[str, Any]) -> None:
    record = RunRecord.model_validate(fixture_record)
    for block in (card(record), detail(record)):
        for text in (block.plain(), block.html()):
            assert record.short_id in text
            assert record.status in text
            assert record.model is not None
            assert record.model.name in text
        assert "<script" not in block.html()


def test_a_bundle_holds_the_record_and_two_views(fixture_record: dict[str, Any]) -> None:
    record = RunRecord.model_validate(fixture_record)
    made = bundle(record, card(record))
    assert set(made) == {RUN_MIME, "text/html", "text/plain"}
    assert validate(made[RUN_MIME]) == []
    json.dumps(made, allow_nan=False)


def test_the_card_leads_with_the_figure_that_matters() -> None:
    record = RunRecord(
        kind="evaluate",
        status="ok",
        seconds=75.0,
        model=ModelInfo(name="tiny", quant="nf4", device="cpu"),
        metrics={"input_tokens": 5, "tokens_per_second": 41.27, "accuracy": 0.932},
    )
    text = card(record).plain()
    for part in ("evaluate", "ok", "tiny", "nf4 cpu", "41.27", "93.2%"):
        assert part in text


def test_in_plain_text_the_card_stays_short_and_says_where_the_rest_is(
    fixture_record: dict[str, Any],
) -> None:
    record = RunRecord.model_validate(fixture_record)
    text = card(record).plain()
    assert len(text.splitlines()) <= 4
    assert f"%runs show {record.short_id}" in text
    assert ("template" in text, "options" in card(record).html()) == (False, True)


def test_no_secret_gets_into_a_view(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIEW_TOKEN", "sesame-open")
    record = RunRecord(
        kind="prompt",
        status="error",
        template="sesame-open",
        note="sesame-open",
        error=ErrorInfo(type="E", message="sesame-open"),
        params={"password": "hunter22"},
    )
    made = str([bundle(record, block) for block in (card(record), detail(record), table([record]))])
    assert "sesame" not in made
    assert "hunter22" not in made


def test_what_a_record_says_is_not_html() -> None:
    hostile = '<img src=x onerror="alert(1)">'
    record = RunRecord(
        kind="prompt",
        status="error",
        model=ModelInfo(name=hostile),
        template=hostile,
        params={hostile: hostile},
        note=hostile,
        tags=[hostile],
        error=ErrorInfo(type=hostile, message=hostile),
    )
    for block in (card(record), detail(record), table([record])):
        assert "<img src=x" not in block.html()


def test_the_list_has_a_line_for_each_run(fixture_record: dict[str, Any]) -> None:
    record = RunRecord.model_validate(fixture_record)
    text = table([record, record]).plain()
    assert text.count(record.short_id) == 2
    assert "No runs yet" in table([]).plain()
