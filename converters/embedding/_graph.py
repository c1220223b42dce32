"""A picture's preparation as an ONNX graph, which OpenVINO reads too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .base import HALF, INPUT, SIDES, Picture

OPSET, IR_VERSION = 13, 7
"""The first operator set in which all of it can be said."""
OUTPUT = "prepared"
_TYPES = {"float32": "float", "float16": "float16", "uint8": "uint8"}
_NUMBERS = {"float": 1, "float16": 10, "uint8": 2}


def graph(picture: Picture, *, opset: int = OPSET, ir_version: int = IR_VERSION) -> Any:
    """The `onnx.ModelProto` of ``picture uint8[n,h,w,c] -> prepared [n,...]`` in the network's layout and dtype."""
    from onnx import parser

    height, width = picture.size
    about, channels, given = picture.about, len(picture.mix), len(picture.mix[0])
    dtype = _TYPES[picture.dtype]
    shape = ("n", channels, height, width) if about.layout == "NCHW" else ("n", height, width, channels)
    lines = [
        "shape = Shape(picture)",
        *_constant("second", "int64", [1]),
        *_constant("third", "int64", [2], []),
        "h = Gather(shape, one_i)",
        "w = Gather(shape, third)",
        *_placed(picture),
        *_weights("rows", "h", "high", "top", height),
        *_weights("columns", "w", "wide", "left", width),
        "turned = Transpose<perm=[1,0]>(columns)",
        "moved = Transpose<perm=[0,3,1,2]>(picture)",
        "raw = Cast<to=1>(moved)",
        *_mixed(picture),
        "across_f = MatMul(levels, turned)",
        *_rounded("across", 3, width),
        "down_f = MatMul(rows, across)",
        *_rounded("down", 2, height),
        *_bordered(picture),
        *_scaled(picture),
        "placed = Transpose<perm=[0,2,3,1]>(values)" if about.layout == "NHWC" else "placed = Identity(values)",
        f"{OUTPUT} = Identity(placed)" if dtype == "float" else f"{OUTPUT} = Cast<to={_NUMBERS[dtype]}>(placed)",
    ]
    body = "\n  ".join(lines)
    return parser.parse_model(f"""
<ir_version: {ir_version}, opset_import: ["" : {opset}]>
preparation (uint8[n, {", ".join(SIDES)}, {given}] {INPUT}) => ({dtype}[{", ".join(map(str, shape))}] {OUTPUT})
<int64 zero_i = {{0}}, int64 one_i = {{1}}, float zero = {{0}}, float half = {{0.5}}, float one = {{1}}, float most = {{255}},
  float eleven = {{{HALF}}}, float both = {{{HALF**2}}}>
{{
  {body}
}}""")


def _constant(name: str, kind: str, values: Sequence[float], shape: Sequence[int] | None = None) -> list[str]:
    sizes = [len(values)] if shape is None else shape
    dims = f"[{','.join(map(str, sizes))}]" if sizes else ""
    return [f"{name} = Constant<value = {kind}{dims} {{{','.join(repr(value) for value in values)}}}>()"]


def _placed(picture: Picture) -> list[str]:
    """``high`` and ``wide``, to which the picture is resized, and ``top`` and ``left``, where that lies in the input: `Placement`."""
    (height, width), fit = picture.size, picture.about.fit
    if fit == "stretch":
        names = {"high": height, "wide": width, "top": 0, "left": 0}
        return [line for name, value in names.items() for line in _constant(name, "int64", [value], [])]
    choose = "Min" if fit == "letterbox" else "Max"
    lines = [line for name, value in {"two": 2, "height": height, "width": width}.items() for line in _constant(name, "int64", [value], [])]
    for target, own, other, size, across in (("high", "h", "w", "height", "width"), ("wide", "w", "h", "width", "height")):
        lines += [
            f"{target}_a = Mul({own}, {across})",
            f"{target}_b = Mul({target}_a, two)",
            f"{target}_c = Add({target}_b, {other})",
            f"{target}_d = Mul({other}, two)",
            f"{target}_e = Div({target}_c, {target}_d)",
            f"{target}_f = {choose}({size}, {target}_e)",
            f"{target} = Max(one_i, {target}_f)",
        ]
    for start, size, target in (("top", "height", "high"), ("left", "width", "wide")):
        if fit == "letterbox":
            lines += [f"{start}_a = Sub({size}, {target})", f"{start} = Div({start}_a, two)"]
        else:  # Half of what is left over, rounded down: a division of whole numbers cuts off.
            lines += [
                f"{start}_a = Sub({target}, {size})",
                f"{start}_b = Add({start}_a, one_i)",
                f"{start}_c = Div({start}_b, two)",
                f"{start} = Neg({start}_c)",
            ]
    return lines


