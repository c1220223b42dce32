"""Damage to model files that a reader of the format would take seriously: well-formed, and wrong."""

from __future__ import annotations

import re
from random import Random
from typing import Any

from .mutations import ESCAPES, TEXTS, mutate_bytes

SIZES = (0, -1, 1, 3, 2**31 - 1, 2**31, 2**40, 2**62, 2**63 - 1)


def onnx_mutant(data: bytes, random: Random) -> bytes:
    """An ONNX file with hostile content; half of them with damaged bytes only."""
    if random.random() < 0.4:
        return mutate_bytes(data, random)
    import onnx

    model = onnx.load_from_string(data)
    for _ in range(random.choice((1, 1, 2))):
        random.choice(
            (
                _external,
                _external,
                _cycle,
                _sizes,
                _sizes,
                _operator,
                _missing,
                _types,
                _attributes,
                _nested,
                _opset,
                _names,
                _function,
                _constant,
            )
        )(model, random)
    return bytes(model.SerializeToString())


def _external(model: Any, random: Random) -> None:
    from onnx import TensorProto

    tensor = random.choice(model.graph.initializer)
    tensor.ClearField("raw_data")
    tensor.ClearField("float_data")
    tensor.data_location = TensorProto.EXTERNAL
    where = (*ESCAPES, "../canary/weights.bin", "link.bin", "weights.bin", "/dev/zero", "/proc/self/mem", "pipe", "folder", "\0")
    entries = {
        "location": random.choice(where),
        "offset": str(random.choice((0, 0, *SIZES))),
        "length": random.choice(("4096", "x", "-1", str(2**62))),
    }
    for key, value in entries.items():
        if key == "location" or random.random() < 0.6:
            tensor.external_data.add(key=key, value=value)


def _cycle(model: Any, random: Random) -> None:
    nodes = model.graph.node
    first, last = random.choice(nodes), random.choice(nodes)
    if first.input and last.output:
        first.input[0] = last.output[0]


def _sizes(model: Any, random: Random) -> None:
    graph = model.graph
    if random.random() < 0.5:
        tensor = random.choice(graph.initializer)
        if tensor.dims:
            tensor.dims[random.randrange(len(tensor.dims))] = random.choice(SIZES)
        else:
            tensor.dims.extend([random.choice(SIZES)] * 3)
        return
    shape = random.choice([*graph.input, *graph.output]).type.tensor_type.shape
    for dim in shape.dim:
        if random.random() < 0.6:
            dim.dim_value = random.choice(SIZES)
    if random.random() < 0.2:
        for _ in range(random.choice((1, 2000))):
            shape.dim.add(dim_value=random.choice(SIZES))


def _operator(model: Any, random: Random) -> None:
    node = random.choice(model.graph.node)
    node.op_type = random.choice(
        ("Loop", "If", "Scan", "Nothing", "", "MatMulNBits", "QLinearConv", "Reshape", "Expand", "Tile", *TEXTS[:4])
    )
    node.domain = random.choice(("", "", "com.microsoft", "ai.onnx.ml", "evil", "../x"))


def _missing(model: Any, random: Random) -> None:
    graph = model.graph
    field = random.choice((graph.input, graph.output, graph.initializer, graph.node, model.opset_import))
    if len(field):
        del field[random.randrange(len(field))]
    if random.random() < 0.3:
        random.choice(graph.node or [None]).ClearField(random.choice(("input", "output"))) if graph.node else None


def _types(model: Any, random: Random) -> None:
    kind = random.choice((0, 2, 6, 7, 8, 9, 10, 14, 16, 17, 23, 99))
    tensor = random.choice(model.graph.initializer)
    if random.random() < 0.5:
        tensor.data_type = kind
    else:
        random.choice([*model.graph.input, *model.graph.output]).type.tensor_type.elem_type = kind


def _attributes(model: Any, random: Random) -> None:
    from onnx import helper

    node = random.choice(model.graph.node)
    name = random.choice(("axis", "axes", "alpha", "transA", "perm", "body", "then_branch", "value", "strides", "\0"))
    value = random.choice((random.choice(SIZES), [random.choice(SIZES)] * 3, 1e308, "x" * 5000, float("nan")))
    node.attribute.append(helper.make_attribute(name, value))


def _nested(model: Any, random: Random) -> None:
    """Graphs in graphs, deeper than a recursive reader's stack."""
    from onnx import AttributeProto

    owner = random.choice(model.graph.node)
    for _ in range(random.choice((3, 30, 90))):
        attribute = owner.attribute.add(name="then_branch", type=AttributeProto.GRAPH)
        owner = attribute.g.node.add(op_type="If")
    owner.op_type = "Identity"


