"""Secrets, found by their names and by the environment, replaced by dots."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DOTS = "•••"
MIN_SECRET = 6

_SECRET_VARIABLE = re.compile(r"(?i)(_KEY|_TOKEN|_SECRET|PASSWORD|PASSWD|PASSPHRASE)$")
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_SECRET_WORDS = frozenset(
    {
        *("password", "passwd", "pwd", "passphrase", "secret", "secrets", "credential"),
        *("credentials", "authorization", "auth", "apikey", "key", "token"),
    }
)
# `*_key` and `*_token` that name a column or a piece of a vocabulary.
_HARMLESS_FIRST = frozenset(
    {
        *("primary", "foreign", "sort", "partition", "group", "join", "index", "cache", "label"),
        *("text", "answer", "column", "row", "dict", "eos", "bos", "pad", "unk", "sep", "cls"),
        *("mask", "stop", "special", "next", "first", "last", "image", "start", "end", "per"),
        *("input", "output", "prompt", "new"),
    }
)

# In running text a secret is told by what stands before it: what `is_secret_name` says is one.
_NAME = (
    r"(?P<name>[\w-]*(?:key|token|secrets?|password|passwd|pwd|passphrase|credentials?|auth|"
    r"authorization))"
)
_ASSIGNED = (
    # --api-key VALUE, --hf-token=VALUE
    re.compile(rf"(?i)(?P<head>(?<![\w-])--{_NAME}(?:=|[ \t]+))(?P<value>[^\s\"'{{-][^\s\"']*)"),
    # api_key="VALUE", "password": 'VALUE', --token "VALUE"
    re.compile(
        rf"(?i)(?P<head>(?<![\w-])[\"']?(?:--)?{_NAME}[\"']?(?:[ \t]*[=:][ \t]*|[ \t]+)"
        r"[rbf]?(?P<quote>[\"']))(?P<value>(?:(?!(?P=quote))[^\n])+)"
    ),
    # HF_TOKEN=VALUE; not a call or a lookup, token=read(), token=os.environ["T"]
    re.compile(
        rf"(?i)(?P<head>(?<![\w-]){_NAME}=)(?P<value>(?>[^\s\"'{{}}()\[\],;=]{{6,}}={{0,2}})(?![(\[=]))"
    ),
    # a line of its own: password: VALUE
    re.compile(
        rf"(?im)(?P<head>^[ \t]*[-#]?[ \t]*{_NAME}[ \t]*:[ \t]*)(?P<value>[^\s\"'{{}}]{{6,}})[ \t]*$"
    ),
    re.compile(r"(?i)(?P<head>\b(?:bearer|basic)[ \t]+)(?P<value>[\w.~+/-]{16,}=*)"),
    re.compile(r"(?i)(?P<head>\b[a-z][a-z0-9+.-]*://[^\s/:@]+:)(?P<value>[^\s/@]+)(?=@)"),
    # Tokens of services that people use beside a notebook have a form of their own.
    re.compile(
        r"(?P<head>\b)(?P<value>hf_[A-Za-z0-9]{20,}|sk-[\w-]{20,}|gh[oprsu]_[A-Za-z0-9]{30,})"
    ),
)


# Most texts hold none of these: one look spares the patterns above.
_HINT = re.compile(
    r"(?i)key|token|secret|pass|pwd|credential|auth|bearer|basic|://|hf_|sk-|gh[oprsu]_"
)


def is_secret_name(name: str) -> bool:
    """Whether a value of this name must not be written.

    `api_key`, `hf-token`, `apiKey` and `DB_PASSWORD` are; `key_env`, `max_tokens`, `eos_token`
    and `sort_key` are not.
    """
    words = [word.lower() for word in _WORDS.findall(name)]
    if not words or words[-1] not in _SECRET_WORDS:
        return False
    return not (words[-1] in {"key", "token"} and len(words) > 1 and words[0] in _HARMLESS_FIRST)


def secret_values(environ: Mapping[str, str]) -> list[str]:
    """Return the values of the environment's secrets, longest first."""
    found = {
        value
        for name, value in environ.items()
        if len(value) >= MIN_SECRET and _SECRET_VARIABLE.search(name)
    }
    return sorted(found, key=lambda value: (-len(value), value))


def mask(value: Any, environ: Mapping[str, str]) -> Any:
    """Return `value`, of JSON types, with every secret in it replaced by `•••`.

    A secret is what stands under a secret's name, at any depth; the value of an environment
    variable that ends in `_KEY`, `_TOKEN`, `_SECRET` or `PASSWORD`, wherever it stands in a text;
    and what a text assigns to a secret's name.
    """
    return mask_values(value, secret_values(environ))


def mask_values(value: Any, secrets: Sequence[str]) -> Any:
    """Do what `mask` does, with the values of the environment's secrets looked up before."""
    if isinstance(value, str):
        return _mask_text(value, secrets)
    if isinstance(value, list):
        return [mask_values(item, secrets) for item in value]
    if isinstance(value, dict):
        return {
            _mask_text(name, secrets): DOTS
            if is_secret_name(name) and item is not None and not isinstance(item, bool)
            else mask_values(item, secrets)
            for name, item in value.items()
        }
    return value


def _mask_text(text: str, secrets: Sequence[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, DOTS)
    if _HINT.search(text):
        for pattern in _ASSIGNED:
            text = pattern.sub(_dotted, text)
    return text


def _dotted(match: re.Match[str]) -> str:
    whole, start = match.group(), match.start()
    name = match.groupdict().get("name")
    # `key` alone is that of a dict or of a sort, in running text.
    if name is not None and (name.lower() == "key" or not is_secret_name(name)):
        return whole
    return whole[: match.start("value") - start] + DOTS + whole[match.end("value") - start :]
