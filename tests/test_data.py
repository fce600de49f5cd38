"""Tables: every container reads, prints its fingerprint and takes columns the same."""

from __future__ import annotations

import csv
import datetime as dt
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import datasets
import numpy as np
import pandas as pd
import polars as pl
import pytest

from fmagic.data import open_rows, require
from fmagic.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RECORDS: list[dict[str, Any]] = [
    {"text": "größe\n2", "n": 1, "x": 0.5, "ok": True, "day": dt.datetime(2024, 1, 2)},  # noqa: DTZ001 - tables hold naive dates
    {"text": None, "n": 2, "x": None, "ok": False, "day": None},
    {"text": "{{ x }}", "n": -3, "x": 2.0, "ok": True, "day": dt.datetime(1969, 12, 31, 1)},  # noqa: DTZ001 - as above
]
COLUMNS = {key: [record[key] for record in RECORDS] for key in RECORDS[0]}

CONTAINERS: dict[str, Callable[[], object]] = {
    "list of dicts": lambda: RECORDS,
    "dict of lists": lambda: COLUMNS,
    "pandas": lambda: pd.DataFrame(RECORDS),
    "pandas nullable": lambda: pd.DataFrame(RECORDS).convert_dtypes(),
    "pandas arrow": lambda: pd.DataFrame(RECORDS).convert_dtypes(dtype_backend="pyarrow"),
    "pandas category": lambda: pd.DataFrame(RECORDS).astype({"text": "category"}),
    "pandas double labels": lambda: pd.DataFrame(RECORDS, index=[7, 7, 0]),
    "pandas multi-index": lambda: pd.DataFrame(
        RECORDS, index=pd.MultiIndex.from_tuples([("a", 1), ("a", 2), ("b", 1)])
    ),
    "polars": lambda: pl.DataFrame(RECORDS),
    "arrow": lambda: pl.DataFrame(RECORDS).to_arrow(),
    "datasets": lambda: datasets.Dataset.from_list(RECORDS),
}


@pytest.fixture(params=CONTAINERS)
def table(request: pytest.FixtureRequest) -> object:
    return CONTAINERS[request.param]()


def test_every_container_has_the_same_rows(table: object) -> None:
    rows = open_rows(table, name="reviews")
    assert (rows.name, len(rows), rows.columns) == ("reviews", 3, tuple(COLUMNS))
    assert [dict(rows[i]) for i in range(3)] == RECORDS
    assert rows[-1]["n"] == -3
    with pytest.raises(IndexError):
        rows[3]


def test_cells_are_plain_python(table: object) -> None:
    rows = open_rows(table)
    for name, kind in (("n", int), ("x", float), ("ok", bool), ("text", str)):
        assert {type(value) for value in rows.column(name)} <= {kind, type(None)}


def test_every_container_has_the_same_fingerprint(table: object) -> None:
    assert open_rows(table).sha256 == open_rows(RECORDS).sha256


def test_missing_cells_are_found_in_every_container(table: object) -> None:
    rows = open_rows(table)
    assert rows.missing(["text", "n", "x"]) == {1: ["text", "x"]}
    assert rows.missing(["n"]) == {}


@pytest.mark.parametrize("nothing", [None, float("nan"), np.nan, pd.NA, pd.NaT, np.float32("nan")])
def test_whatever_is_missing_reads_as_none(nothing: object) -> None:
    for data in (
        [{"a": nothing}, {"a": 1}],
        {"a": [nothing, 1]},
        pd.DataFrame({"a": [nothing, 1]}),
    ):
        assert open_rows(data).column("a") == [None, 1]
        assert open_rows(data).missing(["a"]) == {0: ["a"]}


def test_a_missing_key_is_a_missing_cell() -> None:
    rows = open_rows([{"a": 1}, {"b": 2}])
    assert rows.columns == ("a", "b")
    assert rows.missing(["a", "b"]) == {0: ["b"], 1: ["a"]}


def test_numpy_cells_become_python() -> None:
    rows = open_rows({"i": np.arange(2), "d": np.array(["2024-01-01", "NaT"], "M8[ns]")})
    assert [type(value) for value in rows.column("i")] == [int, int]
    assert rows.column("d") == [dt.datetime(2024, 1, 1), None]  # noqa: DTZ001 - numpy knows no zones


