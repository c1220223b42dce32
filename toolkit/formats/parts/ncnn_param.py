"""The graph of an ncnn network: the text file ``.param``, read and checked before ncnn reads it.

ncnn believes every number in that file, and a wrong one ends the process. The format: a magic number; how many layers and blobs there are;
a line a layer: ``type name inputs outputs``, the names of its inputs and outputs, and settings ``key=value``. A key below -23300 has a list
as its value, the count first. https://github.com/Tencent/ncnn/wiki/param-and-model-file-structure
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from toolkit.core import ArtifactError, read_file

MAGIC = "7767517"
_MOST_BYTES = 16 * 2**20
_LONGEST_NAME = 255
_LIST = -23300
_SHAPES = _LIST - 30
_KEYS = 32
_WIDTH, _HEIGHT, _DEPTH, _CHANNELS = 0, 1, 11, 2
_AXES = {0: (), 1: (_WIDTH,), 2: (_HEIGHT, _WIDTH), 3: (_CHANNELS, _HEIGHT, _WIDTH), 4: (_CHANNELS, _DEPTH, _HEIGHT, _WIDTH)}
_NUMBER = re.compile(r"-?\d{1,10}|-?\d{1,40}(\.\d{0,40})?(e[+-]?\d{1,3})?|-?inf|nan", re.IGNORECASE)
_TEXT = re.compile(r'"[ -!#-~]*"')


@dataclass(frozen=True)
class NcnnLayer:
    """One line: ``settings`` are its values as they stand in the file."""

    kind: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    settings: Mapping[int, str]

    def __str__(self) -> str:
        words = [self.kind, self.name, str(len(self.inputs)), str(len(self.outputs)), *self.inputs, *self.outputs]
        return " ".join([*words, *(f"{key}={value}" for key, value in self.settings.items())])


@dataclass(frozen=True)
class NcnnGraph:
    """The layers in the order in which they run. A blob that no layer reads is an output of the network."""

    layers: tuple[NcnnLayer, ...]

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of the inputs, in the file's order."""
        return tuple(name for layer in self.layers if layer.kind == "Input" for name in layer.outputs)

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of the outputs, in the file's order."""
        read = {name for layer in self.layers for name in layer.inputs}
        return tuple(name for layer in self.layers for name in layer.outputs if name not in read)

    @property
    def integer_inputs(self) -> frozenset[str]:
        """The inputs that are indices of rows in a table, directly or through copies; ncnn takes every other number for a float32."""
        source: dict[str, str] = {}
        for layer in self.layers:
            if layer.kind == "Input":
                source.update({name: name for name in layer.outputs})
            elif layer.kind == "Split" and layer.inputs[0] in source:
                source.update(dict.fromkeys(layer.outputs, source[layer.inputs[0]]))
        return frozenset(source[name] for layer in self.layers if layer.kind == "Embed" for name in layer.inputs if name in source)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes of inputs and outputs, without the batch, as far as the file says them; ncnn itself needs none."""
        found: dict[str, tuple[int, ...]] = {}
        for layer in self.layers:
            if layer.kind == "Input":
                keys = next((axes for axes in reversed(_AXES.values()) if layer.settings.keys() >= {*axes}), ())
                if keys:
                    found[layer.outputs[0]] = tuple(int(layer.settings[key]) for key in keys)
            elif _SHAPES in layer.settings:
                numbers = [int(number) for number in layer.settings[_SHAPES].split(",")[1:]]
                for place, name in enumerate(layer.outputs):
                    rank, *sizes = numbers[4 * place : 4 * place + 4] or [-1]
                    if rank in range(4):
                        found[name] = tuple(reversed(sizes[:rank]))
        return {name: shape for name, shape in found.items() if name in (*self.inputs, *self.outputs)}

    def with_shapes(self, shapes: Mapping[str, tuple[int, ...]]) -> NcnnGraph:
        """The graph with the shapes ``name -> [axes without the batch]`` of inputs and of outputs of up to three axes written into it."""
        return NcnnGraph(tuple(_with_shapes(layer, shapes) for layer in self.layers))

    def text(self) -> str:
        """The file's content."""
        blobs = sum(len(layer.outputs) for layer in self.layers)
        return "\n".join([MAGIC, f"{len(self.layers)} {blobs}", *map(str, self.layers)]) + "\n"


def ncnn_name(name: str) -> str:
    """A tensor's name as it stands in the file, where white space ends a name."""
    return re.sub(r"\s", "_", name)


def read_ncnn(file: Path) -> NcnnGraph:
    """The graph in `file`, each line, count, name and number of it checked.

    Raises:
        ArtifactError: the file is empty, truncated, or no ncnn graph.
    """
    try:
        content = read_file(file, most=_MOST_BYTES).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise ArtifactError(f"'{file}' is no ncnn network: {error}", expected="a text file") from error
    return parse_ncnn(content, file)


