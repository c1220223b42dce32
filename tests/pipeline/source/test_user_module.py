"""A network in a user's own Python file, from the words of the command to an artifact that computes the same."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from toolkit.core import Artifact, ConversionError, InputError, Samples, Signature, ToolkitError
from toolkit.formats.parts.pt2_archive import check_pt2
from toolkit.pipeline.source.resolve import resolve_source
from toolkit.pipeline.source.user_module import UserModule
from toolkit.runtimes import open_session

NET = """
import torch
from beside import Head

print("the user's own words")

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.head = torch.nn.Embedding(20, 8), Head()

    def forward(self, tokens, mask):
        hidden = self.words(tokens) * mask.unsqueeze(-1)
        logits = self.head(hidden.mean(1))
        states = (hidden, [hidden.transpose(0, 1), mask])
        best, total = logits.argmax(1), logits.sum()
        return {"logits": logits, "again": logits, "best": best, "states": states, "total": total, "tokens": tokens, "n": 3}

class Strided(torch.nn.Module):
    def forward(self, image):
        return torch.nn.functional.avg_pool2d(image, 16).mean((2, 3))

class Placed(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.places = torch.nn.Parameter(torch.ones(512, 4))

    def forward(self, x):
        return (x + self.places[:x.shape[1]]).reshape(x.shape[0], -1, 8)

class Halved(torch.nn.Module):
    def forward(self, x):
        return torch.cat([x[:, ::2], x], 1)

class Fixed(torch.nn.Module):
    def forward(self, x):
        return x.view(2, -1)

class Text(torch.nn.Module):
    def forward(self, x):
        return {"label": "cat"}

class Odd(torch.nn.Module):
    def forward(self, x):
        return {"a name": x + 1}

class Nan(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.full((3,), torch.nan))

    def forward(self, x):
        return x * self.weight

class Nothing(torch.nn.Module):
    def forward(self, x):
        return None

def make():
    return Net()

def number():
    return 3

def needs(size):
    return Net()

def leaves():
    raise SystemExit("gone")

ready = Strided()
"""
BESIDE = """
import torch

class Head(torch.nn.Linear):
    def __init__(self):
        super().__init__(8, 3)
"""
INPUTS = ("tokens:int64[batch,seq]", "mask:bool[batch,seq]")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "beside.py").write_text(BESIDE)
    (folder / "net.py").write_text(NET)
    return folder / "net.py"


def made(text: str, inputs: Sequence[str], out: Path, weights: Path | None = None) -> Artifact:
    source = resolve_source(text, out=out, inputs=inputs, weights=weights)
    assert not out.exists()
    return source.place()


def test_nested_outputs_weights_and_free_sizes(file: Path, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    generator = torch.Generator().manual_seed(3)
    weights = {"words.weight": (20, 8), "head.weight": (3, 8), "head.bias": (3,)}
    values = {name: torch.randn(shape, generator=generator) for name, shape in weights.items()}
    save_file(values, tmp_path / "w.safetensors")
    artifact = made(f"{file}:make", INPUTS, tmp_path / "out", tmp_path / "w.safetensors")
    assert artifact == Artifact.load(tmp_path / "out" / "net" / "pt2-fp32")
    assert str(artifact.manifest.signature) == (
        "(tokens:int64[batch,seq], mask:bool[batch,seq]) -> (logits:float32[batch,3], again:float32[batch,3], best:int64[batch], "
        "states.0:float32[batch,seq,8], states.1.0:float32[seq,batch,8], states.1.1:bool[batch,seq], total:float32[], "
        "tokens_out:int64[batch,seq], n:int64[])"
    )
    assert artifact.manifest.edge == "import"
    assert artifact.manifest.recipe["module"] == "net.py:make"
    assert artifact.manifest.recipe["weights"] == "w.safetensors"
    check_pt2(artifact.model_file)
    random = np.random.default_rng(0)
    for batch, seq in ((1, 1), (5, 9)):
        tokens, mask = random.integers(0, 20, (batch, seq)), random.random((batch, seq)) > 0.5
        with open_session(artifact) as session:
            outputs = session.run({"mask": mask, "tokens": tokens})
        hidden = values["words.weight"].numpy()[tokens] * mask[..., None]
        logits = hidden.mean(1) @ values["head.weight"].numpy().T + values["head.bias"].numpy()
        np.testing.assert_allclose(outputs["logits"], logits, atol=1e-5)
        np.testing.assert_allclose(outputs["total"], logits.sum(), atol=1e-4)
        np.testing.assert_array_equal(outputs["states.1.0"], outputs["states.0"].transpose(1, 0, 2))
        np.testing.assert_array_equal(outputs["again"], outputs["logits"])
        np.testing.assert_array_equal(outputs["tokens_out"], tokens)
        assert outputs["n"] == 3


def test_what_is_ready_and_what_is_a_class_and_inputs_by_position(file: Path, tmp_path: Path) -> None:
    ready = made(f"{file}:ready", ["picture:float32[batch,3,height,width]"], tmp_path / "out")
    assert str(ready.manifest.signature) == "(picture:float32[batch,3,height,width]) -> (output:float32[batch,3])"
    halved = made(f"{file}:Halved", ["y:float32[batch,8]"], tmp_path / "other")
    assert str(halved.manifest.signature.outputs[0]) == "output:float32[batch,12]"
    again = made(f"{file}:Halved", ["y:float32[batch,8]"], tmp_path / "again")
    assert again.manifest.content_sha256 == halved.manifest.content_sha256


def test_a_module_on_the_path_is_found_from_the_folder_one_is_in(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent)
    artifact = made("net:Strided", ["image:float32[batch,3,32,32]"], tmp_path / "out")
    assert artifact.manifest.model == "Strided"
    assert UserModule.parse("a.b:c.d") == UserModule("a.b", "c.d")
    for text in ("cnn", "C:\\models\\a.onnx", "artifacts/cnn", "net.onnx"):
        assert UserModule.parse(text) is None


def test_the_code_runs_in_another_process_and_leaves_this_one_alone(file: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    before = set(sys.modules), list(sys.path)
    made(f"{file}:Strided", ["image:float32[batch,3,32,32]"], tmp_path / "out")
    assert "beside" not in set(sys.modules) - before[0]
    assert sys.path == before[1]
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("text", "inputs", "message"),
    [
        ("{file}", INPUTS, r"expected the name of a network, or of a function that makes one, after the file; such as .*net.py:make_model"),
        ("{file}:make", (), "needs its inputs; add --input NAME:DTYPE"),
        ("{file}:make", ("x:float32[2]", "x:float32[2]"), "input 'x' is given twice"),
        ("absent.py:make", INPUTS, "no file 'absent.py'"),
        ("no_such_package.net:make", INPUTS, "raised ModuleNotFoundError: No module named 'no_such_package'"),
        ("{file}:mak", INPUTS, r"has no 'mak': expected one of Fixed, Halved, Head, .*make"),
        ("{file}:number", INPUTS, "expected a torch.nn.Module, or a function that returns one, got int"),
        ("{file}:needs", INPUTS, r"raised TypeError: needs\(\) missing 1 required .*; does it run without arguments"),
        ("{file}:leaves", INPUTS, "raised SystemExit: gone"),
        (
            "{file}:make",
            ("tokens:int64[batch,seq]", "masks:bool[batch,seq]"),
            "forward has no input 'masks': expected its own names, tokens",
        ),
        ("{file}:make", ("tokens:float32[batch,seq]", "mask:bool[batch,seq]"), "the network refuses its inputs .*; check --input"),
        ("{file}:make", INPUTS[:1], "the network refuses its inputs .*TypeError: .*'mask'"),
        ("{file}:Text", ("x:float32[2]",), "output 'label': expected tensors, in tuples, lists or dictionaries, got str"),
        ("{file}:Odd", ("x:float32[2]",), "output 'a name': expected a name of letters"),
        ("{file}:Nothing", ("x:float32[2]",), "the network returns nothing"),
        ("{file}:Nan", ("x:float32[3]",), "the weights 'weight' hold NaN"),
    ],
)
def test_what_cannot_be_used_leaves_nothing(file: Path, tmp_path: Path, text: str, inputs: Sequence[str], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        resolve_source(text.format(file=file), out=tmp_path / "out", inputs=inputs)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_size_that_is_free_in_a_range_or_in_steps(file: Path, tmp_path: Path) -> None:
    artifact = made(f"{file}:Placed", ["x:float32[batch,seq,4]"], tmp_path / "out")
    assert str(artifact.manifest.signature.outputs[0]).startswith("output:float32[batch,(seq//2),")
    with open_session(artifact) as session:
        assert session.run(np.zeros((3, 10, 4), np.float32))[0].shape == (3, 5, 8)


def test_a_size_that_the_network_fixes_is_named(file: Path, tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match=r"torch cannot export 'Fixed': .*batch.* specialized"):
        resolve_source(f"{file}:Fixed", out=tmp_path / "out", inputs=["x:float32[batch,4]"])


def test_inputs_are_for_python_code_only(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'cnn' has its own inputs: expected --input only with Python code"):
        resolve_source("cnn", out=tmp_path, inputs=INPUTS)


def test_wrong_weights(file: Path, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    save_file({"other": torch.zeros(1)}, tmp_path / "w.safetensors")
    with pytest.raises(ToolkitError, match="has other weights than the network"):
        resolve_source(f"{file}:make", out=tmp_path / "out", inputs=INPUTS, weights=tmp_path / "w.safetensors")


def test_the_command(file: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "s.npz", image=np.random.default_rng(0).random((20, 3, 32, 32), np.float32))
    words = (f"{file}:Strided", "--input", "image:float32[batch,3,32,32]", "--data", tmp_path / "s.npz", "--out", tmp_path / "out")
    command = [sys.executable, "-m", "toolkit", "convert", *map(str, words), "--to", "onnx", "--precision", "fp32"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "passed" in result.stdout
    signature: Signature = Artifact.load(tmp_path / "out" / "Strided" / "onnx-fp32").manifest.signature
    assert str(signature) == "(image:float32[batch,3,32,32]) -> (output:float32[batch,3])"


def test_the_example_of_the_documentation(tmp_path: Path) -> None:
    text = (Path(__file__).parents[3] / "docs" / "sources.md").read_text()
    (code,) = re.findall(r"```python\n(# net.py\n.*?)```", text, flags=re.DOTALL)
    (line,) = re.findall(r"^\$ toolkit convert (net.py.*)$", text, flags=re.MULTILINE)
    words = shlex.split(line)
    (tmp_path / "net.py").write_text(code)
    inputs = [words[index + 1] for index, word in enumerate(words) if word == "--input"]
    artifact = made(f"{tmp_path}/{words[0]}", inputs, tmp_path / "out")
    assert [spec.name for spec in artifact.manifest.signature.outputs] == ["logits", "states.0", "states.1"]


@pytest.mark.slow
def test_a_foreign_program_of_dictionaries(tmp_path: Path) -> None:
    import torch

    class Nested(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(4, 3)

        def forward(self, batch: dict[str, torch.Tensor], *, scale: torch.Tensor) -> dict[str, object]:
            hidden = self.layer(batch["x"]) * scale
            return {"logits": hidden, "parts": [hidden.relu(), (hidden > 0)], "scale": scale + 1}

    free = {0: torch.export.Dim("batch")}
    example = {"x": torch.zeros(2, 4)}
    shapes = {"batch": {"x": free}, "scale": free}
    program = torch.export.export(Nested().eval(), (example,), kwargs={"scale": torch.ones(2, 1)}, dynamic_shapes=shapes)
    torch.export.save(program, tmp_path / "nested.pt2")
    random = np.random.default_rng(0)
    source = resolve_source(str(tmp_path / "nested.pt2"), out=tmp_path / "out")
    names = [spec.name for spec in source.artifact.manifest.signature.inputs]
    assert [spec.name for spec in source.artifact.manifest.signature.outputs] == ["logits", "parts.0", "parts.1", "scale_out"]
    arrays = {name: random.random((40, size), np.float32) for name, size in zip(names, (4, 1), strict=True)}
    Samples(arrays).save(tmp_path / "s.npz")
    words = (tmp_path / "nested.pt2", "--data", tmp_path / "s.npz", "--out", tmp_path / "out", "--precision", "fp32")
    result = subprocess.run([sys.executable, "-m", "toolkit", "convert", *map(str, words)], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.count("passed") == 3


@pytest.mark.parametrize(
    ("text", "model"),
    [
        ("nets.py:unet", "unet"),
        ("some/nets.py:Nets.small", "small"),
        ("package.nets:UNet", "UNet"),
        ("net.py:make", "net"),
        ("net.py:build_model", "net"),
        ("package.nets:get_network", "nets"),
    ],
)
def test_a_model_is_named_after_its_factory(text: str, model: str) -> None:
    module = UserModule.parse(text)
    assert module is not None
    assert module.model == model


def test_two_networks_of_one_name_do_not_share_a_bundle(tmp_path: Path) -> None:
    def placed(text: str, inputs: Sequence[str], out: Path) -> Artifact:
        return resolve_source(text, out=out, inputs=inputs).place()

    code = "import torch\ndef make(): return torch.nn.Linear(3, 2)\ndef build(): return torch.nn.Linear(3, 4)\nsmall = make\n"
    (tmp_path / "nets.py").write_text(code)
    (tmp_path / "others.py").write_text(code)
    inputs = ("x:float32[batch,3]",)
    first = placed(f"{tmp_path / 'nets.py'}:make", inputs, tmp_path / "out")
    assert first.path == tmp_path / "out" / "nets" / "pt2-fp32"
    with pytest.raises(InputError, match=r"nets' is the bundle of another network: expected one made from nets.py:build, got nets.py:make"):
        placed(f"{tmp_path / 'nets.py'}:build", inputs, tmp_path / "out")
    assert Artifact.load(first.path) == first
    assert placed(f"{tmp_path / 'nets.py'}:small", inputs, tmp_path / "out").path == tmp_path / "out" / "small" / "pt2-fp32"
    with pytest.raises(InputError, match=r"expected one made from others.py:small, got nets.py:small"):
        placed(f"{tmp_path / 'others.py'}:small", inputs, tmp_path / "out")
    assert placed(f"{tmp_path / 'nets.py'}:make", inputs, tmp_path / "out") == first  # The same once more.
