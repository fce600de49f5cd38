from __future__ import annotations

import pytest

from fmagic.runs.paths import Roots, reduce_paths

POSIX = Roots("/home/ann", ("/home/ann/work", "/tmp", "/srv/lab"))
WINDOWS = Roots("C:\\Users\\Ann", ("D:\\work", "C:\\Users\\Ann\\AppData\\Local\\Temp"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/home/ann/data/x.csv", "x.csv"),
        ("/mnt/other/x.csv", "x.csv"),
        ("see /home/ann/data/x.csv, line 3", "see x.csv, line 3"),
        ("'/home/ann/x.csv'", "'x.csv'"),
        ('File "/srv/lab/a/b.py", line 3', 'File "b.py", line 3'),
        ("in /tmp.", "in tmp."),
        ("in /home/ann is", "in ~ is"),
        ("/home/ann", "~"),
        ("file:///home/ann/x.csv", "file:x.csv"),
        ("P=/home/ann/x:/tmp/y", "P=x:y"),
        ("-I/home/ann/include", "-Iinclude"),
        ("%%prompt --data /mnt/lab/x.csv -o y\nuse /a/b", "%%prompt --data x.csv -o y\nuse /a/b"),
        ("%model /srv/models/llama", "%model llama"),
        ("%model http://host:1/v1/a#b", "%model http://host:1/v1/a#b"),
    ],
)
def test_paths_of_this_machine_become_names(text: str, expected: str) -> None:
    assert reduce_paths(text, POSIX) == expected
    assert reduce_paths(expected, POSIX) == expected


@pytest.mark.parametrize(
    "text",
    [
        "data/x.csv",
        "/help",
        "either /mnt/other/x.csv or not",
        "https://example.org/tmp/x",
        "Qwen/Qwen3-0.6B",
        "//comment",
        "1/2/3",
        "the /tmpfile",
    ],
)
def test_other_texts_stay(text: str) -> None:
    assert reduce_paths(text, POSIX) == text


def test_a_longer_name_is_another_folder() -> None:
    assert reduce_paths("is /home/anna/x or /home/ann.old/x", POSIX) == (
        "is /home/anna/x or /home/ann.old/x"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("C:\\Users\\Ann\\data\\x.csv", "x.csv"),
        ("E:\\elsewhere\\x.csv", "x.csv"),
        ("\\\\server\\share\\x.csv", "x.csv"),
        ("open c:/users/ann/x.csv now", "open x.csv now"),
        ('open("C:\\\\Users\\\\Ann\\\\x.csv")', 'open("x.csv")'),
        ("No such file: 'D:\\work\\a\\x.csv'", "No such file: 'x.csv'"),
        ("C:\\Users\\Ann", "~"),
        ("in C:\\Users\\Ann is", "in ~ is"),
    ],
)
def test_windows_paths(text: str, expected: str) -> None:
    assert reduce_paths(text, WINDOWS) == expected


def test_prose_that_has_the_form_of_a_path_stays_prose() -> None:
    value = {"template": "/one/two", "params": {"x": "/one/two"}, "template2": "/one/two"}
    assert reduce_paths(value, POSIX, texts={("template",)}) == {
        "template": "/one/two",
        "params": {"x": "two"},
        "template2": "two",
    }
    assert reduce_paths({"template": "/tmp/two"}, POSIX, texts={("template",)}) == {
        "template": "two"
    }


def test_names_in_a_table_are_reduced_too() -> None:
    assert reduce_paths({"/tmp/x": ["/tmp/y"]}, POSIX) == {"x": ["y"]}


def test_a_machine_without_a_home_has_nothing_to_hide() -> None:
    assert reduce_paths("a /x/y b", Roots("/", ("", "~"))) == "a /x/y b"
