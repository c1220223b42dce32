"""A small program that runs an artifact in another app: source, build file, an example and the test that compares its outputs."""

from __future__ import annotations

from .base import App, Language, all_languages
from .writing import export

__all__ = ["App", "Language", "all_languages", "export"]
