"""Planting a fault: one constant of a converted file becomes wrong, as a converter's or a file's error would leave it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from toolkit.core import MANIFEST, Artifact, Format, sha256_of


def constants(artifact: Artifact) -> dict[str, np.ndarray]:
    """The float constants of two values or more in the file, by name; in TF Lite by number."""
    return {name: array.copy() for name, array in _READERS[artifact.manifest.format](artifact.model_file)}


def plant(artifact: Artifact, constant: str, folder: Path) -> Artifact:
    """A copy of `artifact` in `folder` with every third value of one constant moved by more than its own spread."""
    shutil.copytree(artifact.path, folder)
    _WRITERS[artifact.manifest.format](folder / artifact.manifest.format.file_name, constant)
    files = {name: sha256_of(folder / name) for name in artifact.manifest.files}
    manifest = replace(artifact.manifest, files=files)
    (folder / MANIFEST).write_bytes(manifest.to_json())
    return Artifact.load(folder)


def wrong(values: np.ndarray) -> np.ndarray:
    """The values with every third one moved."""
    changed = values.copy()
    flat = changed.reshape(-1)
    flat[::3] += (1 + 2 * np.std(values, dtype=np.float32)).astype(values.dtype)
    return changed


def _of_onnx(file: Path) -> Iterator[tuple[str, np.ndarray]]:
    import onnx

    for tensor in onnx.load(file).graph.initializer:
        values = onnx.numpy_helper.to_array(tensor)
        if values.dtype.kind == "f" and values.size > 1:
            yield tensor.name, values


def _into_onnx(file: Path, name: str) -> None:
    import onnx

    model = onnx.load(file)
    (tensor,) = (tensor for tensor in model.graph.initializer if tensor.name == name)
    tensor.CopyFrom(onnx.numpy_helper.from_array(wrong(onnx.numpy_helper.to_array(tensor)), name))
    onnx.save(model, file)


def _of_openvino(file: Path) -> Iterator[tuple[str, np.ndarray]]:
    import openvino

    for node in openvino.Core().read_model(file).get_ordered_ops():
        if node.get_type_name() == "Constant" and node.get_element_type().is_real() and node.get_data().size > 1:
            yield node.get_friendly_name(), node.get_data()


def _into_openvino(file: Path, name: str) -> None:
    import openvino

    model = openvino.Core().read_model(file)
    (node,) = (node for node in model.get_ordered_ops() if node.get_friendly_name() == name)
    other = openvino.opset13.constant(wrong(node.get_data()), node.get_element_type())
    other.set_friendly_name(name)
    for reader in node.output(0).get_target_inputs():
        reader.replace_source_output(other.output(0))
    openvino.save_model(model, file.with_name("changed.xml"), compress_to_fp16=False)
    del model, node  # OpenVINO maps the weights into memory: they are replaced only when nobody reads them.
    file.with_name("changed.xml").rename(file)
    file.with_name("changed.bin").rename(file.with_suffix(".bin"))


def _of_tflite(file: Path) -> Iterator[tuple[str, np.ndarray]]:
    from ai_edge_litert import schema_py_generated as schema

    content = file.read_bytes()
    model = schema.Model.GetRootAs(content, 0)
    graph = model.Subgraphs(model.SignatureDefs(0).SubgraphIndex())
    types = {schema.TensorType.FLOAT32: np.float32, schema.TensorType.FLOAT16: np.float16}
    for index in range(graph.TensorsLength()):
        tensor = graph.Tensors(index)
        buffer = model.Buffers(tensor.Buffer())
        if tensor.Type() in types:
            place, size = _place(content, buffer)
            values = np.frombuffer(content, np.uint8, size, place).view(types[tensor.Type()])
            if values.size > 1:
                yield str(index), values


def _into_tflite(file: Path, name: str) -> None:
    """In place: the data of one buffer, which all signatures of the file share."""
    from ai_edge_litert import schema_py_generated as schema

    content = bytearray(file.read_bytes())
    model = schema.Model.GetRootAs(content, 0)
    graph = model.Subgraphs(model.SignatureDefs(0).SubgraphIndex())
    tensor = graph.Tensors(int(name))
    dtype = np.float32 if tensor.Type() == schema.TensorType.FLOAT32 else np.float16
    place, size = _place(content, model.Buffers(tensor.Buffer()))
    values = np.frombuffer(bytes(content[place : place + size]), dtype)
    content[place : place + size] = wrong(values).tobytes()
    file.write_bytes(content)


def _place(content: bytes | bytearray, buffer: object) -> tuple[int, int]:
    """Where a buffer's data lie in the file, and how many bytes they are; behind the flatbuffer where it says so."""
    from flatbuffers.table import Table

    table: Table = buffer._tab  # type: ignore[attr-defined]
    if buffer.Offset() > 1:  # type: ignore[attr-defined]
        return buffer.Offset(), buffer.Size()  # type: ignore[attr-defined]
    offset = table.Offset(4)
    return (table.Vector(offset), table.VectorLen(offset)) if offset else (0, 0)


_READERS = {Format.ONNX: _of_onnx, Format.OPENVINO: _of_openvino, Format.TFLITE: _of_tflite}
_WRITERS = {Format.ONNX: _into_onnx, Format.OPENVINO: _into_openvino, Format.TFLITE: _into_tflite}
