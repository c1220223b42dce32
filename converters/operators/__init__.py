"""What is inside a model file: how many operators of each type, and how many of them are quantized.

One file a format; each says what 'quantized' means there. In every format it is an operator that computes on integers or reads
an integer weight, never the conversion between integers and floats itself.
"""

from __future__ import annotations

import importlib
from pathlib import Path

from toolkit.core import ArtifactError, Format, Operators, ToolkitError, first_line, needs


def operators_in(file: Path, format: Format) -> Operators:
    """Count the operators of a model file. ONNX needs the package ``onnx``, TF Lite ``ai-edge-litert`` and ExecuTorch
    ``executorch``, others nothing.

    Raises:
        ArtifactError: the file is missing, truncated or of another format.
        MissingDependencyError: the package that reads the format is not installed.
    """
    if not file.is_file():
        raise ArtifactError(f"no model file '{file}'", expected="an existing file")
    reader = importlib.import_module(f".{format.value}", __name__)
    try:
        with needs("convert"):
            found = reader.operators(file)
    except (ToolkitError, OSError, MemoryError):
        raise
    except Exception as error:
        text = first_line(error)
        raise ArtifactError(f"'{file}' cannot be read as {format}: {text}", hint="is the file complete? convert it again") from error
    assert isinstance(found, Operators)
    return found
