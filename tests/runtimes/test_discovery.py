from __future__ import annotations

from pathlib import Path

import pytest

import toolkit.runtimes as runtimes
from tests.tiny import tiny_artifact
from toolkit.core import Artifact, ArtifactError, EngineError, Format, InputError, MissingDependencyError, Precision, UnknownNameError
from toolkit.runtimes import Runtime, SessionOptions, all_runtimes, elsewhere, find_runtime, open_session, runtimes_for


def test_engines_are_found_by_their_files() -> None:
    folder = Path(runtimes.__file__).parent
    files = {file.stem for file in folder.glob("*.py") if not file.stem.startswith("_")} - {"base"}
    assert {type(runtime).__module__.rpartition(".")[2] for runtime in all_runtimes()} == files
    assert [runtime.name for runtime in all_runtimes()] == sorted(runtime.name for runtime in all_runtimes())


def test_an_unknown_engine_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'openvino'"):
        find_runtime("openvno")


@pytest.mark.parametrize("format", list(Format))
def test_an_engine_made_for_a_format_comes_first(format: Format) -> None:
    names = [runtime.name for runtime in runtimes_for(format)]
    expected = {
        Format.PT2: ["torch", "torch-compiled"],
        Format.ONNX: ["onnxruntime", "openvino", "onnxruntime-web", "onnxruntime-web-node"],
        Format.OPENVINO: ["openvino"],
        Format.TFLITE: ["litert", "tensorflow", "tflite-micro", "litert-js"],
        Format.KERAS: ["keras"],
        Format.SAVEDMODEL: ["savedmodel"],
        Format.NCNN: ["ncnn"],
        Format.COREML: ["coreml"],
        Format.EXECUTORCH: ["executorch"],
        Format.TORCHSCRIPT: ["torchscript"],
    }
    assert names == [name for name in expected[format] if find_runtime(name).is_installed()]


def test_bf16_is_only_for_engines_that_compute_in_it() -> None:
    assert all(runtime.name == "openvino" for runtime in runtimes_for(Format.ONNX, Precision.BF16))


def test_open_session_takes_an_artifact_a_folder_or_a_file(bundles: dict[str, dict[Format, Artifact]]) -> None:
    artifact = bundles["cnn"][Format.ONNX]
    for model in (artifact, artifact.path, artifact.model_file):
        with open_session(model, options=SessionOptions(threads=1)) as session:
            assert session.actual.engine == "onnxruntime"
    with open_session(artifact, engine="openvino") as session:
        assert session.actual.engine == "openvino"


def test_a_folder_that_is_no_artifact_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot tell the format"):
        open_session(tmp_path)
    with pytest.raises(ArtifactError, match="no model file"):
        open_session(tmp_path / "model.onnx")


def test_a_missing_engine_is_the_command_that_installs_it(
    bundles: dict[str, dict[Format, Artifact]], monkeypatch: pytest.MonkeyPatch
) -> None:
    artifact = bundles["cnn"][Format.TFLITE]
    for name in ("litert", "tensorflow", "tflite-micro"):
        monkeypatch.setattr(type(find_runtime(name)), "module", "no_such_module")
    monkeypatch.setenv("TOOLKIT_CHROMIUM", "no-such-browser")
    with pytest.raises(MissingDependencyError, match=r"pip install .*\[tflite\]"):
        open_session(artifact)
    with pytest.raises(MissingDependencyError, match=r"\[tflite\]"):
        open_session(artifact, engine="litert")


def test_an_engine_that_computes_in_another_precision_says_so(bundles: dict[str, dict[Format, Artifact]]) -> None:
    with pytest.raises(EngineError, match="expected bf16, got fp32"):
        open_session(bundles["cnn"][Format.ONNX], engine="onnxruntime", options=SessionOptions(precision=Precision.BF16))


def test_a_precision_that_only_other_processors_have_is_no_missing_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("openvino", reason="the extra [openvino] is not installed")
    monkeypatch.setattr(type(find_runtime("openvino")), "precisions", Runtime.precisions)  # As on a processor without bf16.
    reason = "openvino computes in bf16 only on a processor that does"
    assert elsewhere(Format.OPENVINO, Precision.BF16) == elsewhere(Format.ONNX, Precision.BF16) == reason
    assert elsewhere(Format.OPENVINO) == elsewhere(Format.TFLITE, Precision.BF16) == ""
    artifact = tiny_artifact(tmp_path, Precision.BF16)
    with pytest.raises(EngineError, match=f"no engine here runs onnx in bf16: {reason}; convert the model to another precision"):
        open_session(artifact)
    with pytest.raises(EngineError, match=reason):
        open_session(artifact, engine="openvino")


def test_bf16_in_openvino_is_asked_for_and_read_back(bundles: dict[str, dict[Format, Artifact]]) -> None:
    runtime = find_runtime("openvino")
    if not runtime.is_installed() or Precision.BF16 not in runtime.precisions(Format.OPENVINO):
        pytest.skip("this processor has no bf16, or OpenVINO is not installed")
    with open_session(bundles["cnn"][Format.OPENVINO], options=SessionOptions(precision=Precision.BF16)) as session:
        assert session.actual.float_type is Precision.BF16
