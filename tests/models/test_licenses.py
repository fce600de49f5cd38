"""Licences and their classes."""

import re

import pytest

from fmagic.models import licenses
from fmagic.models.licenses import KINDS, UNKNOWN, classify, known_licenses, strictest


@pytest.mark.parametrize(
    ("tag", "kind", "conditions"),
    [
        ("apache-2.0", "open", ""),
        ("MIT", "open", ""),
        (" BSD-3-Clause ", "open", ""),
        ("cc-by-4.0", "open", ""),
        ("agpl-3.0", "open", "source"),
        ("llama3.2", "restricted", "700 million"),
        ("Llama-3.3", "restricted", "700 million"),
        ("gemma", "restricted", "forbidden uses"),
        ("openrail++", "restricted", "forbidden uses"),
        ("creativeml-openrail-m", "restricted", "forbidden uses"),
        ("cc-by-nc-4.0", "restricted", "no commercial use"),
        ("cc-by-nc-sa-9.9", "restricted", "no commercial use"),
        ("commercial", "commercial", "prices"),
        ("my-own-licence", "unknown", "read it"),
        ("trail-1.0", "unknown", "read it"),
    ],
)
def test_tags_of_the_hub(tag: str, kind: str, conditions: str) -> None:
    found = classify(tag)
    assert found.kind == kind
    assert conditions in found.conditions
    assert bool(found.conditions) == bool(conditions)


@pytest.mark.parametrize("tag", [None, "", "other", "Unknown", "   ", "\x00"])
def test_no_licence_is_stated(tag: str | None) -> None:
    assert classify(tag) == UNKNOWN
    assert "ask the author" in UNKNOWN.conditions


@pytest.mark.parametrize(
    ("name", "id", "kind"),
    [
        ("qwen-research", "qwen-research", "restricted"),
        ("Qwen_Research", "qwen-research", "restricted"),
        ("mrl", "mrl", "restricted"),
        ("MRL-0.1", "mrl", "restricted"),
        ("deepseek-license", "deepseek", "restricted"),
        ("falcon-llm-license", "falcon-llm-license", "restricted"),
        ("flux-1-dev-non-commercial-license", "flux-1-dev-non-commercial-license", "restricted"),
        ("acme-noncommercial-1.0", "acme-noncommercial-1.0", "restricted"),
        ("Acme Research Terms", "acme-research-terms", "restricted"),
        ("acme-1.0", "acme-1.0", "unknown"),
    ],
)
def test_a_tag_that_is_other_and_a_name(name: str, id: str, kind: str) -> None:  # noqa: A002 - the field's name
    found = classify("other", name=name, link="https://example.org/LICENSE")
    assert (found.id, found.kind) == (id, kind)


def test_a_link_decides_when_nothing_else_does() -> None:
    assert classify("other", link="https://stability.ai/license/").id == "stabilityai-ai-community"
    found = classify("other", link="https://example.org/LICENSE")
    assert (found.id, found.kind, found.url) == ("other", "unknown", "https://example.org/LICENSE")
    assert "read it before you use it" in found.conditions


@pytest.mark.parametrize(
    "link",
    [
        "LICENSE",
        "javascript:alert(1)",
        "https://user:secret@example.org/",
        "https://example.org/ <script>",
        'https://example.org/"onclick="x',
        "https://example.org/" + "a" * 400,
        "",
    ],
)
def test_a_link_that_is_no_plain_address_is_dropped(link: str) -> None:
    found = classify("other", name="acme", link=link)
    assert found.url == ""
    assert "on its card" in found.conditions


def test_what_a_card_says_is_cut_and_cleaned() -> None:
    found = classify("other", name="a\nb\x1b[31m" + "c" * 10**6)
    assert len(found.id) <= licenses.LONGEST_NAME
    assert len(found.name) <= licenses.LONGEST_NAME
    assert found.name.isprintable()
    assert found.id.isprintable()


def test_a_known_licence_keeps_its_own_address() -> None:
    assert (
        classify("mit", link="https://example.org/evil").url == "https://opensource.org/license/mit"
    )


def test_the_strictest_of_several() -> None:
    both = [classify("cc-by-nc-4.0"), classify("mit")]
    assert strictest(both).id == "cc-by-nc-4.0"
    assert strictest([*both, UNKNOWN]) == UNKNOWN
    assert strictest([]) == UNKNOWN


def test_the_table() -> None:
    table = known_licenses()
    assert len(table) > 80
    for tag, found in table.items():
        assert tag == tag.lower()
        assert re.fullmatch(r"[a-z0-9.+-]+", tag)
        assert found.kind in KINDS
        assert found.name
        assert len(found.conditions) <= 100
        assert found.url.startswith(("https://", "http://")) or found.kind != "open"
        assert found.conditions or found.kind == "open"
        assert classify(tag) == found
        assert classify("other", name=tag.upper()) == found


def test_words_and_what_the_record_keeps() -> None:
    assert classify("mit").said == "mit (open)"
    llama = classify("llama3.1")
    assert llama.said.startswith("llama3.1 (restricted): above 700 million monthly users")
    assert UNKNOWN.said.startswith("unknown: no licence is stated")
    assert llama.info() == {
        "id": "llama3.1",
        "class": "restricted",
        "conditions": llama.conditions,
        "url": llama.url,
    }
