"""The benchmark report: its rows, and one self-contained HTML page."""

from __future__ import annotations

from .html import render_html, write_html
from .rows import Row, table_rows

__all__ = ["Row", "render_html", "table_rows", "write_html"]
