from __future__ import annotations

import pytest

from fmagic.errors import DataError, OptionError
from fmagic.magics.arguments import Arguments, add_sampling, add_template, find_data


@pytest.fixture
def arguments() -> Arguments:
    parser = Arguments("%%prompt", "Ask.")
    add_template(parser)
    add_sampling(parser)
    return parser


def test_quotes_backslashes_and_repeats(arguments: Arguments) -> None:
    values = arguments.read(
        r"""--data C:\new\table.csv --stop "two words" --stop 'x' --choices 'a, b'"""
    )
    assert not isinstance(values, str)
    assert values.data == r"C:\new\table.csv"
    assert values.stop == ["two words", "x"]
    assert values.choices == ["a", "b"]


@pytest.mark.parametrize(
    "written",
    ['["yes","no"]', "['yes','no']", "[yes,no]", '("yes","no")', '"[yes, no,]"', "yes,no"],
)
def test_choices_may_be_written_as_python_does(arguments: Arguments, written: str) -> None:
    values = arguments.read(f"--choices {written}")
    assert not isinstance(values, str)
    assert values.choices == ["yes", "no"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--temprature 1", ["--temprature", "'--temperature'"]),
        ("--seed 1  # as before", ["a comment cannot stand", "on a line of its own"]),
        ("--max 3", ["--max"]),
        ("stray", ["stray"]),
        ("--choices yes, no", ["no", '"yes, no"']),
        ("--seed x", ["--seed"]),
        ("--seed", ["--seed"]),
        ('--data "open', ["quotation"]),
        ("-o 3x", ["3x"]),
        ("-o class", ["class"]),
        ("--on-missing drop", ["skip"]),
    ],
)
def test_what_cannot_be_read_says_what_can(
    arguments: Arguments, line: str, words: list[str]
) -> None:
    with pytest.raises(OptionError) as caught:
        arguments.read(line)
    for word in ["%%prompt", *words]:
        assert word in str(caught.value)


def test_values_may_begin_with_a_dash(arguments: Arguments) -> None:
    values = arguments.read("--data d --choices -1,0,1 --stop --- --seed -3")
    assert not isinstance(values, str)
    assert (values.choices, values.stop, values.seed) == (["-1", "0", "1"], ["---"], -3)
    with pytest.raises(OptionError, match="no option --choises"):
        arguments.read("--data --choises a")


def test_a_line_feed_can_be_a_stop(arguments: Arguments) -> None:
    values = arguments.read(r"--stop '\n' --stop a\tb")
    assert not isinstance(values, str)
    assert values.stop == ["\n", "a\tb"]


def test_a_misspelt_option_that_is_needed_is_found_too() -> None:
    parser = Arguments("%%evaluate", "Score.")
    add_template(parser, data_needed=True)
    with pytest.raises(OptionError, match=r"has no option --dta\. Did you mean '--data'"):
        parser.read("--dta reviews")
    with pytest.raises(OptionError, match="required: --data"):
        parser.read("--seed 1")


def test_a_table_that_is_none_is_told() -> None:
    with pytest.raises(DataError, match="frame is None"):
        find_data("frame", {"frame": None})


def test_help_is_text(arguments: Arguments) -> None:
    text = arguments.read("--help")
    assert isinstance(text, str)
    assert "--max-tokens" in text


@pytest.mark.parametrize(
    ("line", "text", "tokens"),
    [
        ("What's {this} -- and $that?", "What's {this} -- and $that?", None),
        ('--max-tokens 5 Say "yes"', 'Say "yes"', 5),
        ("--max-tokens=5 --truncate go", "go", 5),
        ("  --seed 2", "", None),
    ],
)
def test_free_text_is_taken_as_it_stands(
    arguments: Arguments, line: str, text: str, tokens: int | None
) -> None:
    values, found = arguments.read_text(line)
    assert not isinstance(values, str)
    assert found == text
    assert values.max_tokens == tokens


@pytest.mark.parametrize(
    ("line", "option"),
    [
        ("hello -o answer", "-o answer"),
        ("Say yes --max-tokens 2", "--max-tokens 2"),
        ("hello --truncate", "--truncate"),
        ("hello --seed=3", "--seed=3"),
    ],
)
def test_options_after_free_text_are_told(arguments: Arguments, line: str, option: str) -> None:
    with pytest.raises(OptionError, match=rf"{option} stands after the text"):
        arguments.read_text(line)


def test_free_text_after_an_unknown_option_is_refused(arguments: Arguments) -> None:
    with pytest.raises(OptionError, match="--max-tokns"):
        arguments.read_text("--max-tokns 5 hello")


def test_data_is_a_variable_or_a_path() -> None:
    rows = [{"a": 1}]
    assert find_data("rows", {"rows": rows}) is rows
    assert str(find_data("rows.csv", {})) == "rows.csv"
    with pytest.raises(DataError, match="'reviews'"):
        find_data("reviws", {"reviews": rows})
