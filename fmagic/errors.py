"""The error tree, and the one way a wrong word is answered.

    FmagicError
    ├── OptionError            an option or its value
    ├── TemplateError          the text of a cell
    │   └── ContextLengthError longer than the model can read
    ├── DataError              a table
    ├── ModelError             a model
    │   ├── ModelNotFoundError no such model
    │   ├── GatedModelError    its owner, or the hub, wants to know who asks
    │   ├── DownloadError      its files did not come, or came broken
    │   ├── OfflineError       it is not on this disk and there is no network
    │   ├── UnsafeModelError   it wants pickle or its own code to run
    │   ├── UnsuitableModelError  it cannot do what was asked
    │   ├── ServerError        a server does not answer, or with an error
    │   └── OutOfMemoryError   it does not, or did not, fit
    ├── TrainingError          a fine-tuning that cannot work
    ├── LogError               a run that is not in the log
    └── Interrupted            stopped by the user; what was done is in `.result`

Every message says what is wrong and what to do next. In a notebook the message alone is shown,
without a stack, and the cell fails. If another error was behind it, that is its `__cause__`, with
its stack.
"""

from __future__ import annotations

import difflib
import numbers
import traceback
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


class FmagicError(Exception):
    """Base of every failure that a user can cause or mend.

    Attributes:
        result: what was done until then, `None` if nothing was.
        place: which of several prompts or texts it is about, counted from 0.
    """

    result: Any = None
    place: int | None = None

    def _render_traceback_(self) -> list[str]:
        """IPython calls this instead of formatting a stack."""
        return [f"{type(self).__name__}: {self}"]


class OptionError(FmagicError):
    """An unknown option, or a value that it does not take."""


class TemplateError(FmagicError):
    """A template that cannot be read, or a name in it that is not defined."""


class ContextLengthError(TemplateError):
    """A text of more tokens than the model can read."""


class DataError(FmagicError):
    """A table that cannot be read or lacks what the template asks for."""


class ModelError(FmagicError):
    """A model that cannot be found, loaded or used."""


class ModelNotFoundError(ModelError):
    """No model of that name, folder or address."""


class GatedModelError(ModelError):
    """The hub gives the model only to those who agreed to its terms, or not to this token."""


class DownloadError(ModelError):
    """Files of the model did not come, came broken, or have no room."""


class OfflineError(ModelError):
    """The model is not on this disk, and the hub cannot be reached."""


class UnsafeModelError(ModelError):
    """Loading would run pickled data or code from the model's repository."""


class UnsuitableModelError(ModelError):
    """The model is of a kind that cannot do this."""


class ServerError(ModelError):
    """A server that cannot be reached, refuses, or answers what cannot be read."""


class OutOfMemoryError(ModelError):
    """The work does not fit, or did not fit, into memory."""


class TrainingError(FmagicError):
    """A fine-tuning that would learn nothing, or that failed."""


class LogError(FmagicError):
    """A run that the log does not know."""


class Interrupted(FmagicError):  # noqa: N818 - it reports a wish of the user, not a fault
    """The user pressed Stop. What was done until then is in `result`."""

    def __init__(self, message: str, result: Any = None) -> None:
        super().__init__(message)
        self.result = result


class FmagicWarning(UserWarning):
    """Something was skipped or degraded, and the work went on."""


def must_be_number(option: str, value: object, *, whole: bool = False) -> None:
    """See that the value of an option is a number, as a magic's line makes it and Python may not.

    Raises:
        OptionError: it is something else.
    """
    kind = numbers.Integral if whole else numbers.Real
    if isinstance(value, bool) or not isinstance(value, kind):
        raise OptionError(f"{option} takes a {'whole ' * whole}number, not {value!r}.")


def must_be_seed(value: object) -> None:
    """See that a value can start a random stream.

    Raises:
        OptionError: it is no whole number, or one of more than 63 bits.
    """
    must_be_number("--seed", value, whole=True)
    if not -(2**63) <= value < 2**63:  # type: ignore[operator]  # it is a number by now
        raise OptionError(f"--seed takes whole numbers of at most 63 bits, not {value}.")


def empty_frames(error: BaseException) -> None:
    """Let the stacks of an error and of its causes hold nothing, and be read all the same.

    IPython keeps an error, its stack keeps frames, and their variables keep models. An error that
    was merely being handled at the time (`__context__`) is left out: it has frames of its own.
    """
    each: BaseException | None = error
    while each is not None:
        traceback.clear_frames(each.__traceback__)
        each.__context__ = None
        each = each.__cause__


def did_you_mean(word: str, options: Iterable[str], *, limit: int = 3) -> str:
    """Return `" Did you mean 'a' or 'b'?"` for the options nearest to `word`, else `""`."""
    lowered: dict[str, list[str]] = {}
    for name in dict.fromkeys(options):
        lowered.setdefault(name.lower(), []).append(name)
    near = difflib.get_close_matches(word.lower(), list(lowered), n=limit, cutoff=0.5)
    names = [name for each in near for name in lowered[each]][:limit]
    return f" Did you mean {' or '.join(map(repr, names))}?" if names else ""
