"""Core ML: runs ``.mlpackage`` folders, on macOS only.

Written after Apple's interface and never run by this project's own tests, which run on Linux: there its files are made and checked, and
what they compute is verified where `toolkit verify` runs on a Mac.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from toolkit.core import ArtifactError, EngineError, Format, Precision, Signature, hidden
from toolkit.formats.coreml import LARGEST, NOT_NEEDED, coreml_name

from .base import Actual, OpenRequest, Runtime, Session

_PACKAGE = 2
"""How many folders the specification lies below the package."""


class CoreMl(Runtime):
    """Apple's engine, through coremltools."""

    name = "coreml"
    formats = frozenset({Format.COREML})
    distribution = "coremltools"
    module = "coremltools"
    extra = "coreml"
    sets_threads = False
    systems = ("macOS",)

    def devices(self) -> tuple[str, ...]:
        """The processor only: of the others Core ML does not say whether it used them."""
        return ("cpu",)

    def precisions(self, format: Format) -> frozenset[Precision]:  # noqa: ARG002 - one format
        """Those that a converter writes."""
        return frozenset({Precision.FP32, Precision.FP16})

    def _open(self, request: OpenRequest) -> Session:
        if request.signature is None:
            raise ArtifactError(f"'{request.file}' has no manifest", expected="the artifact's folder, which says its signature")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Of versions of torch and scikit-learn that it was not tested with.
            with hidden(*NOT_NEEDED):
                import coremltools
        package = request.file.parents[_PACKAGE]
        model = coremltools.models.MLModel(str(package), compute_units=coremltools.ComputeUnit.CPU_ONLY)
        return CoreMlSession(model, request.signature, request, self.version())


class CoreMlSession(Session):
    """A compiled model."""

    def __init__(self, model: Any, signature: Signature, request: OpenRequest, version: str) -> None:
        self._model = model
        super().__init__(
            signature,
            Actual(
                engine="coreml",
                engine_version=version,
                device="cpu",
                # On the processor Core ML computes in the program's own types; what it computes with float16 weights is not told.
                float_type=request.float_type,
                threads=0,
                detail=f"{model.compute_unit.name}, batches of at most {LARGEST}",
            ),
        )

    def _run(self, arrays: list[np.ndarray]) -> list[np.ndarray]:
        given = {}
        for spec, array in zip(self.signature.inputs, arrays, strict=True):
            too_large = [size for size, free in zip(array.shape, spec.shape, strict=True) if isinstance(free, str) and size > LARGEST]
            if too_large:
                raise EngineError(f"Core ML, input '{spec.name}'", expected=f"sizes of at most {LARGEST}", got=str(too_large[0]))
            given[coreml_name(spec.name)] = array.astype(np.int32) if array.dtype == np.int64 else array
        found = self._model.predict(given)
        return [np.array(found[coreml_name(spec.name)], dtype=spec.dtype) for spec in self.signature.outputs]

    def _close(self) -> None:
        self._model = None
