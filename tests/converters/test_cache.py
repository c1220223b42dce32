from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest

from tests.tiny import tiny_artifact
from tests.tree import copy_toolkit, run_tree
from toolkit.converters import cache as store_of
from toolkit.converters.base import Recipe
from toolkit.converters.cache import copy, key_of, lookup, store
from toolkit.converters.edges.onnx_int8 import OnnxInt8
from toolkit.converters.edges.tflite_from_pt2 import TfliteFromPt2
from toolkit.converters.planner import all_converters
from toolkit.converters.recipes import Choices, Ranges
from toolkit.converters.task import obtain
from toolkit.core import Artifact, Format, InputError, Samples, Scalar, Signature

KEY = "ab" * 32


@pytest.fixture
def artifact(tmp_path: Path) -> Artifact:
    return tiny_artifact(tmp_path / "tiny")


@pytest.fixture
def samples() -> Samples:
    import numpy as np

    return Samples({"x": np.random.default_rng(0).standard_normal((20, 64)).astype(np.float32)}, origin="random")


def test_what_is_stored_is_found(artifact: Artifact) -> None:
    assert lookup(KEY) is None
    store(KEY, artifact)
    kept = lookup(KEY)
    assert kept is not None
    assert kept.manifest == artifact.manifest


def test_a_copy_shares_nothing(artifact: Artifact, tmp_path: Path) -> None:
    store(KEY, artifact)
    kept = lookup(KEY)
    assert kept is not None
    out = copy(kept, tmp_path / "out")
    assert not out.model_file.samefile(kept.model_file)
    out.model_file.write_bytes(b"edited")
    assert lookup(KEY) is not None


@pytest.mark.parametrize("damage", ["changed", "missing", "manifest", "empty"])
def test_a_damaged_entry_is_removed_and_absent(damage: str, artifact: Artifact, cache: Path) -> None:
    store(KEY, artifact)
    folder = cache / "artifacts" / KEY[:2] / KEY
    match damage:
        case "changed":
            (folder / "model.onnx").write_bytes(b"half")
        case "missing":
            (folder / "model.onnx").unlink()
        case "manifest":
            (folder / "manifest.json").write_text("{")
        case _:
            for file in folder.iterdir():
                file.unlink()
    assert lookup(KEY) is None
    assert list(folder.parent.iterdir()) == []
    store(KEY, artifact)
    assert lookup(KEY) is not None


def test_the_first_of_two_stays(artifact: Artifact, tmp_path: Path) -> None:
    store(KEY, artifact)
    store(KEY, tiny_artifact(tmp_path / "other", seed=1))
    kept = lookup(KEY)
    assert kept is not None
    assert kept.manifest.content_sha256 == artifact.manifest.content_sha256


def test_many_at_once_neither_fail_nor_read_halves(artifact: Artifact, cache: Path) -> None:
    def both(_: int) -> bool:
        store(KEY, artifact)
        return lookup(KEY) is not None

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(both, range(64)))
    assert [path.name for path in (cache / "artifacts" / KEY[:2]).iterdir()] == [KEY]