def _weights(name: str, size: str, resized: str, start: str, count: int) -> list[str]:
    """`name` ``[2 count, size]``: what each row of the picture counts for each of the input, 0 outside of the picture; in 22 bits, of which
    the upper eleven come first.
    """
    return [
        *_constant(f"{name}_i", "int64", list(range(count)), [count, 1]),
        f"{name}_at = Sub({name}_i, {start})",
        f"{name}_odd = Add({name}_at, {name}_at)",
        f"{name}_mid = Add({name}_odd, one_i)",
        f"{name}_centre = Mul({name}_mid, {size})",
        f"{name}_j = Range(zero_i, {size}, one_i)",
        f"{name}_odder = Add({name}_j, {name}_j)",
        f"{name}_middle = Add({name}_odder, one_i)",
        f"{name}_place = Mul({name}_middle, {resized})",
        f"{name}_d = Sub({name}_centre, {name}_place)",
        f"{name}_a = Abs({name}_d)",
        f"{name}_support = Max({size}, {resized})",
        f"{name}_reach = Add({name}_support, {name}_support)",
        f"{name}_t = Sub({name}_reach, {name}_a)",
        f"{name}_tri = Max({name}_t, zero_i)",
        f"{name}_f = Cast<to=1>({name}_tri)",
        f"{name}_sum = ReduceSum<keepdims=1>({name}_f, second)",
        f"{name}_whole = Max({name}_sum, one)",
        f"{name}_up = Mul({name}_f, eleven)",
        f"{name}_q = Div({name}_up, {name}_whole)",
        f"{name}_high = Floor({name}_q)",
        f"{name}_p = Mul({name}_high, {name}_whole)",
        f"{name}_r = Sub({name}_up, {name}_p)",
        f"{name}_down = Mul({name}_r, eleven)",
        f"{name}_l = Div({name}_down, {name}_whole)",
        f"{name}_lh = Add({name}_l, half)",
        f"{name}_low = Floor({name}_lh)",
        f"{name} = Concat<axis=0>({name}_high, {name}_low)",
    ]


def _rounded(name: str, axis: int, count: int) -> list[str]:
    """`name`: whole levels of ``<name>_f``, sums that have the upper bits before the lower ones on `axis`."""
    return [
        *_constant(f"{name}_halves", "int64", [count, count]),
        f"{name}_high, {name}_low = Split<axis={axis}>({name}_f, {name}_halves)",
        f"{name}_a = Div({name}_high, eleven)",
        f"{name}_w = Floor({name}_a)",
        f"{name}_x = Sub({name}_a, {name}_w)",
        f"{name}_b = Div({name}_low, both)",
        f"{name}_y = Add({name}_x, {name}_b)",
        f"{name}_z = Add({name}_y, half)",
        f"{name}_o = Floor({name}_z)",
        f"{name}_s = Add({name}_w, {name}_o)",
        f"{name} = Clip({name}_s, zero, most)",
    ]


def _mixed(picture: Picture) -> list[str]:
    """``levels`` ``[n, channels, h, w]``, of whole numbers, of the app's channels."""
    mix = picture.mix
    if len(mix) == len(mix[0]) and all(row[place] == picture.mix_of for place, row in enumerate(mix)):
        return ["levels = Identity(raw)"]
    if picture.mix_of == 1:
        return [*_constant("order", "int64", [row.index(1) for row in mix]), "levels = Gather<axis=1>(raw, order)"]
    shape = [len(mix[0]), 1, 1]
    return [
        *_constant("luma", "float", [float(part) for part in mix[0]], shape),
        "weighed = Mul(raw, luma)",
        "summed = ReduceSum<keepdims=1>(weighed, second)",
        *_constant("luma_half", "float", [picture.mix_of / 2], []),
        *_constant("luma_whole", "float", [float(picture.mix_of)], []),
        "upped = Add(summed, luma_half)",
        "divided = Div(upped, luma_whole)",
        "levels = Floor(divided)",
    ]


def _bordered(picture: Picture) -> list[str]:
    """``whole``: the border where the picture does not reach."""
    if picture.about.fit != "letterbox":
        return ["whole = Identity(down)"]
    lines = []
    for name, start, target, count, shape in (("v", "top", "high", 0, [-1, 1]), ("u", "left", "wide", 1, [-1])):
        places = picture.size[count]
        sizes = [places if size == -1 else size for size in shape]
        lines += [
            *_constant(f"{name}_i", "int64", list(range(places)), sizes),
            f"{name}_end = Add({start}, {target})",
            f"{name}_before = Less({name}_i, {start})",
            f"{name}_below = Less({name}_i, {name}_end)",
            f"{name}_after = Not({name}_below)",
            f"{name}_out = Or({name}_before, {name}_after)",
        ]
    return [
        *lines,
        "outside = Or(v_out, u_out)",
        *_constant("pad", "float", [float(picture.about.pad)], []),
        "whole = Where(outside, pad, down)",
    ]


def _scaled(picture: Picture) -> list[str]:
    """``values``: scaled, less the mean, by the deviation, as `Preprocessing` says."""
    if picture.is_plain:
        return ["values = Identity(whole)"]
    about = picture.about
    return [
        *_constant("scale", "float", [about.scale], []),
        *_constant("mean", "float", list(about.mean), [len(about.mean), 1, 1]),
        *_constant("std", "float", list(about.std), [len(about.std), 1, 1]),
        "scaled = Mul(whole, scale)",
        "centred = Sub(scaled, mean)",
        "values = Div(centred, std)",
    ]
