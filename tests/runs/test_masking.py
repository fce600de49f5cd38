from __future__ import annotations

import pytest

from fmagic.runs.masking import DOTS, is_secret_name, mask


@pytest.mark.parametrize(
    "name",
    [
        *("api_key", "API-KEY", "apiKey", "OPENAI_API_KEY", "key", "hf_token", "HF_TOKEN", "token"),
        *("password", "DB_PASSWORD", "passwd", "Authorization", "secret", "client_secret", "auth"),
        *("X-Api-Key", "aws_secret_access_key", "credentials", "hub.token"),
    ],
)
def test_secret_names(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name",
    [
        *("key_env", "key-env", "max_tokens", "batch_tokens", "eos_token", "pad_token", "sort_key"),
        *("keyboard", "monkey", "tokenizer", "author", "secretary", "tokens_per_second", "", "42"),
        *("keys", "primaryKey", "password_env"),
    ],
)
def test_harmless_names(name: str) -> None:
    assert not is_secret_name(name)


def test_values_under_secret_names_are_masked_at_any_depth() -> None:
    value = {
        "a": [{"api_key": "x", "token": 123456, "name": "n"}],
        "secret": {"deep": ["x"]},
        "password": None,
        "key_env": "MY_KEY",
        "use_token": True,
    }
    assert mask(value, {}) == {
        "a": [{"api_key": DOTS, "token": DOTS, "name": "n"}],
        "secret": DOTS,
        "password": None,
        "key_env": "MY_KEY",
        "use_token": True,
    }


def test_secrets_of_the_environment_are_masked_inside_texts() -> None:
    environ = {
        "A_KEY": "abcdef",
        "B_TOKEN": "abcdefgh",
        "C_SECRET": "ünïcode$1.*",
        "PASSWORD": "letmein99",
        "D_KEY": "short",
        "E_KEY": "",
        "HOME": "/home/ann",
        "KEYBOARD": "qwertz",
    }
    text = "abcdefgh/abcdef ünïcode$1.* letmein99 short /home/ann qwertz"
    assert mask(text, environ) == f"{DOTS}/{DOTS} {DOTS} {DOTS} short /home/ann qwertz"
    assert mask({"abcdef": ["abcdef"]}, environ) == {DOTS: [DOTS]}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("%%prompt --api-key sk-1 --seed 3", "%%prompt --api-key ••• --seed 3"),
        ("%model x --hf-token=abc\nhi", "%model x --hf-token=•••\nhi"),
        ("%model x --token 'a b'", "%model x --token '•••'"),
        ('client = C(api_key="abc", n=1)', 'client = C(api_key="•••", n=1)'),
        ("{'password': 'it is', 'a': 'b'}", "{'password': '•••', 'a': 'b'}"),
        ('"hf_token" : "abc"', '"hf_token" : "•••"'),
        ("export HF_TOKEN=abcdefgh", "export HF_TOKEN=•••"),
        ("HF_TOKEN=Zm9vYmFyYmF6eA==", "HF_TOKEN=•••"),
        ("f(AZURE_OPENAI_API_KEY=Zm9vYmFy==)", "f(AZURE_OPENAI_API_KEY=•••)"),
        ('openai_key="abc"', 'openai_key="•••"'),
        ("AZURE_KEY=abcdefgh", "AZURE_KEY=•••"),
        ("db_pwd='hunter2'", "db_pwd='•••'"),
        ("password: hunter22\nnext", "password: •••\nnext"),
        ("Authorization: Bearer abcdefghijklmnop1234", "Authorization: Bearer •••"),
        ("postgres://ann:pa55@db/x", "postgres://ann:•••@db/x"),
        ("got hf_" + "A1" * 17, "got •••"),
        ("got sk-proj-" + "A1" * 17, "got •••"),
    ],
)
def test_what_a_text_assigns_to_a_secret_name_is_masked(text: str, expected: str) -> None:
    assert mask(text, {}) == expected
    assert mask(expected, {}) == expected


@pytest.mark.parametrize(
    "text",
    [
        "{{ api_key }} and {{ password }}",
        "password: {{ password }}",
        "Reset the password: instructions follow below.",
        "The secret of good bread is time.",
        "%%prompt --key-env MY_KEY --max-tokens 5",
        "token=os.environ['HF_TOKEN']",
        "api_key=read_key()",
        'sorted(rows, key="name")',
        'sort_key="name", eos_token="</s>"',
        'monkey="banana"',
        "assert token==expected",
        "The token: a story",
        "https://example.org:8080/v1#name",
    ],
)
def test_texts_about_secrets_stay(text: str) -> None:
    assert mask(text, {}) == text
