"""torch.export archive to OpenVINO's own format, by OpenVINO's reader of exported programs."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from toolkit.core import Artifact, ConversionError, Format, Precision, Signature

from ..base import Converter, Node, Recipe
from ..complex_numbers import without_complex
from ..openvino import import_openvino, restore, save_model
from ..pt2 import load_program


class OpenvinoFromPt2(Converter):
    """The program without a way through ONNX: for networks that torch's exporter cannot write, or writes wrongly.

    The reader loses the names of the outputs and frees every size; both are restored from the signature.
    """

    name = "openvino_from_pt2"
    source = Node(Format.PT2, Precision.FP32)
    target = Node(Format.OPENVINO, Precision.FP32)
    extra = "convert"
    fallback = True
    distributions = ("openvino", "torch")

    def _convert(self, source: Artifact, target: Path, recipe: Recipe) -> Signature | None:  # noqa: ARG002
        program = load_program(source.model_file)
        with contextlib.suppress(ConversionError):  # The reader has rules of its own for some.
            program = without_complex(program, source.manifest.signature)
        model = _read(program)
        restore(model, source.manifest.signature)
        save_model(model, target, source)
        return None


def _read(program: Any) -> Any:
    """The `openvino.Model` of an exported program; raises `ConversionError`, which names an operator that it has no rule for."""
    import_openvino()
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.fx_decoder import TorchFXPythonDecoder

    reader = FrontEndManager().load_by_framework("pytorch")
    decoder = TorchFXPythonDecoder.from_exported_program(program)  # The reader holds no reference of its own to it.
    try:
        return reader.convert(reader.load(decoder))
    except Exception as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        told = next((line for line in lines if "aten" in line or "No conversion rule" in line), (lines or [type(error).__name__])[-1])
        raise ConversionError(f"OpenVINO cannot read the exported program: {told[:300]}") from error
