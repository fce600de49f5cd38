"""Generic blocks of a display, each as plain text and as static HTML.

The HTML is what JupyterLab's sanitizer, VS Code, nbviewer and a saved page all show: inline styles
of plain properties, no script, no classes of a theme, no reference to elsewhere. It inherits its
colours, so it reads in light and in dark. With its styles taken away, as on GitHub, it still reads.

All text that comes in is hostile: it is escaped here, and only here.
"""

from __future__ import annotations

from fmagic.views.blocks import Block, Card, Chips, Fold, KeyValue, Stack, Text, bundle
from fmagic.views.curve import Curve
from fmagic.views.formats import duration, number, size
from fmagic.views.gauge import Gauge
from fmagic.views.progress import Progress
from fmagic.views.table import Table
from fmagic.views.text import Tone
from fmagic.views.words import Words

__all__ = [
    "Block",
    "Card",
    "Chips",
    "Curve",
    "Fold",
    "Gauge",
    "KeyValue",
    "Progress",
    "Stack",
    "Table",
    "Text",
    "Tone",
    "Words",
    "bundle",
    "duration",
    "number",
    "size",
]