def _opset(model: Any, random: Random) -> None:
    entry = random.choice(model.opset_import) if model.opset_import else model.opset_import.add()
    entry.version = random.choice(SIZES)
    model.ir_version = random.choice((0, 1, 9, 99, 2**31, 2**62))


def _names(model: Any, random: Random) -> None:
    graph = model.graph
    text = random.choice((*TEXTS, *ESCAPES))
    what = random.choice((*graph.input, *graph.output, *graph.initializer, *graph.node))
    what.name = text
    if random.random() < 0.5 and graph.node:
        node = random.choice(graph.node)
        if node.input:
            node.input[0] = text


def _function(model: Any, random: Random) -> None:
    """A function that calls itself."""
    from onnx import helper

    inner = helper.make_node("Again", ["a"], ["b"], domain="own")
    model.functions.append(
        helper.make_function("own", "Again", ["a"], ["b"], [inner], [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)])
    )
    model.opset_import.append(helper.make_opsetid("own", 1))
    node = random.choice(model.graph.node)
    node.op_type, node.domain = "Again", "own"
    del node.input[1:]


def _constant(model: Any, random: Random) -> None:
    """A few bytes that ask for a great deal of memory when they are folded or run."""
    from onnx import TensorProto, helper

    graph = model.graph
    size = random.choice((2**20, 2**34, 2**40, 2**62))
    graph.initializer.append(helper.make_tensor("bomb_shape", TensorProto.INT64, [1], [size]))
    if random.random() < 0.5:
        graph.node.insert(0, helper.make_node("ConstantOfShape", ["bomb_shape"], ["bomb"]))
    else:
        graph.initializer.append(helper.make_tensor("one", TensorProto.FLOAT, [1], [1.0]))
        graph.node.insert(0, helper.make_node("Expand", ["one", "bomb_shape"], ["bomb"]))
    if len(graph.node) > 1 and graph.node[1].input:
        graph.node.insert(1, helper.make_node("ReduceMax", ["bomb"], ["peak"], keepdims=0))
        graph.node.insert(2, helper.make_node("Add", [graph.input[0].name if graph.input else "x", "peak"], ["shifted"]))
        graph.node[3].input[0] = "shifted"


def tflite_mutant(data: bytes, random: Random) -> bytes:
    """A TF Lite file whose tables lead astray; the identifier mostly stays, so that it is read at all."""
    changed = mutate_bytes(data, random)
    return changed[:4] + b"TFL3" + changed[8:] if random.random() < 0.8 else changed


KINDS = ("If", "Loop", "TensorIterator", "X", "")
_BOMB = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))


def openvino_mutant(data: bytes, random: Random) -> bytes:
    """An OpenVINO XML with entities, outside files, huge sizes and offsets, or other names."""
    text = data.decode()
    return random.choice((
        lambda: mutate_bytes(data, random),
        lambda: mutate_bytes(data, random),
        lambda: _doctype(text, f'<!ENTITY a0 "ha">{_BOMB}', "&a9;"),
        lambda: _doctype(text, '<!ENTITY x SYSTEM "file:///etc/passwd">', "&x;"),
        lambda: _doctype(text, '<!ENTITY % p SYSTEM "../canary/secret.txt"> %p;', ""),
        lambda: _numbers(text, random),
        lambda: _numbers(text, random),
        lambda: re.sub(r'type="\w+"', lambda m: m[0] if random.random() < 0.7 else f'type="{random.choice(KINDS)}"', text).encode(),
        lambda: re.sub(r"<dim>\d+</dim>", lambda m: m[0] if random.random() < 0.6 else f"<dim>{random.choice(SIZES)}</dim>", text).encode(),
        lambda: re.sub(r'name="[^"]*"', lambda m: m[0] if random.random() < 0.6 else 'name="../x&#10;&#27;[31m"', text).encode(),
        lambda: text.replace("<layers>", "<layers>" + "<layer>" * 100_000, 1).encode(),
        lambda: re.sub(r"<edge [^>]*/>", lambda m: m[0] if random.random() < 0.5 else "", text).encode(),
    ))()  # fmt: skip


def _doctype(text: str, entities: str, use: str) -> bytes:
    head, _, rest = text.partition("?>")
    used = rest.replace('name="', 'name="' + use, 1)
    return f"{head}?><!DOCTYPE net [{entities}]>{used}".encode()


def _numbers(text: str, random: Random) -> bytes:
    fields = r'\b(offset|size|shape|id|port|from-layer|to-layer|version|from-port|to-port)="[^"]*"'
    return re.sub(fields, lambda m: m[0] if random.random() < 0.8 else f'{m[1]}="{random.choice(SIZES)}"', text).encode()
