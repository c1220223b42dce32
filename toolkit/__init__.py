"""Edge Inference Toolkit: convert a trained network, verify the result, measure it, and call it.

Everything an app needs is here; the rest is reached through the ``toolkit`` command::

    import toolkit

    with toolkit.load("artifacts/cnn") as session:
        logits = session.run(image)[0]

Importing this package loads no framework, no engine and not even NumPy.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from toolkit.core import Artifact, Bundle, ToolkitError
    from toolkit.pipeline.load import load

__version__ = "0.1.0"
__all__ = ["Artifact", "Bundle", "ToolkitError", "__version__", "load"]

_HOME = {
    "Artifact": "toolkit.core",
    "Bundle": "toolkit.core",
    "ToolkitError": "toolkit.core",
    "load": "toolkit.pipeline.load",
}


def __getattr__(name: str) -> Any:
    """Import a public name on first use (PEP 562), so that ``import toolkit`` stays within its 50 ms."""
    if name not in _HOME:
        raise AttributeError(f"module 'toolkit' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)
