from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta, timezone

from fmagic.runs.identity import _Identifiers, utc_now, utc_text, uuid7


def test_uuid7_has_the_version_the_variant_and_the_time() -> None:
    made = uuid.UUID(uuid7())
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert abs((made.int >> 80) / 1000 - utc_now().timestamp()) < 60


def test_identifiers_rise_within_one_millisecond_and_when_the_clock_is_set_back() -> None:
    make = _Identifiers()
    made = [make(1_000, (1 << 73) - 1) for _ in range(5_000)] + [make(900, 0), make(2_000, 0)]
    assert made == sorted(made)
    assert len(set(made)) == len(made)


def test_the_example_of_the_rfc_is_met() -> None:
    # RFC 9562, appendix A.6: 0x17F22E279B0 ms, rand_a 0xCC3, rand_b 0x18C4DC0C0C07398F.
    make = _Identifiers()
    make._millisecond, make._counter = 0x17F22E279B0, 0xCC2
    made = make(0x17F22E279B0, 0x18C4DC0C0C07398F)
    assert str(made) == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"


def test_times_are_utc_and_of_one_width() -> None:
    moment = datetime(2026, 1, 2, 5, 4, 5, 6_000, timezone(timedelta(hours=2)))
    assert utc_text(moment) == "2026-01-02T03:04:05.006Z"
    assert utc_text(datetime(2026, 1, 2, tzinfo=UTC)) == "2026-01-02T00:00:00.000Z"