# --- fingerprint --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "other",
    [
        [{"a": 1, "b": "x"}, {"a": 2, "b": "z"}],
        [{"a": 2, "b": "y"}, {"a": 1, "b": "x"}],
        [{"a": 1, "b": "x"}],
        [{"a": 1, "c": "x"}, {"a": 2, "c": "y"}],
        [{"a": "1", "b": "x"}, {"a": "2", "b": "y"}],
        [{"a": 1.5, "b": "x"}, {"a": 2, "b": "y"}],
        [{"a": True, "b": "x"}, {"a": 2, "b": "y"}],
        [{"a": None, "b": "x"}, {"a": 2, "b": "y"}],
    ],
)
def test_other_content_has_another_fingerprint(other: list[dict[str, object]]) -> None:
    assert open_rows(other).sha256 != open_rows([{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]).sha256


def test_cells_do_not_run_together() -> None:
    prints = {
        open_rows({"a": cells}).sha256
        for cells in (["xy", ""], ["x", "y"], ['x","y', ""], ["x\ny", ""], ["", "xy"])
    }
    assert len(prints) == 5


def test_column_order_and_number_type_do_not_count() -> None:
    one = open_rows([{"a": 1, "b": 2.0}]).sha256
    assert open_rows(pd.DataFrame({"b": [2], "a": [1.0]})).sha256 == one


def test_unusual_cells_have_a_fingerprint() -> None:
    class Plain:
        pass

    cells: list[object] = [
        b"\x00\xff",
        {2, 1},
        np.arange(3),
        dt.timedelta(days=1),
        {1: "a", "b": {(1, 2): 3}},
        Plain(),
        "\ud800",
        float("inf"),
    ]
    first = open_rows({"a": cells}).sha256
    assert (
        first == open_rows({"a": [*cells[:2], [0, 1, 2], *cells[3:5], Plain(), *cells[6:]]}).sha256
    )
    assert first != open_rows({"a": [b"\x00\xfe", *cells[1:]]}).sha256


def test_the_fingerprint_is_the_same_in_every_process() -> None:
    code = (
        "from fmagic.data import open_rows;"
        "print(open_rows([{'a': {'x', 'y', 'z'}, 'b': 1.5, 'c': 'é'}]).sha256)"
    )
    prints = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PATH": "", "PYTHONIOENCODING": "utf-8"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert prints == {open_rows([{"a": {"x", "y", "z"}, "b": 1.5, "c": "é"}]).sha256 + "\n"}


# --- attach -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in CONTAINERS if name.startswith("pandas")])
def test_pandas_keeps_its_index_and_its_columns(name: str) -> None:
    frame: Any = CONTAINERS[name]()
    before = frame.copy()
    out = open_rows(frame).attach(answer=["a", None, "c"], score=[1.0, 2.0, 3.0])
    pd.testing.assert_frame_equal(frame, before)
    pd.testing.assert_frame_equal(out[list(before.columns)], before)
    assert list(out.columns) == [*before.columns, "answer", "score"]
    assert out.index.equals(before.index)
    assert out["score"].tolist() == [1.0, 2.0, 3.0]
    assert [None if pd.isna(value) else value for value in out["answer"]] == ["a", None, "c"]
    out.iloc[0, 0] = None
    pd.testing.assert_frame_equal(frame, before)


def test_polars_stays_polars() -> None:
    frame = pl.DataFrame(RECORDS)
    out = open_rows(frame).attach(answer=["a", None, "c"])
    assert isinstance(out, pl.DataFrame)
    assert out.columns == [*frame.columns, "answer"]
    assert out["answer"].to_list() == ["a", None, "c"]
    assert "answer" not in frame.columns


@pytest.mark.parametrize("name", ["list of dicts", "dict of lists", "datasets", "arrow"])
def test_other_containers_become_pandas(name: str) -> None:
    out = open_rows(CONTAINERS[name]()).attach(answer=[1, 2, 3])
    assert isinstance(out, pd.DataFrame)
    assert list(out.columns) == [*COLUMNS, "answer"]
    assert out["n"].tolist() == COLUMNS["n"]
    assert "answer" not in RECORDS[0]
    assert "answer" not in COLUMNS


def test_vectors_can_be_attached() -> None:
    out = open_rows(pd.DataFrame({"a": [1, 2]})).attach(vector=list(np.eye(2)))
    assert out["vector"][1].tolist() == [0.0, 1.0]


def test_frame_is_a_copy() -> None:
    source = pd.DataFrame({"a": [1, 2]}, index=[3, 3])
    copy = open_rows(source).frame()
    copy["a"] = 0
    assert source["a"].tolist() == [1, 2]
    assert copy.index.tolist() == [3, 3]
    assert isinstance(open_rows(pl.DataFrame(RECORDS)).frame(), pd.DataFrame)


def test_attach_refuses_clashes_and_other_lengths() -> None:
    rows = open_rows({"a": [1, 2], "b": [1, 2]}, name="scored")
    with pytest.raises(DataError, match="scored already has columns 'a', 'b'"):
        rows.attach(a=[1, 2], b=[1, 2])
    with pytest.raises(DataError, match=r"'c' has 1 values.*2 rows"):
        rows.attach(c=[1])


# --- files --------------------------------------------------------------------------------------


def test_files_hold_the_same_table(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"text": ["a,b", 'say "é"\nx', "NA"], "n": [1, 2, 3], "x": [0.5, None, 2.0]}
    )
    frame.to_csv(tmp_path / "t.csv", index=False, encoding="utf-8-sig")
    frame.to_csv(tmp_path / "t.tsv", index=False, sep="\t")
    frame.to_json(tmp_path / "t.jsonl", orient="records", lines=True)
    frame.to_json(tmp_path / "t.json", orient="records")
    frame.to_parquet(tmp_path / "t.parquet")
    for file in sorted(tmp_path.iterdir()):
        for path in (file, str(file)):
            rows = open_rows(path)
            assert rows.name == file.name
            assert rows.sha256 == open_rows(frame).sha256, file.name
            assert isinstance(rows.attach(a=[1, 2, 3]), pd.DataFrame)


