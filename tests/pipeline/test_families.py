"""Reference models whose graphs were hard for some converter: each case failed before its converter took care of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolkit.converters.base import Node
from toolkit.core import Format, Precision
from toolkit.models import find_model
from toolkit.models.data import find_data
from toolkit.models.training import export_pt2
from toolkit.pipeline.convert import Request, convert
from toolkit.pipeline.source.samples import split_samples

CASES = {
    "rnn": Node(Format.ONNX, Precision.FP16),  # onnxruntime crashed
    "rbm": Node(Format.ONNX, Precision.INT8),  # one weight, used along both of its axes
    "dcgan": Node(Format.TFLITE, Precision.INT8),  # what is added behind a transposed convolution
    "autoencoder": Node(Format.TFLITE, Precision.FP32),  # a transposed convolution with a padding on one side
    "attention-lstm": Node(Format.OPENVINO, Precision.FP32),  # int64 tokens, a free batch
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_it_arrives(name: str, tmp_path: Path) -> None:
    import torch

    model = find_model(name)
    data = find_data(model.data)
    if not data.is_here():
        pytest.skip(f"{data.name} is not on this machine")
    torch.manual_seed(0)
    export = model.exports(model.module(data), data)[0]
    artifact = export_pt2(
        export.module,
        signature=export.signature,
        out=tmp_path / name / "pt2-fp32",
        model=name,
        data=data.name,
        details=export.details,
        task=export.task or model.task,
    )
    split = split_samples(artifact, None, evaluation=50)
    (row,) = convert(Request(artifact, (CASES[name],), tmp_path / name, split))
    assert row.artifact is not None, row.reason
    assert row.passed or CASES[name].precision is Precision.INT8, "50 samples may be too few to tell"
    assert {report.batch_sizes for report in row.artifact.manifest.evidence} == {(1, 2, 3, 7, 32)}