def test_each_part_of_the_key_counts(artifact: Artifact, samples: Samples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = Recipe(calibration=samples)
    converter = OnnxInt8()
    image = artifact.manifest.signature.inputs[0]
    named = Signature((replace(image, name="image"),), artifact.manifest.signature.outputs)

    class OtherSettings(OnnxInt8):
        settings: ClassVar[dict[str, Scalar]] = {**OnnxInt8.settings, "per_channel": False}

    class OtherVersions(OnnxInt8):
        def versions(self) -> dict[str, str]:
            return {**super().versions(), "onnxruntime": "0"}

    class OtherName(OnnxInt8):
        name = "another"

    keys = [
        key_of(converter, artifact, recipe),
        key_of(converter, tiny_artifact(tmp_path / "other", seed=1), recipe),
        key_of(converter, replace(artifact, manifest=replace(artifact.manifest, signature=named)), recipe),
        key_of(converter, artifact, Recipe(calibration=samples.rows(slice(0, 10)))),
        *(key_of(other, artifact, recipe) for other in (OtherSettings(), OtherVersions(), OtherName())),
    ]
    for name in ("version_of", "_code_sha256", "plugin_sha256", "instruction_sets"):
        with monkeypatch.context() as patch:
            patch.setattr(store_of, name, lambda *_: "other")
            keys.append(key_of(converter, artifact, recipe))
    assert len(set(keys)) == len(keys) == 11


@pytest.mark.parametrize("file", ["core/pt2_plain.py", "core/signature.py", "converters/edges/onnx_int8.py"])
def test_all_code_that_a_conversion_runs_counts(artifact: Artifact, tmp_path: Path, file: str) -> None:
    package = copy_toolkit(tmp_path / "tree")
    code = f"""
from pathlib import Path
from toolkit.converters.base import Recipe
from toolkit.converters.cache import key_of
from toolkit.converters.edges.onnx_int8_weights import OnnxInt8Weights
from toolkit.core import Artifact
print(key_of(OnnxInt8Weights(), Artifact.load(Path({str(artifact.path)!r})), Recipe()))
"""
    keys = run_tree(tmp_path / "tree", code, cache=tmp_path)
    assert run_tree(tmp_path / "tree", code, cache=tmp_path) == keys
    with (package / file).open("a") as stream:
        stream.write("\n# Another correction.\n")
    assert run_tree(tmp_path / "tree", code, cache=tmp_path) != keys


def test_what_does_not_decide_the_content_does_not_count(artifact: Artifact, samples: Samples) -> None:
    key = key_of(OnnxInt8(), artifact, Recipe(calibration=samples))
    renamed = replace(artifact, manifest=replace(artifact.manifest, model="other", labels=("a",)))
    assert key_of(OnnxInt8(), renamed, Recipe(calibration=samples, batch_sizes=(4,))) == key


def test_batch_sizes_count_where_they_are_used(artifact: Artifact) -> None:
    kind = replace(artifact.manifest, format=Format.PT2)
    source = replace(artifact, manifest=kind)
    assert len({key_of(TfliteFromPt2(), source, Recipe(batch_sizes=sizes)) for sizes in ((1,), (1, 32), (32, 1))}) == 2


def test_a_source_of_another_kind_has_no_key(artifact: Artifact) -> None:
    with pytest.raises(InputError, match="tflite_from_pt2"):
        key_of(TfliteFromPt2(), artifact, Recipe())


def test_a_hit_takes_the_name_and_labels_of_its_source(artifact: Artifact, tmp_path: Path) -> None:
    converter = next(converter for converter in all_converters() if converter.name == "onnx_int8_weights")
    first = obtain(converter, artifact, tmp_path / "first", Recipe())
    other = replace(artifact, manifest=replace(artifact.manifest, model="other", labels=("a", "b"), root="elsewhere"))
    second = obtain(converter, other, tmp_path / "second", Recipe())
    assert (first.from_cache, second.from_cache) == (False, True)
    manifest = Artifact.load(tmp_path / "second").manifest
    assert (manifest.model, manifest.labels, manifest.root) == ("other", ("a", "b"), "elsewhere")
    assert manifest.content_sha256 == first.artifact.manifest.content_sha256


def test_a_hit_imports_no_framework(artifact: Artifact, tmp_path: Path) -> None:
    converter = next(converter for converter in all_converters() if converter.name == "onnx_int8_weights")
    obtain(converter, artifact, tmp_path / "first", Recipe())
    code = f"""
import sys
from pathlib import Path
from toolkit.core import Artifact
from toolkit.converters.base import Recipe
from toolkit.converters.planner import all_converters
from toolkit.converters.recipes import Choices, Ranges
from toolkit.converters.task import obtain
converter = next(c for c in all_converters() if c.name == "onnx_int8_weights")
made = obtain(converter, Artifact.load(Path({str(artifact.path)!r})), Path({str(tmp_path / "second")!r}), Recipe())
heavy = {{"torch", "onnx", "onnxruntime", "openvino", "nncf", "litert_torch", "ai_edge_litert", "ai_edge_quantizer", "tensorflow"}}
print(made.from_cache, sorted(heavy & set(sys.modules)))
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "True []\n"


def test_choices_decide_the_key_and_their_name_does_not(artifact: Artifact, samples: Samples, tmp_path: Path) -> None:
    plain = Recipe(calibration=samples)
    tensor = replace(plain, choices=Choices(per_channel=False))
    aloud = replace(plain, choices=Choices(ranges=Ranges.MINMAX, per_channel=True, symmetric=False))
    assert key_of(OnnxInt8(), artifact, replace(plain, variant="mine")) == key_of(OnnxInt8(), artifact, plain)
    assert key_of(OnnxInt8(), artifact, aloud) == key_of(OnnxInt8(), artifact, plain)
    tight = [replace(plain, choices=Choices(ranges=Ranges.PERCENTILE, percentile=value)) for value in (99.0, 99.9)]
    assert len({key_of(OnnxInt8(), artifact, each) for each in (plain, tensor, *tight)}) == 4
    with pytest.raises(InputError, match="cannot do group_size = 32"):
        key_of(OnnxInt8(), artifact, replace(plain, choices=Choices(group_size=32)))
    first = obtain(OnnxInt8(), artifact, tmp_path / "first", replace(tensor, variant="first"))
    again = obtain(OnnxInt8(), artifact, tmp_path / "again", replace(tensor, variant="again"))
    assert (first.from_cache, again.from_cache) == (False, True)
    assert (first.artifact.name, again.artifact.name) == ("onnx-int8-first", "onnx-int8-again")
    assert Artifact.load(tmp_path / "again").manifest == replace(first.artifact.manifest, variant="again")
