"""Field bundles: one file that is verified and measured again on a device where neither the trained model nor its framework is."""

from __future__ import annotations

from .check import check, unpacked
from .contents import Contents
from .keys import PrivateKey
from .pack import pack

__all__ = ["Contents", "PrivateKey", "check", "pack", "unpacked"]
