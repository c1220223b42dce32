"""A picture's preparation as an ONNX graph, which OpenVINO reads too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .base import GROUP, HALF, INPUT, SIDES, Picture

OPSET, IR_VERSION = 13, 7
"""The first operator set in which all of it can be said."""
OUTPUT = "prepared"
_TYPES = {"float32": "float", "float16": "float16", "uint8": "uint8"}
_NUMBERS = {"float": 1, "float16": 10, "uint8": 2}


def graph(picture: Picture, *, opset: int = OPSET, ir_version: int = IR_VERSION) -> Any:
    """The `onnx.ModelProto` of ``picture uint8[n,h,w,c] -> prepared [n,...]`` in the network's layout and dtype."""
    from onnx import parser

    height, width = picture.size
    channels, given = len(picture.mix), len(picture.mix[0])
    dtype = _TYPES[picture.dtype]
    shape = ("n", height, width, channels) if picture.about.layout == "NHWC" else ("n", channels, height, width)
    lines = [
        "shape = Shape(picture)",
        "h = Gather(shape, one_i)",
        "w = Gather(shape, two)",
        *_placed(picture),
        *_mixed(picture),
        "turned = Transpose<perm=[0,2,1,3]>(raw)",
        *_resized("across", "turned", ("w", "wide", "left"), width, given=picture.resized),
        "across_u = Cast<to=2>(across)",
        "back = Transpose<perm=[0,2,1,3]>(across_u)",
        *_resized("down", "back", ("h", "high", "top"), height, given=picture.resized),
        *_ordered(picture),
        *_bordered(picture),
        *_scaled(picture),
        "placed = Identity(values)" if picture.about.layout == "NHWC" else "placed = Transpose<perm=[0,3,1,2]>(values)",
        f"{OUTPUT} = Identity(placed)" if dtype == "float" else f"{OUTPUT} = Cast<to={_NUMBERS[dtype]}>(placed)",
    ]
    body = "\n  ".join(lines)
    return parser.parse_model(f"""
<ir_version: {ir_version}, opset_import: ["" : {opset}]>
preparation (uint8[n, {", ".join(SIDES)}, {given}] {INPUT}) => ({dtype}[{", ".join(map(str, shape))}] {OUTPUT})
<int64 zero_i = {{0}}, int64 one_i = {{1}}, int64 two = {{2}}, int64[1] last = {{-1}},
  float zero = {{0}}, float half = {{0.5}}, float one = {{1}}, float most = {{255}}, float eleven = {{{HALF}}}, float both = {{{HALF**2}}}>
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
    lines = [line for name, value in {"height": height, "width": width}.items() for line in _constant(name, "int64", [value], [])]
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


def _mixed(picture: Picture) -> list[str]:
    """``raw`` ``uint8[n, h, w, c]``: grey where the app has colours and the network takes none."""
    if not picture.is_mixed:
        return ["raw = Identity(picture)"]
    return [
        *_constant("luma", "float", [float(part) for part in picture.mix[0]]),
        *_constant("luma_half", "float", [picture.mix_of / 2], []),
        *_constant("luma_whole", "float", [float(picture.mix_of)], []),
        "colours = Cast<to=1>(picture)",
        "weighed = Mul(colours, luma)",
        "summed = ReduceSum<keepdims=1>(weighed, last)",
        "upped = Add(summed, luma_half)",
        "divided = Div(upped, luma_whole)",
        "floored = Floor(divided)",
        "raw = Cast<to=2>(floored)",
    ]


def _resized(name: str, source: str, sizes: tuple[str, str, str], count: int, *, given: int) -> list[str]:
    """`name` ``float[n, count, k, c]``, whole levels, of `source` ``uint8[n, size, k, c]``: each group of results from a window of the
    source that holds all it needs.

    The weights are whole numbers of 22 bits, of which the upper eleven come first.
    """
    size, resized, start = sizes
    group = min(GROUP, count)
    groups = -(-count // group)
    return [
        f"{name}_wider = Max({size}, {resized})",
        f"{name}_reach = Mul({name}_wider, two)",
        # How long a window is, and where each begins.
        *_constant(f"{name}_rest", "int64", [group - 1], []),
        *_constant(f"{name}_spare", "int64", [3], []),
        f"{name}_l1 = Mul({size}, {name}_rest)",
        f"{name}_l2 = Add({name}_l1, {name}_reach)",
        f"{name}_l3 = Div({name}_l2, {resized})",
        f"{name}_l4 = Add({name}_l3, {name}_spare)",
        f"{name}_length = Min({size}, {name}_l4)",
        *_centres(f"{name}_first", list(range(0, groups * group, group)), [groups, 1], size, start),
        f"{name}_s1 = Sub({name}_first, {name}_reach)",
        f"{name}_s2 = Max({name}_s1, zero_i)",
        f"{name}_s3 = Mul({resized}, two)",
        f"{name}_s4 = Div({name}_s2, {name}_s3)",
        f"{name}_s5 = Sub({size}, {name}_length)",
        f"{name}_begin = Min({name}_s4, {name}_s5)",
        f"{name}_along = Range(zero_i, {name}_length, one_i)",
        f"{name}_places = Add({name}_begin, {name}_along)",
        # The triangle over each window, in whole numbers.
        *_centres(f"{name}_centre", list(range(groups * group)), [groups, group, 1], size, start),
        *_constant(f"{name}_middle", "int64", [1]),
        f"{name}_p1 = Mul({name}_places, two)",
        f"{name}_p2 = Add({name}_p1, one_i)",
        f"{name}_p3 = Mul({name}_p2, {resized})",
        f"{name}_p4 = Unsqueeze({name}_p3, {name}_middle)",
        f"{name}_d = Sub({name}_centre, {name}_p4)",
        f"{name}_away = Abs({name}_d)",
        f"{name}_t = Sub({name}_reach, {name}_away)",
        f"{name}_tri = Max({name}_t, zero_i)",
        f"{name}_f = Cast<to=1>({name}_tri)",
        f"{name}_sum = ReduceSum<keepdims=1>({name}_f, last)",
        f"{name}_whole = Max({name}_sum, one)",
        f"{name}_up = Mul({name}_f, eleven)",
        f"{name}_q = Div({name}_up, {name}_whole)",
        f"{name}_upper = Floor({name}_q)",
        f"{name}_b1 = Mul({name}_upper, {name}_whole)",
        f"{name}_b2 = Sub({name}_up, {name}_b1)",
        f"{name}_b3 = Mul({name}_b2, eleven)",
        f"{name}_b4 = Div({name}_b3, {name}_whole)",
        f"{name}_b5 = Add({name}_b4, half)",
        f"{name}_lower = Floor({name}_b5)",
        f"{name}_weights = Concat<axis=1>({name}_upper, {name}_lower)",
        # The windows, and their sums.
        f"{name}_windows = Gather<axis=1>({source}, {name}_places)",
        *_constant(f"{name}_flat", "int64", [0, 0, 0, -1]),
        f"{name}_lines = Reshape({name}_windows, {name}_flat)",
        f"{name}_levels = Cast<to=1>({name}_lines)",
        f"{name}_sums = MatMul({name}_weights, {name}_levels)",
        # Rounded: the whole levels of the upper part, and what its rest makes with the lower one.
        *_constant(f"{name}_halves", "int64", [group, group]),
        f"{name}_high, {name}_low = Split<axis=2>({name}_sums, {name}_halves)",
        f"{name}_a = Div({name}_high, eleven)",
        f"{name}_w = Floor({name}_a)",
        f"{name}_x = Sub({name}_a, {name}_w)",
        f"{name}_b = Div({name}_low, both)",
        f"{name}_y = Add({name}_x, {name}_b)",
        f"{name}_z = Add({name}_y, half)",
        f"{name}_o = Floor({name}_z)",
        f"{name}_r = Add({name}_w, {name}_o)",
        f"{name}_c = Clip({name}_r, zero, most)",
        *_constant(f"{name}_shape", "int64", [0, groups * group, -1, given]),
        f"{name}_all = Reshape({name}_c, {name}_shape)",
        *_constant(f"{name}_from", "int64", [0]),
        *_constant(f"{name}_to", "int64", [count]),
        f"{name} = Slice({name}_all, {name}_from, {name}_to, {name}_middle)",
    ]


def _centres(name: str, places: Sequence[int], shape: Sequence[int], size: str, start: str) -> list[str]:
    """`name`: twice the centre in the source of each result at these places, times the size to which the source is resized."""
    return [
        *_constant(f"{name}_i", "int64", places, shape),
        f"{name}_at = Sub({name}_i, {start})",
        f"{name}_twice = Mul({name}_at, two)",
        f"{name}_odd = Add({name}_twice, one_i)",
        f"{name} = Mul({name}_odd, {size})",
    ]


def _ordered(picture: Picture) -> list[str]:
    """``ordered``: the network's channels."""
    if picture.order is None:
        return ["ordered = Identity(down)"]
    return [*_constant("order", "int64", picture.order), "ordered = Gather<axis=3>(down, order)"]


def _bordered(picture: Picture) -> list[str]:
    """``whole``: the border where the picture does not reach."""
    if picture.about.fit != "letterbox":
        return ["whole = Identity(ordered)"]
    height, width = picture.size
    lines = []
    for name, start, target, count, shape in (("v", "top", "high", height, [height, 1, 1]), ("u", "left", "wide", width, [width, 1])):
        lines += [
            *_constant(f"{name}_i", "int64", list(range(count)), shape),
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
        "whole = Where(outside, pad, ordered)",
    ]


def _scaled(picture: Picture) -> list[str]:
    """``values``: scaled, less the mean, by the deviation, as `Preprocessing` says."""
    if picture.is_plain:
        return ["values = Identity(whole)"]
    about = picture.about
    return [
        *_constant("scale", "float", [about.scale], []),
        *_constant("mean", "float", list(about.mean)),
        *_constant("std", "float", list(about.std)),
        "scaled = Mul(whole, scale)",
        "centred = Sub(scaled, mean)",
        "values = Div(centred, std)",
    ]
