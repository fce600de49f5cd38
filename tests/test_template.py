"""Templates: what is split when, what is inserted how often, and what an error tells."""

from __future__ import annotations

import math
import re
import subprocess
import sys

import pytest

from fmagic.errors import TemplateError
from fmagic.template import Template, Turn

CHAT = """system:
You label reviews.

user:
{{ text }}

assistant:
{{ label }}
"""


def render(source: str, **values: object) -> tuple[Turn, ...]:
    return Template.parse(source).render(values)


def one(source: str, **values: object) -> str:
    (turn,) = render(source, **values)
    assert turn.role == "user"
    return turn.text


def test_roles_make_turns() -> None:
    template = Template.parse(CHAT)
    assert template.roles == ("system", "user", "assistant")
    assert template.variables == {"text", "label"}
    assert template.has_answer
    assert template.render({"text": "good", "label": "positive"}) == (
        Turn("system", "You label reviews."),
        Turn("user", "good"),
        Turn("assistant", "positive"),
    )


def test_without_answer_drops_the_last_turn_and_its_names() -> None:
    template = Template.parse(CHAT).without_answer()
    assert template.roles == ("system", "user")
    assert template.variables == {"text"}
    assert template.render({"text": "good"})[-1] == Turn("user", "good")
    assert Template.parse(template.source).roles == template.roles
    with pytest.raises(TemplateError, match="does not end with"):
        template.without_answer()


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("user:\n{{ x }}\nassistant: {{ y }}", r"text follows `assistant:` in line 3"),
        ("See {{ x }}\nassistant:{{ y }}\nassistant: z", "text follows `assistant:` in line 2"),
        ("user:\n    {{ x }}\n    assistant:\n    {{ y }}", r"line 3 \('assistant:'\) is indented"),
        ("user:\n{{ x }}\nAssistant:\n{{ y }}", r"line 3 \('Assistant:'\) has a capital letter"),
        ("see user: a\nsystem: b", "$"),
        ("user:\na\nassistant:  \nb", "$"),
        ("user:\na\n assistant:\n assistant: indented\nmy assistant: b", "$"),
    ],
)
def test_a_line_that_is_nearly_the_answers_is_told(source: str, said: str) -> None:
    assert re.match(said, Template.parse(source).near_answer())


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("    system:\n    S\n    user:\n    U", r"Line 1 \('system:'\) is indented"),
        ("\n\tuser:\n\tU", r"Line 2 \('user:'\) is indented.*one space before it"),
        ("User:\nU", r"Line 1 \('User:'\) has a capital letter"),
        ("System:\nS\nuser:\nU", "Line 1.*capital"),
        ("system:\n    S\n    user:\n    U", r"no user turn.*Line 3 \('user:'\) is indented"),
    ],
)
def test_role_lines_that_an_editor_indented_are_no_text(source: str, said: str) -> None:
    with pytest.raises(TemplateError, match=said):
        Template.parse(source)


def test_roles_with_their_text_on_one_line_are_told() -> None:
    with pytest.raises(
        TemplateError, match="Text follows `system:` in line 1: a role stands alone"
    ):
        Template.parse("system: You are kind.\nuser: hi")
    for text in ("user: hi", " system: a\n user: b", "He said:\nuser: hi\nassistant: ho"):
        assert [turn.role for turn in Template.parse(text).render({})] == ["user"]


def test_a_role_line_as_text_stands_behind_a_space() -> None:
    assert one(" user:\nname: x") == " user:\nname: x"
    assert one("Explain:\n  user:\n    name: x") == "Explain:\n  user:\n    name: x"


def test_few_shot_examples_are_no_answer() -> None:
    template = Template.parse("user:\na\nassistant:\nb\nuser:\n{{ x }}")
    assert not template.has_answer
    assert template.render({"x": "c"}) == (
        Turn("user", "a"),
        Turn("assistant", "b"),
        Turn("user", "c"),
    )


def test_a_role_may_speak_twice_in_a_row() -> None:
    assert Template.parse("user:\na\nuser:\nb\nassistant:\nc\nassistant:\nd").roles == (
        "user",
        "user",
        "assistant",
        "assistant",
    )