def test_what_to_json_writes_is_a_table(tmp_path: Path) -> None:
    frame = pd.DataFrame({"text": ["a", "b"], "n": [1, 2]})
    frame.to_json(tmp_path / "t.json")
    assert open_rows(tmp_path / "t.json").sha256 == open_rows(frame).sha256


def test_a_folder_and_an_address_are_no_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is a folder"):
        open_rows(tmp_path)
    with pytest.raises(DataError, match=r"address.*pandas.read_csv\('https://a.b/c.csv'\)"):
        open_rows("https://a.b/c.csv")


def test_only_an_empty_csv_cell_is_missing(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("label,n\nNone,1\nnull,2\n,3\n", encoding="utf-8")
    assert open_rows(tmp_path / "t.csv").column("label") == ["None", "null", None]


def test_empty_columns_of_excel_are_left_out(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_bytes(b"\xef\xbb\xbftext,label,,\na,x,,\nb,y,,\n")
    assert list(open_rows(file).columns) == ["text", "label"]
    file.write_bytes(b"text,label,,\na,x,,\nb,y,,a note\n")
    assert list(open_rows(file).columns) == ["text", "label", "Unnamed: 3"]


def test_images_of_a_dataset_stay_files() -> None:
    import datasets
    from PIL import Image

    def made() -> datasets.Dataset:
        images = [Image.new("RGB", (2, 2), colour) for colour in ("red", "blue")]
        features = datasets.Features({"image": datasets.Image(), "text": datasets.Value("string")})
        return datasets.Dataset.from_dict({"image": images, "text": ["a", "b"]}, features=features)

    first, second = open_rows(made()), open_rows(made())
    assert first.sha256 == second.sha256
    assert isinstance(first[0]["image"], dict)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("t.csv", b"a,a\n1,2\n", "more than one column called 'a'"),
        ("t.csv", b"", "is empty"),
        ("t.csv", b"a,b\n", "no rows"),
        ("t.csv", b"a\n\xff\xfe\n", "not UTF-8"),
        ("t.csv", b"a,b\n1,2\n1,2,3,4\n", "cannot be read"),
        ("t.csv", b"a,b\n1,2,3\n4,5,6\n", "more cells"),
        ("t.csv", b"id;text\n1;x\n", "sep=';'"),
        ("t.csv", b'a,b\n"' + b"x" * 140_000, "quote not closed"),
        ("t.jsonl", b'{"a": 1}\n{"a": \n', "line 2, is not JSON"),
        ("t.json", b'{"a": 1}\n{"a": 2}\n', r"one object in each line ends in .jsonl"),
        ("t.csv", "a,b\n1,2\n".encode("utf-16"), "encoding='utf-16'"),
        ("t.jsonl", b'{"a": 1}\n\n[1]\n', "line 3, holds list"),
        ("t.jsonl", b"\n", "is empty"),
        ("t.json", b"3", "holds int"),
        ("t.json", b"{", "not JSON"),
        ("t.json", b'{"a": [1], "b": [1, 2]}', "not equally long"),
        ("t.parquet", b"nonsense", "cannot be read"),
        ("t.xlsx", b"", "Read it yourself"),
    ],
)
def test_bad_files_are_named(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    with pytest.raises(DataError, match=says) as caught:
        open_rows(file)
    assert name in str(caught.value)
    assert str(tmp_path) not in str(caught.value)


def test_cells_of_a_csv_are_numbers_only_if_nothing_is_lost(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text(
        "\nlabel,code,long,price,version,gap,share\n"
        "true,007,1234567890123456789,1.50,3.9,1,0.25\nfalse,8,2,3,3.10,,1e-05\n"
    )
    rows = open_rows(file)
    assert rows.column("label") == ["true", "false"]
    assert rows.column("code") == ["007", "8"]
    assert rows.column("long") == ["1234567890123456789", "2"]
    assert rows.column("price") == ["1.50", "3"]
    assert rows.column("version") == ["3.9", "3.10"]
    assert rows.column("share") == [0.25, 0.00001]
    assert rows.column("gap") == [1, None]
    for large in (1234567890123456789, 2**63 + 1):
        listed = open_rows([{"id": large}, {"id": None}])
        assert listed.frame()["id"][0] == large


def test_a_csv_that_pandas_wrote_is_the_same_table(tmp_path: Path) -> None:
    stream = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "share": stream.random(200),
            "small": stream.random(200) * 1e-9,
            "count": range(200),
            "right": [True, False] * 100,
        }
    )
    file = tmp_path / "t.csv"
    frame.to_csv(file, index=False)
    pd.testing.assert_frame_equal(open_rows(file).frame(), frame)
    file.write_text("a, b\n1, 0.5\n-2, 1000.0\n")
    rows = open_rows(file)
    assert rows.column(" b") == [0.5, 1000.0]


