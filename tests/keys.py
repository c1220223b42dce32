"""Keys for signatures, made on the spot: none lies in the repository."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)


def write_private(file: Path, key: Any, *, password: bytes = b"", old: bool = False) -> Path:
    """The private key in PEM: PKCS #8, or in the `old` way of OpenSSL."""
    how: KeySerializationEncryption = BestAvailableEncryption(password) if password else NoEncryption()
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL if old else PrivateFormat.PKCS8, how))
    return file


def write_public(file: Path, key: Any) -> Path:
    """The public half of a private key, in PEM."""
    file.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return file


def make_keys(folder: Path, name: str, curve: ec.EllipticCurve | None = None) -> tuple[Path, Path]:
    """A new pair, ``<name>.key`` and ``<name>.pub``."""
    key = ec.generate_private_key(curve or ec.SECP256R1())
    return write_private(folder / f"{name}.key", key), write_public(folder / f"{name}.pub", key)
