"""What each block says, in plain text and in HTML."""

from __future__ import annotations

import base64
import math
import re

import pytest

from fmagic.views import Card, Chips, Curve, Fold, KeyValue, Progress, Stack, Table, Text, bundle


def test_bundle_has_both_kinds() -> None:
    assert bundle(Text("a")) == {"text/plain": "a", "text/html": Text("a").html()}


def test_text_tones() -> None:
    assert "color" not in Text("a").html()
    assert "opacity" in Text("a", tone="muted").html()
    assert Text("a", tone="good").html() != Text("a", tone="bad").html()
    assert Text("a", mono=True).html().startswith("<pre")


def test_line_breaks_outlast_lost_styles() -> None:
    assert "a<br><br>b" in Text("a\n\nb").html()


def test_key_value_in_columns() -> None:
    pairs = KeyValue([("id", "x1"), ("template", "a\nb"), ("nothing", None), ("loss", 0.123456)])
    assert pairs.plain() == (
        "id        x1\ntemplate  a\n          b\nnothing   –\nloss      0.1235"  # noqa: RUF001 - the dash of what is not there
    )
    assert pairs.html().count("<tr") == 4
    assert KeyValue([]).plain() == ""


def test_table() -> None:
    table = Table(["name", "n"], [["a", 1], ["bb", None], ["c"]], caption="Rows", total=1234)
    assert table.plain() == (
        "Rows\nname  n\n----  -\na     1\nbb    –\nc\n3 of 1,234 rows"  # noqa: RUF001 - as above
    )
    assert "3 of 1,234 rows" in table.html()
    assert table.html().count("<td") == 6


def test_columns_of_figures_are_set_to_the_right() -> None:
    table = Table(
        ["text", "share", "rate", "id", "flag"],
        [["a", "93.1%", "1,234 kB/s", "3a-1", True], ["1", 5, 0.25, "4", False]],
    )
    assert re.findall(r'<th align="(\w+)"', table.html()) == [
        "left",
        "right",
        "right",
        "left",
        "left",
    ]
    assert re.findall(r'<th align="(\w+)"', Table(["a", "b"], [[1, 2]], align=["left"]).html()) == [
        "left",
        "left",
    ]


def test_long_cells_are_cut_and_stay_on_one_line() -> None:
    table = Table(["a"], [["word\n" * 1000]])
    lines = table.plain().splitlines()
    assert len(lines) == 3
    assert lines[-1].endswith("…")
    assert len(table.html()) < 1000


def test_an_empty_table_says_so() -> None:
    assert Table(["a", "b"], []).plain().endswith("no rows")
    assert "no rows" in Table(["a"], []).html()
    assert Table([], []).plain().endswith("no rows")


@pytest.mark.parametrize(
    ("done", "total", "seconds", "expected"),
    [
        (0, 4, 0.0, "work [                    ] 0% 0/4 rows"),
        (1, 4, 2.0, "work [#####               ] 25% 1/4 rows, 0.5 rows/s, 6.0 s left"),
        (4, 4, 2.0, "work [####################] 100% 4/4 rows, 2 rows/s, 2.0 s"),
        (9, 4, 2.0, "work [####################] 100% 9/4 rows, 4.5 rows/s, 2.0 s"),
        (50, None, 2.0, "work 50 rows, 25 rows/s, 2.0 s"),
        (0, 0, 1.0, "work 0/0 rows"),
        (1, 4, 0.0, "work [#####               ] 25% 1/4 rows"),
    ],
)
def test_progress(done: int, total: int | None, seconds: float, expected: str) -> None:
    block = Progress(done, total, label="work", unit="rows", seconds=seconds)
    assert block.plain() == expected
    figures = expected.rpartition("%")[2].removeprefix("work").strip()
    assert figures in block.html()


def test_progress_bar_is_as_wide_as_the_share() -> None:
    html = Progress(1, 3, label="", unit="", seconds=1).html()
    assert "width:33.3%" in html
    assert "width:" not in Progress(1, None, label="", unit="", seconds=1).html().replace(
        "max-", ""
    )


