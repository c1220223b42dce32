"""The model card: what Hugging Face reads of it, what stands in it, and that its lines run."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from huggingface_hub import ModelCard

from tests.conftest import ROOT, Trained
from tests.tiny import as_trained, tiny_artifact, with_parity
from toolkit.core import MANIFEST, Artifact, Bundle, InputError, Precision, Preprocessing, Signature, TensorSpec, Verdict
from toolkit.pipeline.export.card import card, export


def front(content: str) -> dict[str, Any]:
    """The YAML before the text."""
    found: dict[str, Any] = yaml.safe_load(content.split("---\n")[1])
    return found


def run_as_pasted(content: str, folder: Path) -> str:
    """What the lines of Python print that the card shows, in the folder of the files."""
    (code,) = re.findall(r"```python\n(.*?)```", content, flags=re.DOTALL)
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_bundle_with_its_benchmark(trained_cnn: Trained, tmp_path: Path) -> None:
    folder = tmp_path / "cnn"
    shutil.copytree(trained_cnn.bundle, folder)
    names = export(folder, folder / "README.md")
    bundle = Bundle.load(folder)
    assert names == tuple(artifact.name for artifact in bundle)
    text = (folder / "README.md").read_text()
    about: Any = ModelCard(text).data
    assert (about.library_name, about.pipeline_tag, about.license) == ("edge-inference-toolkit", "image-classification", None)
    assert {"onnx", "tflite", "openvino", "int8"} <= set(about.tags or [])
    results = {each.metric_name: each for each in about.eval_results or []}
    for artifact in bundle:
        for report in artifact.manifest.evidence:
            if report.task and report.reference == artifact.manifest.root:
                result = results[f"accuracy of {artifact.name} in {report.engine}, n={report.task.samples}"]
                assert (result.metric_value, result.dataset_name) == (report.task.candidate, "digits")
                loss = f"{report.task.interval} points".replace("[", "\\[").replace("]", "\\]")
                metric = f"accuracy {report.task.value(report.task.candidate)}"
                who = f"| {artifact.name} | {report.engine} {report.engine_version} | {report.verdict} "
                assert f"{who}| {metric} | {loss} | {report.task.samples} |" in text
    assert "| pt2-fp32 |  | the trained network | accuracy " in text
    assert "| input | `image` | float32 | `[batch, 1, 8, 8]` |" in text
    assert "| output | `logits` | float32 | `[batch, 10]` |" in text
    assert f"Measured on {trained_cnn.benchmark['machine']['cpu']}" in text.replace("\\", "")
    assert "onnx-int8" in text.partition("## How fast they are")[2].partition("## How to load it")[0]
    assert "verified in onnxruntime on a processor with " in text
    assert "prepared as above" in text
    assert run_as_pasted(text, folder).strip() == "{'logits': (1, 10)}"


def test_one_artifact_by_itself(tmp_path: Path) -> None:
    artifact = with_parity(tiny_artifact(tmp_path / "net"))
    export(artifact.path, tmp_path / "card.md")
    text = (tmp_path / "card.md").read_text()
    assert "## How fast they are" not in text
    assert "prepared as above" not in text
    assert "| onnx-fp32 | onnxruntime 1 | passed | accuracy 89.90 % | 0.10 \\[-0.10, 0.30\\] points | 1000 |" in text
    assert run_as_pasted(text, artifact.path).strip() == "{'logits': (1, 10)}"


def test_what_has_not_passed_is_said_and_opened_by_name(tmp_path: Path) -> None:
    root = as_trained(tiny_artifact(tmp_path / "net"))
    made = tiny_artifact(tmp_path / "net", Precision.FP16)
    (made.path / MANIFEST).write_bytes(replace(made.manifest, root=root.manifest.content_sha256).to_json())
    unseen = card((root, Artifact.load(made.path)))
    assert "- onnx-fp16: not passed: nobody has verified it." in unseen
    failed = with_parity(Artifact.load(made.path), Verdict.FAILED, drop=3.0, reference=root.manifest.content_sha256)
    text = card((root, failed))
    assert "- onnx-fp16: not passed: drop 3.0." in text
    assert "| onnx-fp32 |  | the trained network | accuracy 90.00 % |  | 1000 |" in text
    assert 'toolkit.load("onnx-fp16")' in text
    assert run_as_pasted(text, tmp_path / "net").strip() == "{'logits': (1, 10)}"


def test_sizes_and_values_that_the_network_needs_are_in_the_lines(tmp_path: Path) -> None:
    artifact = tiny_artifact(tmp_path / "net")
    inputs = (
        TensorSpec("image", "float32", ("batch", 3, "h", "w")),
        TensorSpec("rate", "int64", ()),
        TensorSpec("free", "bool", ("batch", "t")),
    )
    signature = Signature(inputs, artifact.manifest.signature.outputs, fixes=({"h": 48, "w": 320},), values={"rate": 16000})
    text = card((replace(artifact, manifest=replace(artifact.manifest, signature=signature)),))
    assert '"image": numpy.zeros((1, 3, 48, 320), "float32"),' in text
    assert '"rate": numpy.full((), 16000, "int64"),' in text
    assert '"free": numpy.zeros((1, 32), "bool"),' in text
    compile(re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)[0], "card", "exec")


def test_text_of_a_stranger_stays_text(tmp_path: Path) -> None:
    artifact = with_parity(tiny_artifact(tmp_path / "net"))
    inputs = (TensorSpec("x'\"|`\\", "float32", ("batch", 64)),)
    about = replace(
        artifact.manifest,
        model="net\n---\nlicense: mit\x1b[31m<script>",
        labels=("<b>one</b>", "[two](http://x)", "| three |"),
        data='da"ta\u0085: [x',
        recipe={"note": "# head\n- item"},
        root="",
        preprocessing=Preprocessing(note="<img src=x>"),
        signature=replace(artifact.manifest.signature, inputs=inputs),
    )
    text = card((replace(artifact, manifest=about),))
    found = front(text)
    assert "license" not in found
    (index,) = found["model-index"]
    assert index["name"] == "net\\n---\\nlicense: mit\\x1b[31m<script>"
    assert text.count("\n---\n") == 1
    assert "\x1b" not in text
    body = text.partition("\n---\n")[2]
    assert re.search(r"(?<!\\)<", body) is None
    assert re.search(r"^# head", body, flags=re.MULTILINE) is None
    (code,) = re.findall(r"```python\n(.*?)```", body, flags=re.DOTALL)
    compile(code, "card", "exec")


@pytest.mark.parametrize(
    ("task", "preprocessing", "expected"),
    [
        ("classification", Preprocessing(), None),
        ("detection", None, "object-detection"),
        ("transcription", None, "automatic-speech-recognition"),
        ("regression", None, None),
        ("", None, None),
    ],
)
def test_a_pipeline_is_named_where_it_is_known(
    task: str, preprocessing: Preprocessing | None, expected: str | None, tmp_path: Path
) -> None:
    artifact = tiny_artifact(tmp_path / "net")
    text = card((replace(artifact, manifest=replace(artifact.manifest, task=task, preprocessing=preprocessing)),))
    assert front(text).get("pipeline_tag") == expected


def test_a_card_that_is_there_is_not_replaced(tmp_path: Path) -> None:
    artifact = tiny_artifact(tmp_path / "net")
    (tmp_path / "README.md").write_text("license: mine")
    with pytest.raises(InputError, match="a card is completed by hand"):
        export(artifact.path, tmp_path / "README.md")
    assert (tmp_path / "README.md").read_text() == "license: mine"


def test_the_net_that_comes_along(tmp_path: Path) -> None:
    net = ROOT / "models" / "alphago" / "nets" / "go-5x5"
    export(net, tmp_path / "card.md")
    assert run_as_pasted((tmp_path / "card.md").read_text(), net).strip() == "{'policy': (1, 26), 'value': (1,)}"
