"""Keys in PEM files, as OpenSSL makes them: the private one that signs a field bundle, and the public ones of those who are trusted."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.core import InputError, needs, read_file

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ec

KEY_FILES = (".pem", ".pub")
"""How the names of public keys in a folder end."""
_CURVES = {"secp256r1": "SHA256", "secp384r1": "SHA384", "secp521r1": "SHA512"}
"""The curves that OpenSSF signatures know, each with its hash."""
_MOST_BYTES = 64 * 2**10
_LABEL = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,40})-----")
_ENCRYPTED = "an encrypted private key"
_MAKE = "make one: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out KEY"
_SUPPORTED = "an elliptic-curve key on P-256, P-384 or P-521"


@dataclass(frozen=True)
class PublicKey:
    """A key that verifies signatures; ``name`` is that of its file."""

    name: str
    key: ec.EllipticCurvePublicKey

    @classmethod
    def read(cls, file: Path) -> PublicKey:
        """The public key in a PEM file; raises `InputError`."""
        with needs("sign"):
            from cryptography.hazmat.primitives.serialization import load_pem_public_key

        what, hint = "a public key in PEM", f"make it of the private key: openssl pkey -in KEY -pubout -out {file.stem}.pub"
        content = _content(file, what)
        try:
            key = load_pem_public_key(content)
        except Exception as error:
            raise InputError(f"'{file}' is no key to trust", expected=what, got=_kind(content), hint=hint) from error
        _check_curve(key, file)
        return cls(file.name, key)  # type: ignore[arg-type]

    @property
    def sha256(self) -> str:
        """The hash of the key in PEM, in hex: how OpenSSF signatures name it."""
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        return hashlib.sha256(self.key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)).hexdigest()

    def __str__(self) -> str:
        return f"{self.name} (SHA-256 {self.sha256[:12]}…)"

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Whether the owner of this key made `signature` of `message`."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ec import ECDSA

        try:
            self.key.verify(signature, message, ECDSA(_hash(self.key)))
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True)
class PrivateKey:
    """A key that signs."""

    key: ec.EllipticCurvePrivateKey

    @classmethod
    def read(cls, file: Path) -> PrivateKey:
        """The private key in a PEM file that has no password; raises `InputError`."""
        with needs("sign"):
            from cryptography.hazmat.primitives.serialization import load_pem_private_key

        what = "a private key in PEM without a password"
        content = _content(file, what)
        try:
            key = load_pem_private_key(content, password=None)
        except Exception as error:
            kind = _kind(content)
            hint = "make one without: openssl pkey -in KEY -out PLAIN" if kind == _ENCRYPTED else _MAKE
            raise InputError(f"'{file}' is no key to sign with", expected=what, got=kind, hint=hint) from error
        _check_curve(key, file)
        return cls(key)  # type: ignore[arg-type]

    @property
    def public(self) -> PublicKey:
        """Its public half."""
        return PublicKey("", self.key.public_key())

    def sign(self, message: bytes) -> bytes:
        """The signature of `message`, the same each time (RFC 6979): equal bundles stay equal bytes."""
        from cryptography.hazmat.primitives.asymmetric.ec import ECDSA

        return self.key.sign(message, ECDSA(_hash(self.key), deterministic_signing=True))


def trusted_keys(path: Path) -> tuple[PublicKey, ...]:
    """The public key in a file, or those in a folder's files whose names end in `KEY_FILES`; raises `InputError`."""
    if not path.is_dir():
        return (PublicKey.read(path),)
    files = sorted(file for file in path.iterdir() if file.suffix.lower() in KEY_FILES)
    if not files:
        raise InputError(f"folder '{path}' holds no key", expected=f"public keys in files that end in {' or '.join(KEY_FILES)}", got="none")
    return tuple(PublicKey.read(file) for file in files)


def _content(file: Path, what: str) -> bytes:
    try:
        return read_file(file, most=_MOST_BYTES)
    except OSError as error:
        raise InputError(f"key '{file}' cannot be read", expected=f"a file with {what}", got=error.strerror or str(error)) from error


def _kind(content: bytes) -> str:
    """What a PEM file holds, in words."""
    labels = [label.decode() for label in _LABEL.findall(content)]
    if not labels:
        return "no PEM file"
    label = labels[-1]  # Before a key there may be its curve's parameters.
    if label.startswith("ENCRYPTED") or b"Proc-Type: 4,ENCRYPTED" in content:
        return _ENCRYPTED
    return next((f"a {kind.lower()}" for kind in ("PRIVATE KEY", "PUBLIC KEY", "CERTIFICATE") if label.endswith(kind)), f"'{label}'")


def _check_curve(key: Any, file: Path) -> None:
    found = getattr(getattr(key, "curve", None), "name", type(key).__name__.removesuffix("PrivateKey").removesuffix("PublicKey"))
    if found not in _CURVES:
        raise InputError(f"key '{file}' is of a kind that is not used here", expected=_SUPPORTED, got=found, hint=_MAKE)


def _hash(key: ec.EllipticCurvePrivateKey | ec.EllipticCurvePublicKey) -> Any:
    from cryptography.hazmat.primitives import hashes

    return getattr(hashes, _CURVES[key.curve.name])()
