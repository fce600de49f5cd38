"""What the hub's refusals and silences mean, and what to do about each.

No message repeats what a server or a client's error said word for word: the one is foreign text, and
the other can hold the request with its token.
"""

from __future__ import annotations

import json
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar

from fmagic.errors import (
    DownloadError,
    FmagicError,
    GatedModelError,
    Interrupted,
    ModelNotFoundError,
    OfflineError,
    did_you_mean,
)
from fmagic.models.download import SHORT_WAIT, BrokenOffError
from fmagic.models.hub_client import no_answer, waiting_time
from fmagic.models.hub_storage import Storage
from fmagic.models.spec import near_names
from fmagic.views import duration, size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from fmagic.models.hub_storage import RemoteFile

T = TypeVar("T")

TOKENS_PAGE = "settings/tokens"
PATIENCE = 3  # short waits that a look-up makes when the hub asks for them
BAD_TOKEN = "Invalid credentials"  # noqa: S105 - how the hub begins to say so
SHOWN_REFS = 6


def patiently(ask: Callable[[], T]) -> T:
    """Return what `ask` returns; wait and ask again where the hub wants a short wait."""
    from huggingface_hub.errors import HfHubHTTPError

    for _ in range(PATIENCE):
        try:
            return ask()
        except HfHubHTTPError as error:
            wait = waiting_time(error)
            if wait is None or wait > SHORT_WAIT:
                raise
        time.sleep(wait)
    return ask()


def fetch_command(name: str, revision: str | None) -> str:
    """Return the command that brings a model onto this disk."""
    return f"hf download {name}" + (f" --revision {revision}" if revision else "")


def missing(name: str, revision: str | None, because: str) -> OfflineError:
    """Return the error for a model that is not on this disk while there is no network."""
    from fmagic.models.hub import cached

    part = Storage(name).has_parts() or cached(name, revision) is not None
    return OfflineError(
        f"{'Only a part of' if part else 'None of'} {name} is on this disk, and {because}. "
        f"With a network, run\n  {fetch_command(name, revision)}\n"
        "`%model tiny` works without one."
    )


def explained(  # noqa: PLR0911 - one for each thing that can happen
    error: BaseException,
    name: str,
    revision: str | None,
    *,
    files: Sequence[RemoteFile] = (),
    known: Iterable[str] = (),
) -> FmagicError | None:
    """Return the error to raise for one of the hub's client; `None` if it is none of the hub's.

    Args:
        error: as it was caught.
        name: of the model that was asked for.
        revision: that was asked for.
        files: that were to be fetched; what is there of them is told.
        known: names to suggest besides those that the hub finds.
    """
    from huggingface_hub import constants
    from huggingface_hub import errors as hub_errors

    if isinstance(error, KeyboardInterrupt):
        return Interrupted(f"Stopped. {_kept(name, files)}Run the cell again to go on.")
    broken = isinstance(error, BrokenOffError)
    if isinstance(error, BrokenOffError):
        error = error.reason
    if isinstance(error, UnicodeEncodeError) or type(error).__name__ == "LocalProtocolError":
        return _bad_token("holds characters that no token has")
    if isinstance(error, hub_errors.HFValidationError):
        return _not_found(name, known)
    if isinstance(error, hub_errors.HfHubHTTPError):
        return _refused(error, name, revision, files=files, known=known)
    if broken:
        return DownloadError(
            f"The connection broke while {name} was fetched, and did not come back "
            f"({type(error).__name__}). {_kept(name, files)}\nRun the cell again to go on from there."
        )
    if isinstance(
        error, no_answer() | hub_errors.OfflineModeIsEnabled | hub_errors.LocalEntryNotFoundError
    ):
        said = f"the Hugging Face Hub cannot be reached ({type(error).__name__})"
        return missing(name, revision, said)
    if isinstance(error, json.JSONDecodeError):
        return DownloadError(
            f"What answers at {constants.ENDPOINT} is no Hugging Face Hub: a login page of the "
            "network, a proxy, or a wrong HF_ENDPOINT. Open that address in a browser."
        )
    if isinstance(error, OSError):
        return DownloadError(
            f"{name} cannot be written to the hub's cache, {constants.HF_HUB_CACHE}: "
            f"{error.strerror or type(error).__name__}. Set HF_HOME to a folder of your own."
        )
    return None


