"""A doctor for what an app hands to a network: which of the usual mistakes explains its array."""

from __future__ import annotations

from .base import Change, InputSteps, Kind
from .diagnose import Diagnosis, diagnose

__all__ = ["Change", "Diagnosis", "InputSteps", "Kind", "diagnose"]