def parse_ncnn(content: str, file: Path) -> NcnnGraph:
    """As `read_ncnn`, of the file's content."""

    def refuse(expected: str, got: str) -> ArtifactError:
        return ArtifactError(
            f"'{file}' is no ncnn network", expected=expected, got=got[:120], hint="is the file complete? convert it again"
        )

    lines = content.split("\n")
    if lines[0].strip() != MAGIC:
        raise refuse(f"{MAGIC} in its first line", f"'{lines[0][:20]}'" if content else "0 bytes")
    if lines[-1].strip() or len(lines) < 4:
        raise refuse("a complete last line", f"'{lines[-1][:60]}'")
    counts = lines[1].split()
    if len(counts) != 2 or not all(_is_count(word) for word in counts):
        raise refuse("how many layers and blobs it has, in its second line", f"'{lines[1][:60]}'")
    layers: list[NcnnLayer] = []
    known: set[str] = set()
    for line in lines[2:-1]:
        layer = _layer(line)
        if layer is None:
            raise refuse("a layer: its type, name, inputs, outputs and settings", f"'{line}'")
        unknown = [name for name in layer.inputs if name not in known]
        again = [name for name in layer.outputs if name in known]
        if unknown or again or len(set(layer.outputs)) < len(layer.outputs):
            raise refuse("layers in order, each blob made once and before it is read", f"'{line}'")
        known.update(layer.outputs)
        layers.append(layer)
    if [len(layers), len(known)] != [int(word) for word in counts]:
        raise refuse(f"{counts[0]} layers and {counts[1]} blobs", f"{len(layers)} and {len(known)}")
    graph = NcnnGraph(tuple(layers))
    if not graph.inputs or not graph.outputs:
        raise refuse("inputs and outputs", f"{len(graph.inputs)} and {len(graph.outputs)}")
    return graph


def _layer(line: str) -> NcnnLayer | None:
    """The layer in a line; None where it is none."""
    words = line.split()
    if len(words) < 4 or not (_is_count(words[2]) and _is_count(words[3])):
        return None
    first, last = 4 + int(words[2]), 4 + int(words[2]) + int(words[3])
    names = [*words[:2], *words[4:last]]
    settings = dict(filter(None, map(_setting, words[last:])))
    if len(words) < last or len(settings) < len(words[last:]) or max(map(len, names)) > _LONGEST_NAME:
        return None
    layer = NcnnLayer(words[0], words[1], tuple(words[4:first]), tuple(words[first:last]), settings)
    fits = (not layer.inputs and len(layer.outputs) == 1) if layer.kind == "Input" else layer.kind != "Split" or len(layer.inputs) == 1
    return layer if fits else None


def _setting(word: str) -> tuple[int, str] | None:
    """A key and its value; None where it is none."""
    name, equals, value = word.partition("=")
    if not equals or not re.fullmatch(r"-?\d{1,5}", name):
        return None
    key = int(name)
    if 0 <= key < _KEYS:
        return (key, value) if _is_number(value) or _TEXT.fullmatch(value) else None
    count, *numbers = value.split(",")
    if _LIST - _KEYS < key <= _LIST and count == str(len(numbers)) and all(map(_is_number, numbers)):
        return key, value
    return None


def _is_number(word: str) -> bool:
    return bool(_NUMBER.fullmatch(word)) and ("." in word or "e" in word.lower() or "n" in word.lower() or -(2**31) <= int(word) < 2**31)


def _is_count(word: str) -> bool:
    return word.isascii() and word.isdecimal() and len(word) < 7


def _with_shapes(layer: NcnnLayer, shapes: Mapping[str, tuple[int, ...]]) -> NcnnLayer:
    settings = dict(layer.settings)
    own = [shapes.get(name) for name in layer.outputs]
    if layer.kind == "Input" and own[0]:
        settings = {key: str(size) for key, size in zip(_AXES[len(own[0])], own[0], strict=True)}
    elif layer.kind != "Input" and any(shape is not None for shape in own) and all(len(shape or ()) < 4 for shape in own):
        # A rank of 0 is no hint for ncnn: it stands for one number a row; an output that is none of the network's has none either.
        settings[_SHAPES] = ",".join(map(str, [4 * len(own), *(number for shape in own for number in _hint(shape))]))
    return NcnnLayer(layer.kind, layer.name, layer.inputs, layer.outputs, settings)


def _hint(shape: Sequence[int] | None) -> list[int]:
    sizes = [*reversed(shape or ())]
    return [len(sizes), *sizes, *[1] * (3 - len(sizes))]
