"""A static page that runs a model in the browser of its visitor."""

from __future__ import annotations

from .site import Site, export_web

__all__ = ["Site", "export_web"]
