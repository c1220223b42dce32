"""Keys as OpenSSL writes them: what signs, what is trusted, and what is neither."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from tests.keys import make_keys, write_private, write_public
from toolkit.core import InputError
from toolkit.pipeline.bundle.keys import PrivateKey, PublicKey, trusted_keys


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()], ids=lambda curve: curve.name)
def test_each_curve_signs_and_verifies(curve: ec.EllipticCurve, tmp_path: Path) -> None:
    private, public = make_keys(tmp_path, "a", curve)
    key, (trusted,) = PrivateKey.read(private), trusted_keys(public)
    signature = key.sign(b"message")
    assert signature == key.sign(b"message")
    assert trusted.verifies(signature, b"message")
    assert not trusted.verifies(signature, b"massage")
    assert not trusted.verifies(signature[:-1], b"message")
    assert (trusted.name, trusted.sha256) == ("a.pub", key.public.sha256)
    assert str(trusted) == f"a.pub (SHA-256 {key.public.sha256[:12]}…)"


def test_the_commands_of_the_documents_make_keys(tmp_path: Path) -> None:
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    for line in (
        "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out KEY",
        "openssl pkey -in KEY -pubout -out KEY.pub",
        "openssl ecparam -name prime256v1 -genkey -out OLD",  # with the curve's parameters before the key
    ):
        subprocess.run(line.split(), cwd=tmp_path, check=True, capture_output=True)
    assert PrivateKey.read(tmp_path / "KEY").public.sha256 == PublicKey.read(tmp_path / "KEY.pub").sha256
    PrivateKey.read(tmp_path / "OLD")


def test_a_folder_of_keys_is_all_of_them(tmp_path: Path) -> None:
    for name in "ba":
        make_keys(tmp_path, name)
    (tmp_path / "b.pub").rename(tmp_path / "b.pem")
    (tmp_path / "README").write_text("who is who")
    assert [key.name for key in trusted_keys(tmp_path)] == ["a.pub", "b.pem"]


def test_what_is_no_key_to_sign_with(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    encrypted, without = (
        "got an encrypted private key; make one without: openssl pkey -in",
        "expected a private key in PEM without a password",
    )
    (tmp_path / "text").write_text("no key")
    (tmp_path / "cut").write_bytes(write_private(tmp_path / "whole", key).read_bytes()[:80])
    for file, parts in (
        (write_private(tmp_path / "new", key, password=b"x"), (without, encrypted)),
        (write_private(tmp_path / "old", key, password=b"x", old=True), (without, encrypted)),
        (write_public(tmp_path / "public", key), (without, "got a public key; make one: openssl genpkey")),
        (tmp_path / "text", (without, "got no PEM file")),
        (tmp_path / "cut", (without, "got a private key")),
        (tmp_path / "absent", ("cannot be read", "No such file")),
        (tmp_path, ("cannot be read", "not a regular file")),
        (write_private(tmp_path / "rsa", rsa.generate_private_key(65537, 2048)), ("P-256, P-384 or P-521, got RSA",)),
        (write_private(tmp_path / "ed", ed25519.Ed25519PrivateKey.generate()), ("P-256, P-384 or P-521, got Ed25519",)),
        (write_private(tmp_path / "k1", ec.generate_private_key(ec.SECP256K1())), ("P-521, got secp256k1",)),
    ):
        with pytest.raises(InputError) as caught:
            PrivateKey.read(file)
        assert all(part in str(caught.value) for part in (*parts, str(file))), str(caught.value)
        assert "\n" not in str(caught.value)


def test_what_is_no_key_to_trust(tmp_path: Path) -> None:
    private, _ = make_keys(tmp_path, "a")
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "note.txt").write_text("no key")
    (tmp_path / "mixed").mkdir()
    shutil.copy(tmp_path / "a.pub", tmp_path / "mixed" / "a.pub")
    shutil.copy(private, tmp_path / "mixed" / "b.pem")
    (tmp_path / "huge.pub").write_bytes(b"-" * 2**20)
    for path, part in (
        (private, "expected a public key in PEM, got a private key; make it of the private key: openssl pkey"),
        (tmp_path / "none", "holds no key: expected public keys in files that end in .pem or .pub, got none"),
        (tmp_path / "mixed", "b.pem' is no key to trust"),
        (tmp_path / "absent", "No such file"),
        (tmp_path / "huge.pub", "larger than"),
        (write_public(tmp_path / "rsa.pub", rsa.generate_private_key(65537, 2048)), "P-256, P-384 or P-521, got RSA"),
    ):
        with pytest.raises(InputError) as caught:
            trusted_keys(path)
        assert part in str(caught.value)
        assert "\n" not in str(caught.value)


def test_without_the_extra_it_is_named(tmp_path: Path) -> None:
    private, _ = make_keys(tmp_path, "a")
    code = (
        "import sys; sys.modules['cryptography'] = None\n"
        f"from pathlib import Path; from toolkit.pipeline.bundle import PrivateKey; PrivateKey.read(Path({str(private)!r}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "MissingDependencyError: 'cryptography" in done.stderr
    assert "[sign]'" in done.stderr