def _refused(  # noqa: PLR0911 - one for each answer of the hub
    error: Any,
    name: str,
    revision: str | None,
    *,
    files: Sequence[RemoteFile],
    known: Iterable[str],
) -> FmagicError:
    """Return the error for an answer that is none."""
    from huggingface_hub import errors as hub_errors
    from huggingface_hub import get_token

    status = error.response.status_code
    if isinstance(error, hub_errors.GatedRepoError):
        return _gated(name, has_token=bool(get_token()), refused=status == HTTPStatus.FORBIDDEN)
    if isinstance(error, hub_errors.RevisionNotFoundError):
        return _no_revision(name, revision)
    if status == HTTPStatus.UNAUTHORIZED and get_token() and _says_bad_token(error):
        return _bad_token("is not accepted: it is mistyped, expired or revoked")
    if isinstance(error, hub_errors.DisabledRepoError):
        return ModelNotFoundError(f"The Hugging Face Hub has closed {name}. Pick another model.")
    if isinstance(error, hub_errors.RemoteEntryNotFoundError):
        return DownloadError(
            f"{name} lists a file that the hub does not have. It may be changing at this moment: "
            "run the cell again."
        )
    # The hub answers 401 to a name that it does not know, unless one is logged in.
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND):
        return _not_found(name, known)
    if status == HTTPStatus.FORBIDDEN:
        return GatedModelError(
            f"The hub does not let this machine's token read {name}. Give the token the right to "
            f"read it at {_page(TOKENS_PAGE)}, or log in with another: `hf auth login`."
        )
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        wait = waiting_time(error)
        when = "some minutes" if wait in (None, float("inf")) else duration(float(wait or 0))
        login = "" if get_token() else " Logged in (`hf auth login`) one may ask more often."
        return DownloadError(
            f"The hub gets too many requests from this network. Run the cell again in {when}."
            f"{login} {_kept(name, files)}".rstrip()
        )
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return DownloadError(
            f"The Hugging Face Hub has a fault ({_phrase(status)}). Run the cell again in a few "
            f"minutes; https://status.huggingface.co says more. {_kept(name, files)}".rstrip()
        )
    return DownloadError(
        f"The hub does not answer for {name}: {_phrase(status)}. Check the name, and HF_ENDPOINT "
        "if it is set."
    )


def _gated(name: str, *, has_token: bool, refused: bool) -> GatedModelError:
    if has_token and refused:
        return GatedModelError(
            f"{name} is gated, and the account of this machine's token has no access to it. Accept "
            f"its terms at {_page(name)} with that account; if you did, wait for its owner's consent."
        )
    return GatedModelError(
        f"{name} is gated: its owner wants to know who uses it. Accept its terms at {_page(name)}, "
        "then run `hf auth login` on this machine (or set HF_TOKEN), and this cell again."
    )


def _bad_token(how: str) -> GatedModelError:
    import os

    named = [name for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN") if os.environ.get(name)]
    where = f"in {named[0]}" if named else "that `hf auth login` saved"
    return GatedModelError(
        f"The Hugging Face token {where} {how}. Make a new one at {_page(TOKENS_PAGE)}, or remove "
        "it: open models need none."
    )


def _not_found(name: str, known: Iterable[str]) -> ModelNotFoundError:
    from fmagic.models.hub_search import near_on_hub

    near = near_names(name, dict.fromkeys([*near_on_hub(name), *known]))
    return ModelNotFoundError(
        f"The Hugging Face Hub has no model {name!r} that this machine may read.{near} "
        "A private one needs `hf auth login`."
    )


def _no_revision(name: str, revision: str | None) -> ModelNotFoundError:
    from fmagic.models.hub_search import refs

    names = refs(name)
    shown = ", ".join(names[:SHOWN_REFS]) + (", …" if len(names) > SHOWN_REFS else "")
    has = f" It has {shown}." if names else ""
    return ModelNotFoundError(
        f"{name} has no revision {revision!r}.{did_you_mean(revision or '', names)}{has} "
        f"{_page(name)}/commits lists its commits."
    )


def _kept(name: str, files: Sequence[RemoteFile]) -> str:
    """Say how much of the files is on this disk, with a space after it."""
    if not files:
        return ""
    storage = Storage(name)
    sizes = {file.digest: (storage.kept(file), file.size) for file in files}
    kept = sum(there for there, _ in sizes.values())
    return f"{size(kept)} of {size(sum(whole for _, whole in sizes.values()))} are kept. "


def _says_bad_token(error: Any) -> bool:
    return BAD_TOKEN in str(error.response.headers.get("X-Error-Message", ""))


def _phrase(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _page(path: str) -> str:
    from huggingface_hub import constants

    # An address may hold a password.
    scheme, _, place = constants.ENDPOINT.rpartition("://")
    return f"{scheme}://{place.rpartition('@')[2]}/{path}"
