"""Any table as rows: pandas, polars, plain Python, `datasets` or a file; and its fingerprint."""

from __future__ import annotations

from fmagic.data.rows import UNNAMED, OnMissing, Rows, open_rows, require

__all__ = ["UNNAMED", "OnMissing", "Rows", "open_rows", "require"]
