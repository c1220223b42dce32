"""TorchScript archives: what is one, and what could do more than compute is refused before torch sees it."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.formats.zips import Members, members_of, write
from toolkit.core import ArtifactError, Format
from toolkit.formats import find_format, format_of, torchscript
from toolkit.formats.parts import torch_zip

HONEST = Path(__file__).parents[1] / "data" / "formats" / "torchscript" / "model.ts"
ABOUT = find_format(Format.TORCHSCRIPT)
ROOT, CODE = "model/", "model/code/__torch__/torch/nn/modules/activation.py"
RELU = "torch.relu(argument_1)"


def members() -> Members:
    return members_of(HONEST)


def with_code(line: str, file: Path) -> Path:
    """The honest archive, but its relu is `line`, which may have lines before it."""
    content = members()
    text = content[CODE].decode()
    assert f"    return {RELU}\n" in text
    content[CODE] = text.replace(f"    return {RELU}\n", f"    {line}\n").encode()
    return write(content, file)


def refused(file: Path) -> str:
    with pytest.raises(ArtifactError) as caught:
        ABOUT.check(file)
    text = str(caught.value)
    assert file.name in text
    assert "\n" not in text
    assert "expected" in text
    return text


def test_an_honest_archive_passes_also_rewritten_with_compressed_code_and_files_of_its_owner(tmp_path: Path) -> None:
    ABOUT.check(HONEST)
    ABOUT.check(write(members(), tmp_path / "again.ts"))
    with zipfile.ZipFile(tmp_path / "packed.ts", "w") as archive:
        for name, data in (members() | {f"{ROOT}extra/config.txt": b"{}"}).items():
            archive.writestr(name, data, zipfile.ZIP_DEFLATED if name.startswith(f"{ROOT}code/") else zipfile.ZIP_STORED)
    ABOUT.check(tmp_path / "packed.ts")
    assert ABOUT.operators(tmp_path / "packed.ts").by_type == {"aten.linear": 1, "aten.relu": 1}


def test_the_archive_among_the_tests_names_no_place_of_the_machine_that_wrote_it() -> None:
    assert HONEST.stat().st_size < 8000
    for name, data in members().items():
        assert not any(place in data for place in (b"/home", b"/root", b"/tmp", b"site-packages")), name


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('return torch.from_file("/etc/passwd", False, 4)', "'from_file' in code/"),
        (f'ops.aten.save(argument_1, "x")\n    return {RELU}', "'save' in code/"),
        (f'argument_1.save("x")\n    return {RELU}', "'save' in code/"),
        ('return getattr(torch, "from_file")("/etc/passwd", False, 4)', "'torch' under another name"),
        ('t = torch\n    return t.relu(argument_1)', "'torch' under another name"),
        ('return getattr(torch.autograd, "from" "_f\\x69le")("/etc/passwd", False, 4)', "'from_file' in code/"),
        (f'getattr(argument_1, "save")("x")\n    return {RELU}', "'save' in code/"),
        ('g = getattr\n    return g(argument_1, "relu")()', "'getattr' under another name"),
        ("t = ops\n    return t.aten.relu(argument_1)", "'ops' under another name"),
        ('return getattr(ops.aten, "relu")(argument_1)', "'ops.aten' in code/"),
        ('return ops.image.read_file("/etc/passwd")', "'ops.image' in code/"),
        ('return ops.prim.rpc_sync("worker", "f", [])', "'rpc_sync' in code/"),
        ("return __torch__.torch.classes.evil.Run().go(argument_1)", "'torch.classes' in code/"),
        ("t = __torch__.torch\n    return t.classes.evil.Run()", "'torch' under another name"),
        ('return getattr(__torch__, "torch").classes.evil.Run()', "'torch' in code/"),
        ('return getattr(__torch__.torch, "classes").evil.Run()', "'torch' under another name"),
        (f"return {'-' * 200_000}argument_1", "nested too deeply"),
        (f"return {'(' * 300}argument_1{')' * 300}", "too many nested parentheses"),
        (f"return argument_1{'.relu()' * 50_000}", "recursion"),
    ],
)  # fmt: skip
def test_code_that_could_do_more_than_compute_is_refused(line: str, told: str, tmp_path: Path) -> None:
    assert told in refused(with_code(line, tmp_path / "evil.ts"))


def test_words_that_only_look_like_it_pass(tmp_path: Path) -> None:
    line = 'm = {"classes": argument_1, "torch": argument_1}\n    n = getattr(self, "training")\n    return torch.relu(m["classes"])'
    ABOUT.check(with_code(line, tmp_path / "honest.ts"))


@pytest.mark.parametrize(
    "line",
    [
        'return getattr(torch, "from_file")("{secret}", False, 4, dtype=0)',
        't = ops.aten\n    return getattr(t, "from_file")("{secret}", False, 4, dtype=0)',
        f'getattr(torch, "save")(argument_1, "{{trace}}")\n    return {RELU}',
    ],
)
def test_the_attacks_are_real(line: str, tmp_path: Path) -> None:
    """torch alone reads and writes files in these archives: the check is needed."""
    torch = pytest.importorskip("torch", reason="the extra [train] is not installed")
    secret, trace = tmp_path / "secret", tmp_path / "trace"
    secret.write_text("secret")
    file = with_code(line.format(secret=secret, trace=trace), tmp_path / "evil.ts")
    with pytest.warns(DeprecationWarning, match="torch.jit.load"):
        module = torch.jit.load(str(file))
    output = module(torch.zeros(1, 4)).flatten()
    assert trace.exists() or bytes(output.tolist()) == b"secr"
    refused(file)


@pytest.mark.parametrize("name", ["data.pkl", "constants.pkl", "traced_inputs.pkl"])
@pytest.mark.parametrize(
    "pickled",
    [
        b"c__torch__.torch.classes.evil\nRun\n.",
        b"c__torch__.torch.classes\nRun\n.",
        b"ctorch.distributed.rpc\nrref\n.",
        b"cposix\nsystem\n.",
        pickle.dumps(np.dtype, protocol=4),
    ],
)
def test_pickles_that_name_other_classes_are_refused(name: str, pickled: bytes, tmp_path: Path) -> None:
    assert "a pickled" in refused(write(members() | {ROOT + name: pickled}, tmp_path / "evil.ts"))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"model/aotinductor/x.so": b"\x7fELF"}, "the member 'aotinductor/x.so'"),
        ({"model/code/../../x.py": b""}, "the member 'code/../../x.py'"),
        ({"model/code/x.pyc": b""}, "the member 'code/x.pyc'"),
        ({"model/bytecode.pkl": b""}, "the member 'bytecode.pkl'"),
        ({"other/data.pkl": b""}, "a zip that torch did not write"),
        ({"model/DATA.pkl": b""}, "a zip that torch did not write"),
    ],
)
def test_members_that_torch_does_not_write_are_refused(changes: Members, told: str, tmp_path: Path) -> None:
    assert told in refused(write(members() | changes, tmp_path / "evil.ts"))


def _in_front(file: Path) -> None:
    file.write_bytes(b"MZ" + file.read_bytes())


def _behind(file: Path) -> None:
    file.write_bytes(file.read_bytes() + b"x")


def _commented(file: Path) -> None:
    with zipfile.ZipFile(file, "a") as archive:
        archive.comment = b"x"


@pytest.mark.parametrize("change", [_in_front, _behind, _commented])
def test_a_zip_with_something_around_it_is_refused(change: Callable[[Path], None], tmp_path: Path) -> None:
    file = write(members(), tmp_path / "evil.ts")
    change(file)
    refused(file)


def test_limits_of_members_of_compression_and_of_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = members() | {"model/code/__torch__/bomb.py": b"#" * (torchscript._MOST_BYTES + 1)}
    with zipfile.ZipFile(tmp_path / "bomb.ts", "w") as archive:
        for name, data in bomb.items():
            archive.writestr(name, data, zipfile.ZIP_DEFLATED if name.endswith("bomb.py") else zipfile.ZIP_STORED)
    assert (tmp_path / "bomb.ts").stat().st_size < 100_000
    assert "more than 16777216 bytes of code" in refused(tmp_path / "bomb.ts")
    packed = write(members(), tmp_path / "packed.ts", compression=zipfile.ZIP_DEFLATED)  # Weights are never compressed.
    assert "the member 'data/0'" in refused(packed)
    monkeypatch.setattr(torch_zip, "MOST_MEMBERS", len(members()) - 1)
    assert "a zip that torch did not write" in refused(HONEST)
    monkeypatch.undo()
    monkeypatch.setattr(torchscript, "_MOST_BYTES", 1500)
    assert "more than 1500 bytes of pickles" in refused(write(members() | {"model/data.pkl": b"\x88" * 1500 + b"."}, tmp_path / "large.ts"))


def test_what_torch_save_writes_is_named_and_is_no_torchscript(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="the extra [train] is not installed")
    network = torch.nn.Linear(2, 2)
    torch.save(network.state_dict(), tmp_path / "weights.pt")
    torch.save(network, tmp_path / "network.pt")
    for file, found in ((tmp_path / "weights.pt", ""), (tmp_path / "network.pt", "torch.nn.modules.linear.Linear")):
        assert not ABOUT.owns(file)
        assert torch_zip.pickled_class(file) == found
        assert "got a file of torch.save: pickled weights, or a pickled network; save the network with torch.jit" in refused(file)


def test_a_pt_file_is_told_by_its_content(tmp_path: Path) -> None:
    for name in ("net.pt", "NET.PTH"):
        (tmp_path / name).write_bytes(HONEST.read_bytes())
        assert format_of(tmp_path / name) is Format.TORCHSCRIPT
    (tmp_path / "cut.pt").write_bytes(HONEST.read_bytes()[:-30])
    assert not ABOUT.owns(tmp_path / "cut.pt")
    assert not ABOUT.owns(tmp_path / "absent.pt")
    assert torch_zip.pickled_class(HONEST) == "__torch__.torch.nn.modules.container.Sequential"
    assert torch_zip.pickled_class(tmp_path / "cut.pt") == ""
