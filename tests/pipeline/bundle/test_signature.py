"""A signed bundle: whatever is changed of it is refused before anything in it is opened."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.keys import make_keys
from tests.pipeline.bundle.test_field import QUICK, a_bundle
from tests.tiny import tiny_samples
from toolkit.core import ArtifactError, TrustError, Verdict
from toolkit.pipeline.bundle import PrivateKey, check, pack
from toolkit.pipeline.bundle.keys import trusted_keys
from toolkit.pipeline.bundle.signature import opened, signed_archive, verified

OPENSSF = Path(__file__).parents[2] / "data" / "openssf"
"""``model.bin``, signed by ``model_signing sign key`` of model-signing 1.1.1 with a key of which only the public half was kept."""


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, Path]:
    return make_keys(tmp_path, "release")


@pytest.fixture
def signed(tmp_path: Path, keys: tuple[Path, Path]) -> Path:
    pack(a_bundle(tmp_path / "tiny"), tiny_samples(40), tmp_path / "tiny.zip", key=PrivateKey.read(keys[0]))
    return tmp_path / "tiny.zip"


def refusal(file: Path, trust: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """What `check` says, where opening the zip at all would be another error."""

    def never(*_arguments: object, **_options: object) -> None:
        raise AssertionError("the zip was opened")

    with monkeypatch.context() as patch:
        patch.setattr(zipfile, "ZipFile", never)
        with pytest.raises(TrustError) as caught:
            check(file, trust=trust)
    text = str(caught.value)
    assert "\n" not in text
    assert file.name in text
    assert all(word in text for word in ("expected ", "; "))
    return text


def test_a_signed_bundle_is_verified_and_measured(signed: Path, keys: tuple[Path, Path], tmp_path: Path) -> None:
    make_keys(tmp_path / "tiny", "other")
    (tmp_path / "tiny" / "release.pub").write_bytes(keys[1].read_bytes())
    for trust in (keys[1], tmp_path / "tiny"):
        said: list[str] = []
        report = check(signed, trust=trust, on_signature=said.append, engines=("onnxruntime",), threads=(1,), protocol=QUICK)
        assert [row.verdict for row in report.parity] == [Verdict.PASSED]
        assert len(said) == 1
        assert said[0].startswith("signed by release.pub (SHA-256 ")


def test_without_trust_it_is_checked_as_any_other(signed: Path, tmp_path: Path) -> None:
    said: list[str] = []
    plain = tmp_path / "plain.zip"
    pack(a_bundle(tmp_path / "again"), tiny_samples(40), plain)
    for file in (signed, plain):
        report = check(file, on_signature=said.append, engines=("onnxruntime",), threads=(1,), protocol=QUICK)
        assert [row.verdict for row in report.parity] == [Verdict.PASSED]
    assert said == ["signed; by whom was not asked: --trust KEYS asks"]
    with zipfile.ZipFile(plain, "a") as archive:
        archive.comment = b"a note of its owner"
    check(plain, on_signature=said.append, engines=("onnxruntime",), threads=(1,), protocol=QUICK)
    assert len(said) == 1


def test_the_signature_is_the_comment_of_the_very_same_zip(signed: Path, keys: tuple[Path, Path], tmp_path: Path) -> None:
    pack(a_bundle(tmp_path / "again"), tiny_samples(40), tmp_path / "plain.zip")
    plain, comment = (tmp_path / "plain.zip").read_bytes(), zipfile.ZipFile(signed).comment
    assert signed.read_bytes() == plain[:-2] + len(comment).to_bytes(2, "little") + comment
    pack(a_bundle(tmp_path / "third"), tiny_samples(40), tmp_path / "tiny2.zip", key=PrivateKey.read(keys[0]))
    assert len((tmp_path / "tiny2.zip").read_bytes()) > len(plain)
    renamed = signed.rename(tmp_path / "other-name.zip")
    with opened(renamed, trusted_keys(keys[1]), lambda _text: None) as stream:
        assert stream.read() == plain


def test_every_byte_counts(keys: tuple[Path, Path], tmp_path: Path) -> None:
    """Of a small zip file each byte by itself, the signature's own among them."""
    with zipfile.ZipFile(tmp_path / "plain.zip", "w") as archive:
        archive.writestr(zipfile.ZipInfo("member"), b"content" * 20, zipfile.ZIP_DEFLATED)
    whole = signed_archive((tmp_path / "plain.zip").read_bytes(), PrivateKey.read(keys[0]), name="plain.zip")
    trusted, file = trusted_keys(keys[1]), tmp_path / "changed.zip"

    def is_opened(content: bytes) -> bool:
        file.write_bytes(content)
        try:
            with opened(file, trusted, lambda _text: None):
                return True
        except TrustError:
            return False

    assert is_opened(whole)
    flips = [whole[:place] + bytes([whole[place] ^ flip]) + whole[place + 1 :] for place in range(len(whole)) for flip in (1, 32, 128)]
    cuts = [whole[:place] for place in range(len(whole))]
    longer = [whole[:place] + b" " + whole[place:] for place in range(len(whole) + 1)]
    assert [content for content in (*flips, *cuts, *longer, b"x" + whole, whole + whole) if is_opened(content)] == []