def test_chips_fold_stack_and_card() -> None:
    chips = Chips([("model", "tiny"), ("", "offline")])
    assert chips.plain() == "model: tiny · offline"
    assert chips.html().count("border-radius") == 2
    fold = Fold("more", Text("a\nb"))
    assert fold.plain() == "more\n  a\n  b"
    assert "<details " in fold.html()
    assert " open " not in fold.html()
    assert " open " in Fold("more", Text("a"), open=True).html()
    stack = Stack([Text("a"), Text(""), fold])
    assert stack.plain() == "a\nmore\n  a\n  b"
    assert Card("Title", [Text("a"), Text("b")]).plain() == "Title\n  a\n  b"
    assert Card("Title", []).plain() == "Title"
    edges = {
        re.findall(r"border-left:4px solid (#\w+)", Card("", [], tone=tone).html())[0]
        for tone in ("normal", "muted", "good", "bad")
    }
    assert len(edges) == 4


def svg(curve: Curve) -> str:
    found = re.search(r'src="data:image/svg\+xml;base64,([^"]+)"', curve.html())
    assert found
    return base64.b64decode(found[1]).decode()


def heights(drawn: str, line: int = 0) -> list[float]:
    points = re.findall(r'points="([^"]+)"', drawn)[line]
    return [float(point.split(",")[1]) for point in points.split()]


def test_a_curve_is_drawn_and_told() -> None:
    curve = Curve({"loss": [(1, 4.0), (2, 2.0), (3, 1.0)]}, x_label="step", y_label="loss")
    assert curve.plain() == "loss  █▃▁  4 → 1 (3 points, step 1 to 3)"
    assert 'alt="loss: 4 → 1 (3 points, step 1 to 3)"' in curve.html()
    drawn = svg(curve)
    assert heights(drawn) == sorted(heights(drawn))
    assert ">step</text>" in drawn


def test_two_series_share_their_axes_and_differ_in_colour() -> None:
    drawn = svg(Curve({"a": [(0, 0), (1, 1)], "b": [(0, 1), (1, 0)]}, x_label="x", y_label="y"))
    assert heights(drawn, 0) == heights(drawn, 1)[::-1]
    assert len(set(re.findall(r'stroke="(#\w+)" stroke-width', drawn))) == 2


def test_points_that_are_not_finite_are_counted_not_drawn() -> None:
    curve = Curve(
        {"loss": [(1, 1.0), (2, math.nan), (3, math.inf), (4, 2.0)]}, x_label="x", y_label="y"
    )
    assert "2 points are not finite" in curve.plain()
    assert "2 points are not finite" in curve.html()
    assert "nan" not in svg(curve)


@pytest.mark.parametrize(
    "points",
    [
        [(1, 5.0)],
        [(1, 5.0), (2, 5.0)],
        [(1, 0.0), (2, 0.0)],
        [(3, 1.0), (3, 2.0)],
        [(0, -1e308), (1, 1e308)],
        [(0, 5e-324), (1, 0.0)],
        [(0, 1e-12), (1, 3e-12)],
        [(0, 1e9), (1, 1e9 + 1e-3)],
        [(-5, -2.0), (-1, -7.0)],
    ],
)
def test_extreme_curves_stay_inside_the_image(points: list[tuple[float, float]]) -> None:
    curve = Curve({"a": points}, x_label="x", y_label="y")
    drawn = svg(curve)
    assert curve.plain()
    assert not re.search(r"[\"\s,](nan|inf|-inf)[\"\s,]", drawn)
    for x, y in re.findall(r"(-?\d+\.\d),(-?\d+\.\d)", drawn):
        assert 0 <= float(x) <= 520
        assert 0 <= float(y) <= 220
    assert 1 <= drawn.count('stroke-opacity="0.25"') <= 12


def test_a_long_curve_is_thinned_and_keeps_its_spike() -> None:
    points = [(float(i), 100.0 if i == 12_345 else 1.0) for i in range(50_000)]
    curve = Curve({"loss": points}, x_label="step", y_label="loss")
    assert len(curve.html()) < 12_000
    drawn = heights(svg(curve))
    assert min(drawn) < 40
    assert max(drawn) > 170


def test_a_curve_without_points_says_so() -> None:
    assert "no points yet" in Curve({}, x_label="x", y_label="y").html()
    assert Curve({"a": []}, x_label="x", y_label="y").plain() == "a    no points"
