"""Stores of field bundles, one module a kind: found, never listed. `push` uploads a bundle, `pull` downloads it and checks it."""

from __future__ import annotations

from .base import Store
from .pull import Pulled, pull
from .push import Pushed, push

__all__ = ["Pulled", "Pushed", "Store", "pull", "push"]
