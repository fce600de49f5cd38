"""Cells as plain Python values."""

from __future__ import annotations

import sys
from typing import Any

# Types that are as they should be; `float` is looked at for NaN.
_PLAIN = (str, bool, int, type(None))
_ALL_PLAIN = {*_PLAIN, float}


def plain(values: list[Any]) -> list[object]:
    """Return cells as plain Python values: missing ones as `None`, numbers of numpy as Python's."""
    kinds = set(map(type, values))
    if kinds.issubset(_PLAIN):
        return values
    if kinds.issubset(_ALL_PLAIN):
        # NaN is what is not equal to itself.
        return [None if value != value else value for value in values]  # noqa: PLR0124 - see above
    return [_plain(value) for value in values]


def _plain(value: Any) -> object:
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        # Most lists are long and of numbers.
        return value if {*map(type, value)} <= _ALL_PLAIN else [_plain(each) for each in value]
    if "numpy" in sys.modules:
        value = _of_numpy(value)
    if isinstance(value, float):
        return None if value != value else value  # noqa: PLR0124 - NaN is not equal to itself
    if "pandas" in sys.modules:
        import pandas as pd

        if value is pd.NA or value is pd.NaT:
            return None
    return value


def _of_numpy(value: Any) -> Any:
    """Return what Python calls a value of numpy, and anything else as it is."""
    import numpy as np

    if isinstance(value, np.ndarray):
        plainly = value.dtype.kind not in "OMm"  # objects, dates, durations
        return value.tolist() if plainly else [_plain(each) for each in value]
    if isinstance(value, (np.datetime64, np.timedelta64)):
        # In nanoseconds, numpy's default, `item` would return a bare number.
        kind = "m8[us]" if isinstance(value, np.timedelta64) else "M8[us]"
        return value.astype(kind).item()
    return value.item() if isinstance(value, np.generic) else value
