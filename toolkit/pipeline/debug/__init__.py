"""Which layer of a converted network departs first: intermediate values compared across formats."""

from __future__ import annotations





