"""Edge Inference Toolkit: convert a trained network, verify the result, measure it, and call it.

Everything is here that a program or a notebook needs; the ``toolkit`` command calls the same::

    import toolkit

    bundle = toolkit.convert(net, torch.zeros(2, 3, 224, 224), data=loader)
    with toolkit.load(bundle.path) as session:
        logits = session.run(image)[0]

Importing this package loads no framework, no engine and not even NumPy.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from toolkit.core import Artifact, Bundle, ToolkitError
    from toolkit.pipeline.api import benchmark, convert, evaluate, optimize, quantize, verify
    from toolkit.pipeline.embed import embed
    from toolkit.pipeline.generate import generate
    from toolkit.pipeline.load import load
    from toolkit.pipeline.recommend import recommend
    from toolkit.pipeline.store import pull, push
    from toolkit.pipeline.streams import verify_streams

__version__ = "0.1.0"
__all__ = [
    "Artifact",
    "Bundle",
    "ToolkitError",
    "__version__",
    "benchmark",
    "convert",
    "embed",
    "evaluate",
    "generate",
    "load",
    "optimize",
    "pull",
    "push",
    "quantize",
    "recommend",
    "verify",
    "verify_streams",
]

_HOME = {
    "Artifact": "toolkit.core",
    "Bundle": "toolkit.core",
    "ToolkitError": "toolkit.core",
    "embed": "toolkit.pipeline.embed",
    "generate": "toolkit.pipeline.generate",
    "load": "toolkit.pipeline.load",
    "pull": "toolkit.pipeline.store",
    "push": "toolkit.pipeline.store",
    "recommend": "toolkit.pipeline.recommend",
    "verify_streams": "toolkit.pipeline.streams",
} | dict.fromkeys(("benchmark", "convert", "evaluate", "optimize", "quantize", "verify"), "toolkit.pipeline.api")


def __getattr__(name: str) -> Any:
    """Import a public name on first use (PEP 562), so that ``import toolkit`` stays within its 50 ms."""
    if name not in _HOME:
        raise AttributeError(f"module 'toolkit' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)
