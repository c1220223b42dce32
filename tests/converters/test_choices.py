"""What each edge says a recipe may choose, tried with the real libraries and engines."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.converters.engines import compute
from tests.converters.nets import convert_all, export
from tests.converters.test_numerics import logits_of
from tests.converters.worst import worst_ratio
from toolkit.converters.base import Converter, Node, Recipe
from toolkit.converters.batches import batches
from toolkit.converters.planner import all_converters
from toolkit.converters.recipes import Choices, Ranges
from toolkit.core import Artifact, ConversionError, Format, InputError, Precision, Samples, Scalar, Signature, TensorSpec
from toolkit.runtimes import open_session

if TYPE_CHECKING:
    from torch import nn

# The least ratio of signal to noise in decibels on this net: what a choice costs, and no more.
ENOUGH_DB = 15.0
FLOATS = {Node(format, Precision.FP32) for format in (Format.ONNX, Format.OPENVINO, Format.TFLITE)}


def chosen(name: str, value: Scalar) -> Choices:
    return Choices(**{name: value}, percentile=99.9 if value == Ranges.PERCENTILE else None)  # type: ignore[arg-type]


EVERY = [
    pytest.param(converter, chosen(name, value), id=f"{converter.name}-{name}-{value}")
    for converter in all_converters()
    for name, values in converter.choices.items()
    for value in values[1:]
    if name != "transformer"  # The net has no softmax: tests/converters/test_openvino_int8.py.
]


def edge(name: str) -> Converter:
    return next(one for one in all_converters() if one.name == name)


@pytest.mark.parametrize(("converter", "choices"), EVERY)
def test_a_choice_makes_another_file_that_still_names_the_digits(
    converter: Converter,
    choices: Choices,
    made: dict[Node, Artifact],
    recipe: Recipe,
    trained: nn.Module,
    digits: tuple[Samples, Samples],
    tmp_path: Path,
) -> None:
    result = converter.convert(made[converter.source], tmp_path / "made", replace(recipe, choices=choices, variant="mine"))
    default = made[converter.target]
    assert result.manifest.content_sha256 != default.manifest.content_sha256, "the choice changed nothing"
    assert result.manifest.recipe == default.manifest.recipe | result.manifest.recipe != default.manifest.recipe
    assert result.manifest.recipe.items() >= choices.given().items()
    assert result.name == f"{default.name}-mine"
    images = digits[1].inputs["image"]
    expected = logits_of(trained, images)
    found = compute(result, {"image": images})["logits"]
    assert worst_ratio([({"logits": expected}, {"logits": found})]) > ENOUGH_DB
    assert np.mean(found.argmax(1) == expected.argmax(1)) > 0.95


@pytest.mark.parametrize("converter", [one for one in all_converters() if one.choices], ids=lambda one: one.name)
def test_the_default_said_aloud_is_the_default(converter: Converter, recipe: Recipe) -> None:
    """It is recorded as the same, and makes the same file: `check_converter`."""
    aloud = {name: values[0] for name, values in converter.choices.items()}
    spelled = replace(recipe, choices=Choices(**aloud))  # type: ignore[arg-type]
    assert converter.recipe_record(spelled) == converter.recipe_record(recipe)


@pytest.mark.parametrize("converter", all_converters(), ids=lambda one: one.name)
def test_what_an_edge_cannot_do_is_refused_with_what_it_can(converter: Converter, made: dict[Node, Artifact], recipe: Recipe) -> None:
    every: dict[str, tuple[Scalar, ...]] = {"ranges": tuple(Ranges), "per_channel": (True, False), "symmetric": (True, False)}
    every["group_size"] = (0, 1, 32, 1024)
    refused = 0
    for name, values in every.items():
        for value in set(values) - set(converter.choices.get(name, ())):
            with pytest.raises(InputError) as caught:
                converter.check(made[converter.source], replace(recipe, choices=chosen(name, value)))
            refused += 1
            assert f"cannot do {name} = {str(value).lower()}" in caught.value.problem
            assert set(converter.choices) <= set(caught.value.expected.replace(";", "").split())
    assert refused
    if not converter.keeps_float:
        with pytest.raises(InputError, match="cannot do keep_float"):
            converter.check(made[converter.source], replace(recipe, keep_float=("a",)))


def converted(name: str, made: dict[Node, Artifact], recipe: Recipe, folder: Path, choices: Choices) -> Artifact:
    converter = edge(name)
    return converter.convert(made[converter.source], folder / name, replace(recipe, choices=choices))


def onnx_scales(artifact: Artifact) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Scale and zero point of what each DequantizeLinear reads."""
    import onnx

    graph = onnx.load(artifact.model_file).graph
    values = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    nodes = [node for node in graph.node if node.op_type == "DequantizeLinear"]
    return {node.input[0]: (values[node.input[1]], values[node.input[2]]) for node in nodes}


