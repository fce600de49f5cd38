"""A server's address, the key to it, and how long to wait for it."""

from __future__ import annotations

import ipaddress
import os
import random
import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from fmagic.errors import OptionError, did_you_mean

DOTS = "•••"
MOST_SAID = 300  # characters of a server's own words
VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for a server, and how often to ask again.

    Attributes:
        connect: seconds until a connection stands.
        silence: seconds without a byte.
        check: the same while a model is looked up at loading.
        retries: further attempts after a failure that may pass.
        first_delay: seconds before the second attempt; doubled before each one after it.
        longest_delay: most seconds between two attempts.
        longest_wait: most seconds that a server's Retry-After is honoured for.
    """

    connect: float = 5.0
    silence: float = 120.0
    check: float = 10.0
    retries: int = 4
    first_delay: float = 0.5
    longest_delay: float = 20.0
    longest_wait: float = 90.0

    def delay(self, attempt: int) -> float:
        """Return the seconds before attempt 1, 2, ...: growing, and never the same for two rows."""
        most = min(self.longest_delay, self.first_delay * 2.0 ** (attempt - 1))
        return most * random.uniform(0.5, 1.0)  # noqa: S311 - spreads requests, guards nothing


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server, and the name of the variable that holds the key to it.

    The key itself is read from the environment for each run and kept nowhere.

    Attributes:
        base: address without a slash at its end, `http://localhost:8000/v1`.
        key_env: environment variable with the key; `None` sends none.
        patience: how long to wait.
    """

    base: str
    key_env: str | None = None
    patience: Patience = field(default_factory=Patience)

    @property
    def host(self) -> str:
        """Host and port."""
        return urlsplit(self.base).netloc

    def key(self) -> str | None:
        """Return the key.

        Raises:
            OptionError: the variable is not there, or holds what no key can be.
        """
        if self.key_env is None:
            return None
        value = os.environ.get(self.key_env, "").strip()
        if not value:
            raise OptionError(_no_variable(self.key_env))
        if not (value.isascii() and value.isprintable()) or " " in value:
            raise OptionError(
                f"{self.key_env} holds no key: there are spaces, line breaks or letters in it that "
                "no key has. Set it to the key alone, and restart the kernel."
            )
        return value

    def hidden(self, text: str) -> str:
        """Return a server's words on one line, without the key and without control characters."""
        key = os.environ.get(self.key_env, "").strip() if self.key_env else ""
        if key:
            text = text.replace(key, DOTS)
        text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
        return text if len(text) <= MOST_SAID else text[: MOST_SAID - 1] + "…"


def _no_variable(name: str) -> str:
    remedy = (
        "Set it before the kernel starts; a key is taken from the environment and nowhere else."
    )
    # Whoever gave the key itself must not read it again in the notebook.
    if not VARIABLE.fullmatch(name):
        return (
            "--key-env takes the name of an environment variable, such as OPENAI_API_KEY, and "
            f"there is none of the name given. {remedy}"
        )
    near = did_you_mean(name, [each for each in os.environ if VARIABLE.fullmatch(each)])
    return f"There is no environment variable {name}, or it is empty.{near} {remedy}"


def is_local(address: str) -> bool:
    """Whether an address is one of this machine."""
    host = urlsplit(address).hostname or ""
    return host in {"localhost", "::1"} or host.startswith("127.")


def is_public(address: str) -> bool:
    """Whether an address is one of the open network, by the look of it."""
    host = urlsplit(address).hostname or ""
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        inner = host.endswith((".local", ".internal", ".lan", ".localhost", ".home.arpa"))
        return "." in host and not inner
