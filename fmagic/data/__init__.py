"""Any table as rows: pandas, polars, plain Python, `datasets` or a file; and its fingerprint."""

from __future__ import annotations

from fmagic.data.rows import OnMissing, Rows, open_rows, require

__all__ = ["OnMissing", "Rows", "open_rows", "require"]