def tflite_tensors(artifact: Artifact) -> list[tuple[int, Any]]:
    """Type and quantization of each tensor of the first signature that has scales."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(artifact.model_file.read_bytes(), 0))
    tensors = [tensor for tensor in model.subgraphs[0].tensors if tensor.quantization is not None and tensor.quantization.scale is not None]
    return [(tensor.type, tensor.quantization) for tensor in tensors]


@pytest.fixture(scope="module")
def lopsided(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[Node, Artifact], Recipe]:
    """A net whose tensors reach further above zero than below, in each format, and samples of such inputs."""
    import torch

    torch.manual_seed(0)
    signature = Signature((TensorSpec("x", "float32", ("batch", 8)),), (TensorSpec("y", "float32", ("batch", 4)),))
    net = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.LeakyReLU(0.3), torch.nn.Linear(16, 4))
    source = export(tmp_path_factory.mktemp("lopsided") / "pt2-fp32", net, (torch.zeros(2, 8),), signature, "lopsided")
    samples = Samples({"x": np.random.default_rng(0).uniform(-1, 3, (64, 8)).astype(np.float32)})
    return convert_all(source, FLOATS, Recipe()), Recipe(samples)


def is_even(artifact: Artifact) -> bool:
    """Whether zero is in the middle of every activation's range."""
    if artifact.manifest.format is Format.ONNX:
        return not any(zero.any() for _, zero in onnx_scales(artifact).values())
    if artifact.manifest.format is Format.TFLITE:
        return not any(quantization.zeroPoint.any() for _, quantization in tflite_tensors(artifact))
    import openvino

    nodes = openvino.Core().read_model(artifact.model_file).get_ordered_ops()
    fakes = [node for node in nodes if node.get_type_name() == "FakeQuantize"]
    assert fakes
    ends = [[float(node.input_value(place).get_node().get_data().min()) for place in (1, 2)] for node in fakes]
    return all(abs(low + high) < 0.02 * high for low, high in ends)


@pytest.mark.parametrize("name", ["onnx_int8", "tflite_int8", "openvino_int8"])
def test_symmetric_puts_zero_in_the_middle(name: str, lopsided: tuple[dict[Node, Artifact], Recipe], tmp_path: Path) -> None:
    made, recipe = lopsided
    assert not is_even(converted(name, made, recipe, tmp_path / "default", Choices()))
    assert is_even(converted(name, made, recipe, tmp_path / "symmetric", Choices(symmetric=True)))


def test_per_tensor_is_one_scale(made: dict[Node, Artifact], recipe: Recipe, tmp_path: Path) -> None:
    choices = Choices(per_channel=False)
    for name in ("onnx_int8", "onnx_int16x8"):
        assert any(scale.size > 1 for scale, _ in onnx_scales(made[edge(name).target]).values())
        assert all(scale.size == 1 for scale, _ in onnx_scales(converted(name, made, recipe, tmp_path, choices)).values())
    for name in ("tflite_int8", "tflite_int16x8"):
        assert any(len(q.scale) > 1 for _, q in tflite_tensors(made[edge(name).target]))
        assert all(len(q.scale) == 1 for _, q in tflite_tensors(converted(name, made, recipe, tmp_path, choices)))


def test_a_percentile_cuts_what_lies_outside(made: dict[Node, Artifact], recipe: Recipe, tmp_path: Path) -> None:
    def widest(percentile: float) -> float:
        choices = Choices(ranges=Ranges.PERCENTILE, percentile=percentile)
        return float(
            sum(scale.sum() for scale, _ in onnx_scales(converted("onnx_int8", made, recipe, tmp_path / str(percentile), choices)).values())
        )

    assert widest(95.0) < widest(99.99)


def test_groups_share_a_scale(made: dict[Node, Artifact], recipe: Recipe, tmp_path: Path) -> None:
    import onnx
    import openvino

    for size in (16, 32):
        graph = onnx.load(converted("onnx_int4_weights", made, recipe, tmp_path / str(size), Choices(group_size=size)).model_file).graph
        scales = {tensor.name: tensor for tensor in graph.initializer}
        products = [node for node in graph.node if node.op_type == "MatMulNBits"]
        counts = [np.prod(scales[node.input[2]].dims) for node in products]
        assert counts == [32 * 64 / size, 10 * 32 / size], "the net's two matrices"
    for size in (32, 0):
        artifact = converted("openvino_int4_weights", made, recipe, tmp_path / f"ov{size}", Choices(group_size=size))
        nodes = openvino.Core().read_model(artifact.model_file).get_ops()
        integers = [
            list(node.shape) for node in nodes if node.get_type_name() == "Constant" and node.get_element_type().get_type_name() == "i4"
        ]
        assert sorted(integers) == ([[10, 1, 32], [32, 2, 32]] if size else [[10, 32], [32, 64]])