def test_changed_bytes_of_a_bundle_are_refused(signed: Path, keys: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    whole, draw = bytearray(signed.read_bytes()), random.Random(0)
    zipped = len(whole) - len(zipfile.ZipFile(signed).comment) - 2
    for place in [0, 10, zipped - 1, *(draw.randrange(zipped) for _ in range(30))]:
        changed = whole.copy()
        changed[place] ^= 1 << draw.randrange(8)
        signed.write_bytes(changed)
        assert "was changed after it was signed: expected SHA-256 " in refusal(signed, keys[1], monkeypatch)
    signed.write_bytes(whole)
    check(signed, trust=keys[1], engines=("onnxruntime",), threads=(1,), protocol=QUICK)


def _with_members(change: Callable[[dict[str, bytes]], dict[str, bytes]]) -> Callable[[Path], None]:
    def made(file: Path) -> None:
        with zipfile.ZipFile(file) as old:
            members, comment = {name: old.read(name) for name in old.namelist()}, old.comment
        with zipfile.ZipFile(file, "w") as new:
            for name, content in change(members).items():
                new.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
            new.comment = comment

    return made


_MODEL, _INPUTS, _EXPECTED = "onnx-fp16/model.onnx", "inputs.npz", "expected.npz"


@pytest.mark.parametrize(
    "change",
    [
        _with_members(lambda old: old | {"onnx-fp16/more.bin": b"x"}),
        _with_members(lambda old: {name: content for name, content in old.items() if name != "onnx-fp16/manifest.json"}),
        _with_members(lambda old: old | {_INPUTS: old[_EXPECTED], _EXPECTED: old[_INPUTS]}),
        _with_members(lambda old: dict(reversed(old.items()))),
        _with_members(lambda old: old | {_MODEL: old[_MODEL][:-1] + b"?"}),
    ],
    ids=["added", "removed", "swapped", "in another order", "edited"],
)
def test_other_files_are_refused(
    signed: Path, keys: tuple[Path, Path], change: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    change(signed)
    assert zipfile.ZipFile(signed).comment
    assert "was changed after it was signed" in refusal(signed, keys[1], monkeypatch)


def test_the_signature_of_another_bundle_is_refused(
    signed: Path, keys: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack(a_bundle(tmp_path / "wrong", seed=1), tiny_samples(40), tmp_path / "wrong.zip")
    with zipfile.ZipFile(tmp_path / "wrong.zip", "a") as archive:
        archive.comment = zipfile.ZipFile(signed).comment
    assert "was changed after it was signed" in refusal(tmp_path / "wrong.zip", keys[1], monkeypatch)


def test_who_did_not_sign_is_refused(signed: Path, keys: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, other = make_keys(tmp_path, "other")
    text = refusal(signed, other, monkeypatch)
    assert "is signed by a key that is not trusted: expected other.pub (SHA-256 " in text
    assert f"got SHA-256 {trusted_keys(keys[1])[0].sha256[:12]}…" in text
    pack(a_bundle(tmp_path / "again"), tiny_samples(40), tmp_path / "plain.zip")
    assert "is not signed: expected a signature that ends the file, of release.pub" in refusal(tmp_path / "plain.zip", keys[1], monkeypatch)
    with zipfile.ZipFile(tmp_path / "plain.zip", "a") as archive:
        archive.comment = b"a note of its owner"
    assert "the signature of" in refusal(tmp_path / "plain.zip", keys[1], monkeypatch)
    with pytest.raises(ArtifactError, match=r"absent\.zip"):
        check(tmp_path / "absent.zip", trust=keys[1])


def _signed_again(comment: bytes, key: PrivateKey, change: Callable[[dict[str, Any]], None]) -> bytes:
    """The signature with another statement, rightly signed."""
    about = json.loads(comment)
    statement = json.loads(base64.b64decode(about["dsseEnvelope"]["payload"]))
    change(statement)
    payload = json.dumps(statement).encode()
    kind = about["dsseEnvelope"]["payloadType"]
    message = f"DSSEv1 {len(kind)} {kind} {len(payload)} ".encode() + payload
    about["dsseEnvelope"] |= {
        "payload": base64.b64encode(payload).decode(),
        "signatures": [{"sig": base64.b64encode(key.sign(message)).decode()}],
    }
    about["dsseEnvelope"]["signatures"][0]["keyid"] = ""
    return json.dumps(about, separators=(",", ":")).encode()


def test_what_a_trusted_key_signed_for_something_else_is_no_signature_of_a_file(signed: Path, keys: tuple[Path, Path]) -> None:
    comment, key, trusted = zipfile.ZipFile(signed).comment, PrivateKey.read(keys[0]), trusted_keys(keys[1])
    assert verified(_signed_again(comment, key, lambda _about: None), trusted, what="x")
    changes: dict[str, Callable[[dict[str, Any]], None]] = {
        "it signs something else": lambda about: about.update(predicateType="https://slsa.dev/provenance/v1"),
        "than one file": lambda about: about["predicate"]["resources"].append(about["predicate"]["resources"][0]),
        "one file": lambda about: about["predicate"]["resources"][0].update(name="model.onnx"),
        "contradicts itself": lambda about: about["predicate"]["resources"][0].update(digest="00" * 32),
        "contradicts": lambda about: about["predicate"]["resources"][0].update(digest="no hash"),
        "missing required field": lambda about: about.pop("predicate"),
    }
    for part, change in changes.items():
        with pytest.raises(TrustError, match=part):
            verified(_signed_again(comment, key, change), trusted, what="x")


def test_what_openssf_s_own_tool_signed_is_verified() -> None:
    comment = (OPENSSF / "model.sig").read_bytes()
    signer, digest = verified(comment, trusted_keys(OPENSSF / "key.pub"), what="model.bin")
    assert (signer.name, digest) == ("key.pub", hashlib.sha256((OPENSSF / "model.bin").read_bytes()).hexdigest())


def test_the_signature_has_the_fields_of_openssf_s_own(signed: Path) -> None:
    def shape(value: Any) -> Any:
        match value:
            case dict():
                return {key: shape(inner) for key, inner in value.items()}
            case list():
                return [shape(inner) for inner in value]
        return type(value)

    ours, theirs = (msgspec.json.decode(content) for content in (zipfile.ZipFile(signed).comment, (OPENSSF / "model.sig").read_bytes()))
    assert shape(ours) == shape(theirs)
    statements = [json.loads(base64.b64decode(each["dsseEnvelope"]["payload"])) for each in (ours, theirs)]
    for each in statements:
        each["predicate"]["serialization"]["ignore_paths"] = []
    assert shape(statements[0]) == shape(statements[1])
    assert [each["predicateType"] for each in statements] == [statements[0]["predicateType"]] * 2


def test_what_is_changed_while_it_is_verified_is_not_used(signed: Path, keys: tuple[Path, Path]) -> None:
    plain = signed.read_bytes()
    with opened(signed, trusted_keys(keys[1]), lambda _text: None) as stream:
        with signed.open("r+b") as writing:
            writing.write(b"\0" * len(plain))
        assert stream.read(4) == b"PK\x03\x04"
