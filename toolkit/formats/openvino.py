"""OpenVINO: a graph as XML, with its weights in a file beside it. The engine is needed for its layers only."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

from toolkit.core import ArtifactError, Format, Operators

from .base import FileFormat, Layer
from .parts.openvino_model import openvino_layers, read_model

_NO_OPERATORS = frozenset({"Parameter", "Const", "Result"})
_DECOMPRESSION = frozenset({"Convert", "Subtract", "Multiply", "Reshape"})
_INTEGER = frozenset({"i8", "u8", "i4", "u4"})


@dataclass
class _Graph:
    """The layers and edges of one network or of one body inside it; layer numbers are its own."""

    types: dict[str, str] = field(default_factory=dict)
    constants: dict[str, str] = field(default_factory=dict)
    inputs: dict[str, list[str]] = field(default_factory=dict)
    weights: int = 0
    """So many bytes of weights its constants reach up to."""


_WEIGHTS = "model.bin"


class OpenVino(FileFormat):
    """OpenVINO's intermediate representation."""

    format = Format.OPENVINO
    title = "OpenVINO IR"
    suffixes = (".xml",)
    default_engine = "openvino"

    def files(self, path: Path) -> dict[str, Path]:
        """The graph, and the file of its weights, which is called as it is."""
        weights = path.with_suffix(".bin")
        return super().files(path) | ({_WEIGHTS: weights} if weights.is_file() else {})

    def _check(self, file: Path) -> None:
        wanted = max((graph.weights for graph in _graphs(file)), default=0)
        weights = file.with_suffix(".bin")
        got = weights.stat().st_size if weights.is_file() else 0
        if got < wanted:
            raise ArtifactError(f"'{weights}' lacks weights of '{file.name}'", expected=f"{wanted} bytes", got=f"{got} bytes")

    def _operators(self, file: Path) -> Operators:
        """Every layer but parameters, constants and results, in the bodies of loops too.

        Quantized is a layer with an input that comes from ``FakeQuantize``, or from an i8, u8, i4 or u4 constant through its
        decompression (``Convert``, ``Subtract``, ``Multiply``, ``Reshape``); the decompression itself is not.
        """
        graphs = _graphs(file)
        types = _kinds(graphs)
        return Operators(len(types), sum(map(_quantized, graphs)), dict(sorted(Counter(types).items())))

    def _layers(self, file: Path) -> tuple[Layer, ...]:
        return openvino_layers(read_model(file))


def _kinds(graphs: list[_Graph]) -> list[str]:
    return [kind for graph in graphs for kind in graph.types.values() if kind not in _NO_OPERATORS]


def _graphs(file: Path) -> list[_Graph]:
    graphs = _read(file)
    if not _kinds(graphs):
        raise ArtifactError(
            f"'{file}' holds no OpenVINO model", expected="at least one layer", hint="is the file complete? convert it again"
        )
    return graphs


def _read(file: Path) -> list[_Graph]:
    done: list[_Graph] = []
    open_graphs: list[_Graph] = []
    layers: list[str] = []

    def start(tag: str, attributes: dict[str, str]) -> None:
        if tag in {"net", "body"}:
            open_graphs.append(_Graph())
        elif tag == "layer":
            layers.append(attributes["id"])
            open_graphs[-1].types[attributes["id"]] = attributes["type"]
        elif tag == "data" and layers and open_graphs[-1].types.get(layers[-1]) == "Const":
            open_graphs[-1].constants[layers[-1]] = attributes.get("element_type", "")
            end_of_weights = int(attributes.get("offset", 0)) + int(attributes.get("size", 0))
            open_graphs[-1].weights = max(open_graphs[-1].weights, end_of_weights)
        elif tag == "edge":
            open_graphs[-1].inputs.setdefault(attributes["to-layer"], []).append(attributes["from-layer"])

    def end(tag: str) -> None:
        if tag == "layer":
            layers.pop()
        elif tag in {"net", "body"}:
            done.append(open_graphs.pop())

    def refuse(*_: object) -> None:
        # An entity may name a file, or expand to gigabytes; OpenVINO never writes one.
        raise ArtifactError(f"'{file}' is refused", expected="XML without a document type", got="a DOCTYPE")

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.StartDoctypeDeclHandler = refuse
    with file.open("rb") as stream:
        parser.ParseFile(stream)
    return done


def _quantized(graph: _Graph) -> int:
    integer: dict[str, bool] = {}

    def is_integer(layer: str) -> bool:
        """Whether this layer's output is a quantized tensor brought back to float."""
        if layer not in integer:
            integer[layer] = False  # A loop in the file ends here.
            kind = graph.types.get(layer, "")
            if kind == "Const":
                integer[layer] = graph.constants.get(layer) in _INTEGER
            elif kind in _DECOMPRESSION:
                integer[layer] = _is_constant(graph, layer) and any(is_integer(source) for source in graph.inputs.get(layer, []))
            else:
                integer[layer] = kind == "FakeQuantize"
        return integer[layer]

    return sum(
        any(is_integer(source) for source in graph.inputs.get(layer, []))
        for layer, kind in graph.types.items()
        if kind not in _NO_OPERATORS | {"FakeQuantize"} and not is_integer(layer)
    )


def _is_constant(graph: _Graph, layer: str) -> bool:
    """Whether a decompression chain starts at constants only."""
    pending, seen = [layer], {layer}
    while pending:
        now = pending.pop()
        sources = graph.inputs.get(now, [])
        if not sources and graph.types.get(now) != "Const":
            return False
        if sources and graph.types.get(now) not in _DECOMPRESSION:
            return False
        pending += [source for source in sources if source not in seen]
        seen.update(sources)
    return True
