"""torch.export archive to ONNX, by torch's own exporter."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

from toolkit.core import Artifact, ConversionError, Format, Precision, Signature, words_of

from ..base import Converter, Node, Recipe
from ..complex_numbers import without_complex
from ..onnx import read_model, rename, write_model
from ..pt2 import export, flat_module, load_program, plain_attention
from ..rewrites import average_whole_images

_MISSING = re.compile(r"No ONNX function found for <OpOverload\(op='([^']+)', overload='([^']+)'\)>")
_NODE = re.compile(r"translating node %?(\S+)")


class OnnxFromPt2(Converter):
    """The exported program becomes an ONNX graph with the signature's names; its free batch stays free."""

    name = "onnx_from_pt2"
    source = Node(Format.PT2, Precision.FP32)
    target = Node(Format.ONNX, Precision.FP32)
    extra = "convert"
    distributions = ("torch", "onnx", "onnxscript", "onnx-ir")
    settings = {"opset": 20}  # noqa: RUF012 - a mapping that nobody changes, declared in the base class

    def _convert(self, source: Artifact, target: Path, recipe: Recipe) -> Signature | None:  # noqa: ARG002
        import torch

        program = load_program(source.model_file)
        with contextlib.suppress(ConversionError):  # ONNX has some of the operators on complex numbers that have no rule.
            program = without_complex(program, source.manifest.signature)
        flat = flat_module(program)
        if average_whole_images(flat):
            program = export(flat, source.manifest.signature)
        with plain_attention(), torch.no_grad():
            try:
                exported = torch.onnx.export(program, dynamo=True, opset_version=self.settings["opset"], verbose=False)
            except Exception as error:
                raise ConversionError(f"torch cannot write the program as ONNX: {_reason(error)}") from error
        rename(exported.model, source.manifest.signature)
        write_model(exported.model_proto, target)
        read_model(target)
        return None


def _reason(error: BaseException) -> str:
    """What the exporter's chain of errors ends with, and at which node: its own text is advice to who develops it."""
    node = ""
    while True:
        found = _NODE.search(str(error))
        node = found[1] if found else node
        if error.__cause__ is None:
            break
        error = error.__cause__
    missing = _MISSING.search(str(error))
    return (
        f"no operator of ONNX for '{missing[1]}.{missing[2]}'" if missing else f"{words_of(error)}{f', at node {node!r}' if node else ''}"
    )