def test_a_csv_may_hold_a_cell_of_any_length(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(f"text\n{'long ' * 40_000}\n")
    limit = csv.field_size_limit()
    assert open_rows(tmp_path / "t.csv").column("text") == ["long " * 40_000]
    assert csv.field_size_limit() == limit


def test_lists_in_parquet_are_lists(tmp_path: Path) -> None:
    file = tmp_path / "t.parquet"
    pd.DataFrame({"c": [["x", "y"]], "s": [{"t": ["p"]}]}).to_parquet(file)
    assert open_rows(file)[0] == {"c": ["x", "y"], "s": {"t": ["p"]}}


def test_a_file_that_is_not_there_lists_the_near_ones(tmp_path: Path) -> None:
    (tmp_path / "reviews.csv").write_text("a\n1\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"not there\. Did you mean 'reviews.csv'"):
        open_rows(tmp_path / "review.csv")
    with pytest.raises(DataError, match=r"no file.*Did you mean 'reviews.csv'"):
        open_rows(str(tmp_path / "reviews"))
    with pytest.raises(DataError, match="not there"):
        open_rows(tmp_path / "nowhere" / "x.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(DataError, match="a folder"):
        open_rows(tmp_path / "folder.csv")


# --- refused objects ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (3, "of type int.*pandas or polars frame"),
        (None, "of type NoneType"),
        (np.eye(2), "of type ndarray"),
        (b"a", "of type bytes"),
        ([], "is empty"),
        ({}, "is empty"),
        ({"a": []}, "no rows"),
        (pd.DataFrame(index=[1, 2]), "no columns"),
        (pl.DataFrame({"a": []}), "no rows"),
        (["x", "y"], "Row 1 of t is str.*for each in t"),
        ([{"a": 1}, 2], "Row 2 of t is int"),
        ([{1: 1}], "has the key 1"),
        ({"a": 3}, "'a' holds int"),
        ({"a": "xyz"}, "'a' holds str"),
        ({"a": [1], "b": [1, 2]}, "not equally long: a 1, b 2"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "more than one column called 'a'"),
        (pd.DataFrame([[1, 2]], columns=[1, "1"]), "more than one column called '1'"),
        (pl.LazyFrame({"a": [1]}), r"t\.collect\(\)"),
        (datasets.DatasetDict(dev=datasets.Dataset.from_list(RECORDS)), r"t\['dev'\]"),
        (datasets.Dataset.from_list(RECORDS).to_iterable_dataset(), r"t\.take"),
    ],
)
def test_what_is_no_table_is_told(data: object, says: str) -> None:
    with pytest.raises(DataError, match=says):
        open_rows(data, name="t")


def test_series_are_tables_of_one_column() -> None:
    assert open_rows(pd.Series(["a"], name="review")).columns == ("review",)
    assert open_rows(pd.Series(["a"])).columns == ("text",)
    assert open_rows(pl.Series(["a"])).columns == ("text",)


def test_an_unknown_column_lists_the_near_ones() -> None:
    rows = open_rows({"text": ["a"], "label": ["b"]}, name="reviews")
    with pytest.raises(DataError, match=r"reviews has no column 'txt'\. Did you mean 'text'"):
        rows.column("txt")
    with pytest.raises(DataError, match="no column"):
        rows.missing(["x"])


# --- require ------------------------------------------------------------------------------------

GAPS = {"text": ["a", None, "c", ""], "label": ["x", "y", None, "z"], "other": [None] * 4}


def test_rows_without_gaps_are_all_taken() -> None:
    assert list(require(open_rows(GAPS), [])) == [0, 1, 2, 3]
    assert list(require(open_rows({"a": [1, 2]}), ["a"])) == [0, 1]


def test_gaps_are_refused_skipped_or_kept() -> None:
    rows = open_rows(GAPS, name="reviews")
    with pytest.raises(DataError) as caught:
        require(rows, ["text", "label"])
    message = str(caught.value)
    assert "2 of 4 rows of reviews have no value in columns 'text', 'label' (row 2, 3)" in message
    assert "--on-missing skip" in message
    assert set(require(rows, ["text", "label"], "skip")) == {0, 3}
    assert set(require(rows, ["text", "label"], "keep")) == {0, 1, 2, 3}
    for mode in ("error", "skip"):
        with pytest.raises(DataError, match="Nothing is left"):
            require(rows, ["other"], mode)


def test_the_advice_is_for_the_container_at_hand(tmp_path: Path) -> None:
    def advice(data: object) -> str:
        with pytest.raises(DataError) as caught:
            require(open_rows(data, name="df"), ["text"])
        return str(caught.value)

    frame = pd.DataFrame(GAPS)
    assert "df.dropna(subset=['text'])" in advice(frame)
    assert "df.drop_nulls(['text'])" in advice(pl.DataFrame(GAPS))
    assert "drop" not in advice(GAPS).lower()
    frame.to_json(tmp_path / "t.jsonl", orient="records", lines=True)
    assert "dropna" not in advice(tmp_path / "t.jsonl")


def test_many_gaps_are_counted_not_listed() -> None:
    with pytest.raises(DataError, match=r"row 1, 2, .*, 12 and 988 more"):
        require(open_rows({"a": [None] * 1000 + [1]}), ["a"])


def test_plain_python_needs_no_table_library() -> None:
    code = (
        "import sys; from fmagic.data import open_rows, require;"
        "rows = open_rows([{'a': 1}]); rows.sha256; rows[0]; require(rows, ['a']);"
        "sys.exit(any(name in sys.modules for name in ('pandas', 'polars', 'numpy', 'datasets')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