def test_a_net_without_products_has_nothing_for_int4(tmp_path: Path) -> None:
    import torch

    signature = Signature((TensorSpec("x", "float32", ("batch", 1, 8, 8)),), (TensorSpec("y", "float32", ("batch", 4, 8, 8)),))
    source = export(tmp_path / "pt2-fp32", torch.nn.Conv2d(1, 4, 3, padding=1), (torch.zeros(2, 1, 8, 8),), signature, "conv")
    made = convert_all(source, FLOATS, Recipe())
    for name in ("onnx_int4_weights", "openvino_int4_weights", "tflite_int4_weights"):
        with pytest.raises(ConversionError, match=f"{name} stored nothing in int4.*choose int8-weights"):
            converted(name, made, Recipe(), tmp_path, Choices())


def test_int16_activations_are_finer_than_int8_ones(
    made: dict[Node, Artifact], trained: nn.Module, digits: tuple[Samples, Samples]
) -> None:
    images = digits[1].inputs["image"]
    expected = logits_of(trained, images)

    def noise(name: str) -> float:
        return worst_ratio([({"y": expected}, {"y": compute(made[edge(name).target], {"image": images})["logits"]})])

    assert noise("onnx_int16x8") > noise("onnx_int8") + 0.5
    assert noise("tflite_int16x8") > noise("tflite_int8") + 0.5


@pytest.mark.parametrize("ranges", [Ranges.ENTROPY, Ranges.PERCENTILE])
def test_a_histogram_never_holds_two_batches(
    ranges: Ranges, made: dict[Node, Artifact], recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from onnxruntime.quantization.calibrate import HistogramCollector

    seen: list[int] = []
    collect = HistogramCollector.collect

    def watched(self: Any, values: dict[str, list[np.ndarray]]) -> Any:
        seen.extend(len(arrays) for arrays in values.values())
        return collect(self, values)

    monkeypatch.setattr(HistogramCollector, "collect", watched)
    converted("onnx_int8", made, recipe, tmp_path, chosen("ranges", ranges))
    assert set(seen) == {1}
    assert recipe.calibration is not None
    assert len(seen) % len(list(batches(recipe.calibration, 32))) == 0


@pytest.mark.parametrize("name", ["tflite_int8", "tflite_int16x8"])
def test_integers_at_the_border_are_a_sessions_business(
    name: str, made: dict[Node, Artifact], recipe: Recipe, digits: tuple[Samples, Samples], tmp_path: Path
) -> None:
    """The file takes and gives integers; a session takes and gives what the model does, and a file without a manifest integers."""
    converter = edge(name)
    result = converter.convert(made[converter.source], tmp_path / "made", replace(recipe, choices=Choices(integer_io=True), variant="mine"))
    images = digits[1].inputs["image"][:40]
    with open_session(result) as session, open_session(made[converter.target]) as usual:
        np.testing.assert_array_equal(session.run(images)["logits"], usual.run(images)["logits"])
        outside = np.full((1, 1, 8, 8), 100.0, np.float32)
        np.testing.assert_array_equal(session.run(outside)["logits"], usual.run(outside)["logits"])
    with open_session(result.model_file) as session:
        assert {spec.dtype for spec in (*session.signature.inputs, *session.signature.outputs)} == {"int16" if "16" in name else "int8"}


@pytest.mark.parametrize("name", ["onnx_int8", "openvino_int8"])
def test_weights_in_half_of_their_range_add_up_on_every_processor(name: str, tmp_path: Path) -> None:
    """Large numbers times large weights: on x86 without VNNI OpenVINO keeps sums of two products in 16 bits."""
    import torch

    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(64, 32), torch.nn.ReLU(), torch.nn.Linear(32, 4))
    for weights in net.parameters():
        torch.nn.init.uniform_(weights, 0.8, 1.0)
    signature = Signature((TensorSpec("x", "float32", ("batch", 64)),), (TensorSpec("y", "float32", ("batch", 4)),))
    source = export(tmp_path / "pt2-fp32", net, (torch.zeros(2, 64),), signature, "large")
    x = np.random.default_rng(0).uniform(0.8, 1, (64, 64)).astype(np.float32)
    made = convert_all(source, {edge(name).source}, Recipe())
    halved = converted(name, made, Recipe(Samples({"x": x})), tmp_path, Choices(reduce_range=True))
    with torch.no_grad(), open_session(halved, engine="openvino") as session:
        expected = net(torch.from_numpy(x)).numpy()
        np.testing.assert_allclose(session.run(x)[0], expected, rtol=0.03)
