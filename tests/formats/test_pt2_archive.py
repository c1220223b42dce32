"""Archives that would run code, each through another door of torch's loader, are refused before torch sees them."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.formats.zips import Members, members_of, write
from toolkit.core import ArtifactError
from toolkit.formats.parts.pt2_archive import check_pt2

torch = pytest.importorskip("torch", reason="the extra [train] is not installed")


class _Attack:
    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.trace),)


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("pt2") / "model.pt2"
    net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.GELU(approximate="tanh"), torch.nn.Flatten())
    program = torch.export.export(net, (torch.zeros(2, 3),), dynamic_shapes=({0: torch.export.Dim("batch")},))
    torch.export.save(program, file)
    return file


def _saved(value: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


def _edit(members: Members, change: Callable[[dict[str, Any]], None], name: str = "model/models/model.json") -> None:
    content = json.loads(members[name])
    change(content)
    members[name] = json.dumps(content).encode()


def test_honest_archives_pass(honest: Path) -> None:
    check_pt2(honest)
    assert torch.export.load(honest) is not None


def test_a_rewritten_honest_archive_passes(honest: Path, tmp_path: Path) -> None:
    check_pt2(write(members_of(honest), tmp_path / "model.pt2"))


def _pickled_weight(members: Members, trace: Path) -> None:
    config = "model/data/weights/model_weights_config.json"
    _edit(members, lambda c: c["config"]["0.bias"].update(use_pickle=True), config)
    members["model/data/weights/weight_1"] = _saved(_Attack(trace))


def _opaque_constant(members: Members, trace: Path) -> None:
    entry = {"path_name": "opaque_obj_0", "is_param": False, "use_pickle": True, "tensor_meta": None}
    _edit(members, lambda c: c["config"].update(evil=entry), "model/data/constants/model_constants_config.json")
    members["model/data/constants/opaque_obj_0"] = pickle.dumps(_Attack(trace))


def _sample_inputs(members: Members, trace: Path) -> None:
    members["model/data/sample_inputs/model.pt"] = _saved(((_Attack(trace),), {}))


def _raw_pickle_as_sample_inputs(members: Members, trace: Path) -> None:
    members["model/data/sample_inputs/model.pt"] = pickle.dumps(((_Attack(trace),), {}))


def _legacy_weights(members: Members, trace: Path) -> None:
    members["model/data/weights/model.pt"] = _saved({"evil": _Attack(trace)})


def _shared_library(members: Members, trace: Path) -> None:
    members["model/data/aotinductor/model/evil.so"] = b"\x7fELF"


def _guard(members: Members, trace: Path) -> None:
    _edit(members, lambda c: c.update(guards_code=[f"__import__('os').mkdir('{trace}')"]))


def _size(members: Members, trace: Path) -> None:
    def change(content: dict[str, Any]) -> None:
        sizes = content["graph_module"]["graph"]["tensor_values"]["input"]["sizes"]
        sizes[0] = {"as_expr": {"expr_str": f"__import__('os').mkdir('{trace}')", "hint": None}}

    _edit(members, change)


def _operator(members: Members, trace: Path) -> None:
    def change(content: dict[str, Any]) -> None:
        node = content["graph_module"]["graph"]["nodes"][0]
        node["target"] = "torch.os.mkdir"
        node["inputs"] = [{"name": "path", "arg": {"as_string": str(trace)}, "kind": 1}]

    _edit(members, change)


def _file_mapping(members: Members, trace: Path) -> None:
    _edit(members, lambda c: c["graph_module"]["graph"]["nodes"][0].update(target="torch.ops.aten.from_file.default"))


def _name(members: Members, trace: Path) -> None:
    text = members["model/models/model.json"].decode()
    members["model/models/model.json"] = text.replace('"name": "input"', f"\"name\": \"input=__import__('os').mkdir('{trace}')\"").encode()


def _tree(members: Members, trace: Path) -> None:
    text = members["model/models/model.json"].decode()
    members["model/models/model.json"] = text.replace("builtins.tuple", "collections.defaultdict").encode()


@pytest.mark.parametrize(
    "attack",
    [
        _pickled_weight, _opaque_constant, _sample_inputs, _raw_pickle_as_sample_inputs, _legacy_weights, _shared_library,
        _guard, _size, _operator, _file_mapping, _name, _tree,
    ],
)  # fmt: skip
def test_archives_that_could_run_code_are_refused(attack: Callable[[Members, Path], None], honest: Path, tmp_path: Path) -> None:
    root = zipfile.ZipFile(honest).namelist()[0].partition("/")[0]
    members = {name.replace(f"{root}/", "model/", 1): content for name, content in members_of(honest).items()}
    before = dict(members)
    attack(members, tmp_path / "trace")
    assert members != before
    with pytest.raises(ArtifactError) as caught:
        check_pt2(write(members, tmp_path / "model.pt2"))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "trace").exists()


def test_the_attacks_are_real(honest: Path, tmp_path: Path) -> None:
    """torch alone runs the pickle in the sample inputs: the check is needed."""
    members, trace = members_of(honest), tmp_path / "trace"
    root = next(iter(members)).partition("/")[0]
    members[f"{root}/data/sample_inputs/model.pt"] = _saved(((_Attack(trace),), {}))
    file = write(members, tmp_path / "model.pt2")
    with contextlib.suppress(Exception):  # What it says of the rest does not matter.
        torch.export.load(file)
    assert trace.exists()


def test_zips_that_two_readers_could_understand_differently_are_refused(honest: Path, tmp_path: Path) -> None:
    members = members_of(honest)
    file = tmp_path / "model.pt2"
    with pytest.raises(ArtifactError, match="a zip that torch did not write"):
        check_pt2(write(members, file, compression=zipfile.ZIP_DEFLATED))
    for wrong in (b"x" + honest.read_bytes(), honest.read_bytes() + b"x"):
        file.write_bytes(wrong)
        with pytest.raises(ArtifactError):
            check_pt2(file)
    other = {**members, "other/archive_format": b"pt2"}
    with pytest.raises(ArtifactError):
        check_pt2(write(other, file))


@pytest.mark.parametrize("share", [0, 0.3, 0.9, 0.999])
def test_a_truncated_archive_is_one_clear_line(honest: Path, tmp_path: Path, share: float) -> None:
    content = honest.read_bytes()
    file = tmp_path / "model.pt2"
    file.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(ArtifactError, match=r"\.pt2"):
        check_pt2(file)
