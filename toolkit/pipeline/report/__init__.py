"""The benchmark report: its figures as text, the recommendation, and one self-contained HTML page."""

from __future__ import annotations

from .html import render_html, write_html
from .recommend import Recommendation, recommend
from .rows import Row, table_rows

__all__ = ["Recommendation", "Row", "recommend", "render_html", "table_rows", "write_html"]