@pytest.mark.parametrize(
    "source",
    [
        "\ufeffsystem:\nS\nuser:\nU",
        "system:\r\nS\r\nuser:\r\nU\r\n",
        "\n  \nsystem:  \nS\nuser:\t\nU\n\n",
        "system:\n\nS\n\nuser:\n\nU\n",
    ],
)
def test_marks_and_line_ends_do_not_matter(source: str) -> None:
    assert render(source) == (Turn("system", "S"), Turn("user", "U"))


@pytest.mark.parametrize("line", ["User:", " user:", "user: x", "users:", "user :", "the user:"])
def test_only_a_bare_role_line_starts_a_turn(line: str) -> None:
    assert one(f"a\n{line}\nb") == f"a\n{line}\nb"


def test_inner_line_feeds_stay() -> None:
    assert one("\n\n  a\n\n b \n") == "\n  a\n\n b "


def test_blank_lines_at_the_end_of_a_cell_are_nothing() -> None:
    assert one("a\n\n  \n\n") == "a"
    assert render("user:\na\nassistant:\nb\n\n\n")[-1] == Turn("assistant", "b")


def test_half_a_character_is_replaced() -> None:
    assert one("{{ x }}", x="cut \ud83d") == "cut \ufffd"
    assert one("{{ x }}", x="whole \U0001f600") == "whole \U0001f600"


@pytest.mark.parametrize(
    "value",
    [
        "{{ secret }}",
        "{% for %}",
        "{# open",
        "a\nuser:\nb\nsystem:\nc",
        '{"a": {"b": "}}"}}',
        "<b>&amp;</b>",
        "ends in a line feed\n",
        "\x1b[31m \0",
    ],
)
def test_values_are_inserted_once_and_as_they_are(value: str) -> None:
    assert one("[{{ x }}]", x=value, secret="leaked") == f"[{value}]"


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1}',
        '{"a": {"b": {"c": [1, {"d": 2}]}}}',
        "def f(): return {x for x in y}",
        "} }} %} #} %",
        r"\frac{a}{b}",
        "a { b } $HOME ${x}",
    ],
)
def test_braces_need_no_escape(text: str) -> None:
    assert one(text) == text


def test_attributes_filters_and_blocks() -> None:
    source = "{{ a.b }} {{ c[0] | upper }}{% if d %}!{% endif %}{% for i in range(2) %}{{ i }}{% endfor %}"
    template = Template.parse(source)
    assert template.variables == {"a", "c", "d"}
    assert template.render({"a": {"b": 1}, "c": ["x"], "d": True})[0].text == "1 X!01"


def test_a_value_takes_the_place_of_a_function() -> None:
    assert Template.parse("{{ range }}").variables == {"range"}
    assert one("{{ range }}", range=3) == "3"


def test_tojson_is_for_models_not_for_html() -> None:
    assert one("{{ x | tojson }}", x={"a": "<é>"}) == '{"a": "<é>"}'


def test_a_missing_value_can_have_a_default() -> None:
    assert one('{{ x or "none" }}', x=None) == "none"
    assert one('{{ x | default("none") }}') == "none"


@pytest.mark.parametrize(
    ("source", "line", "says"),
    [
        ("a\n{{ text }", 2, "{{ has no matching }}"),
        ("a\n{{ text", 2, "{{ has no matching }}"),
        ("a\n{{ text\nb\n{{ c }}", 2, "{{ has no matching }}"),
        ("{{", 1, "{{ has no matching }}"),
        ("user:\n\n\na {{ text }\n", 4, "{{ has no matching }}"),
        ("a\n{% if x", 2, "{% has no matching %}"),
        ("a\n\n{% if x %}\nb", 3, "{% if %} is not closed before the end"),
        (
            "user:\n{% if x %}{% for i in y %}{% endfor %}\nb\nassistant:\nc",
            2,
            "assistant: (line 4)",
        ),
        ("user:\na\nassistant:\nb{% endif %}", 4, "closes no block of its turn"),
        ("a\n{# b", 2, "{# has no matching #}"),
        ("a\n{% raw %} b", 2, "{% endraw %}"),
        ("a\n{{ my col }}", 2, "rename the column"),
        ("a\n{{ x | nofilter }}", 2, "nofilter"),
        ("a\n{{ }}", 2, "expression"),
        ("a\n{% nonsense %}", 2, "nonsense"),
        ('a\n{% include "/etc/passwd" %}', 2, "cannot read other files"),
        ('a\n{% from "x" import y %}', 2, "cannot read other files"),
        ("a\nuser:\nb", 1, "first role line"),
        ("user:\na\nsystem:\nb", 3, "can only come first"),
        ("system:\na\nsystem:\nb\nuser:\nc", 3, "can only come first"),
        ("user:\n\n", 1, "user turn of line 1 is empty"),
        ("system:\nuser:\na", 1, "system turn of line 1 is empty"),
        ("user:\na\nassistant:\n", 3, "Leave the line out"),
    ],
)
def test_faults_are_named_with_their_line(source: str, line: int, says: str) -> None:
    with pytest.raises(TemplateError) as caught:
        Template.parse(source)
    message = str(caught.value)
    assert says in message
    assert f"line {line}" in message.lower()
    assert len(message.splitlines()) == 1


@pytest.mark.parametrize("source", ["", " \n\t\n", "\ufeff", "\r\n"])
def test_an_empty_template_is_refused(source: str) -> None:
    with pytest.raises(TemplateError, match="is empty"):
        Template.parse(source)


@pytest.mark.parametrize(
    "source",
    ["system:\na", "assistant:\na", "assistant:\na\nuser:\nb", "system:\na\nassistant:\nb"],
)
def test_there_must_be_something_to_answer(source: str) -> None:
    with pytest.raises(TemplateError, match="no user turn"):
        Template.parse(source)


def test_an_unknown_name_lists_the_near_ones() -> None:
    with pytest.raises(TemplateError, match=r"Line 3: \{\{ texxt \}\}.*'text'"):
        render("user:\na\n{{ texxt }}", text="a", other="b")
    with pytest.raises(TemplateError, match="Defined: text, other"):
        render("{{ qqqq }}", text="a", other="b")
    for source in ("{{ texxt | tojson }}", "{% if texxt is not none %}a{% endif %}"):
        with pytest.raises(TemplateError, match=r"\{\{ texxt \}\} is not defined.*'text'"):
            render(source, text="a")


@pytest.mark.parametrize(
    ("source", "values", "says"),
    [
        ("a\n{{ x.b }}", {"x": {"a": 1}}, "Line 2: .*no attribute 'b'"),
        ("{{ x.__class__ }}", {"x": 1}, "unsafe"),
        ("{{ x.append(1) }}", {"x": []}, "unsafe"),
        ("{{ '{0.__class__}'.format(x) }}", {"x": 1}, "unsafe"),
        ("a\n\n{{ 1 / x }}", {"x": 0}, "Line 3: ZeroDivisionError"),
        ("{{ x + 1 }}", {"x": "a"}, "TypeError"),
        ("{{ x }}", {"x": " \n"}, "user turn of line 1 is empty"),
        ("a\n{{ x.strip }}", {"x": "a"}, r"Line 2: strip is a function.*strip\(\)"),
        ("{{ x }}", {"x": math}, "math is a module"),
        ("{{ self }}", {"self": "a"}, "another name"),
    ],
)
def test_rendering_that_fails_says_where(source: str, values: dict[str, object], says: str) -> None:
    template = Template.parse(source)
    with pytest.raises(TemplateError, match=says):
        template.render(values)


def test_a_value_is_not_changed_by_a_template() -> None:
    values = {"x": [1]}
    with pytest.raises(TemplateError):
        render("{{ x.clear() }}", **values)
    assert values == {"x": [1]}


def test_a_blank_system_turn_is_left_out_and_a_blank_answer_kept() -> None:
    source = "system:\n{{ s }}\nuser:\nq\nassistant:\n{{ a }}"
    assert render(source, s="", a="") == (Turn("user", "q"), Turn("assistant", ""))


def test_importing_it_loads_no_jinja() -> None:
    code = "import sys, fmagic.template; sys.exit('jinja2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
