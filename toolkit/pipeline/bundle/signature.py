"""A field bundle's signature: the format of the OpenSSF Model Signing specification (v1.0, method "key"), in the comment that ends its zip.

What is signed is the whole zip file as it is without a comment, as one file: no byte of it can change, and nothing of it has to be
understood before it is verified. The comment travels inside, and every program that reads zip files skips it.

The envelope is a Sigstore bundle with DSSE (https://github.com/secure-systems-lab/dsse, protocol.md) around an in-toto statement, whose
resources are the signed files with their SHA-256; of a model that is a single file, the name is ".". It is written here, in a page, because
PyPI's ``model-signing`` 1.1.1 cannot be installed beside `constraints.txt`: its sigstore wants other versions of pydantic and
typing_extensions.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import msgspec

from toolkit.core import TrustError, decode_json, open_file
from toolkit.core.files import storage_errors

from .keys import PrivateKey, PublicKey

_BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
_PAYLOAD = "application/vnd.in-toto+json"
_STATEMENT = "https://in-toto.io/Statement/v1"
_PREDICATE = "https://model_signing/signature/v1.0"
_ITSELF = "."
"""What the specification calls a model that is a single file."""
_END = struct.Struct("<4s4H2LH")
"""The end of a zip file's directory; the last number is the length of the comment, which follows it and ends the file."""
_END_MARK = b"PK\x05\x06"
_MOST_COMMENT = 2**16 - 1
_NO_COMMENT = b"\0\0"
_CHUNK = 2**20
_AGAIN = "get the file again from who signed it"


class _Keys(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    hint: str


class _Material(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    public_key: _Keys
    tlog_entries: tuple[()] = ()


class _Signature(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    sig: bytes
    keyid: str = ""


class _Envelope(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    payload: bytes
    payload_type: str
    signatures: tuple[_Signature]


class Signed(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """A Sigstore bundle as the method "key" writes it; bytes are base64 in its JSON."""

    media_type: str
    verification_material: _Material
    dsse_envelope: _Envelope


class _Resource(msgspec.Struct, frozen=True):
    name: str
    algorithm: str
    digest: str


class _Predicate(msgspec.Struct, frozen=True):
    resources: tuple[_Resource, ...]


class _Subject(msgspec.Struct, frozen=True):
    name: str
    digest: dict[str, str]


class _Statement(msgspec.Struct, frozen=True, rename="camel"):
    kind: str = msgspec.field(name="_type")
    subject: tuple[_Subject]
    predicate_type: str
    predicate: _Predicate


def signed_archive(archive: bytes, key: PrivateKey, *, name: str) -> bytes:
    """A zip file without a comment, `archive`, with its signature as one; `name` is what the signature calls it."""
    digest = hashlib.sha256(archive)
    statement = {
        "_type": _STATEMENT,
        "subject": [{"name": name, "digest": {"sha256": _root(digest.hexdigest())}}],
        "predicateType": _PREDICATE,
        "predicate": {
            "serialization": {"method": "files", "hash_type": "sha256", "allow_symlinks": False, "ignore_paths": []},
            "resources": [{"name": _ITSELF, "algorithm": "sha256", "digest": digest.hexdigest()}],
        },
    }
    payload = json.dumps(statement).encode()
    envelope = _Envelope(payload, _PAYLOAD, (_Signature(key.sign(_to_sign(payload))),))
    comment = msgspec.json.encode(Signed(_BUNDLE, _Material(_Keys(key.public.sha256)), envelope))
    return archive[: -len(_NO_COMMENT)] + struct.pack("<H", len(comment)) + comment


@contextmanager
def opened(file: Path, keys: Sequence[PublicKey] | None, on_signature: Callable[[str], None], *, name: str = "") -> Iterator[IO[bytes]]:
    """The bytes of a field bundle while the block lasts: with `keys` those that the owner of one of them signed, in a copy that nobody else
    can change meanwhile; without, whatever the file holds.

    Args:
        file: the zip file.
        keys: who is trusted; None where nobody asks.
        on_signature: called with what is known of a signature, in one line.
        name: what messages call the file; by default its path.

    Raises:
        TrustError: it is not signed, by no trusted key, or was changed; nothing in it was opened.
        OSError: it cannot be read.
    """
    name = name or str(file)
    with open_file(file) as stream:
        if keys is None:
            if _is_signature(_comment(stream)):
                on_signature("signed; by whom was not asked: --trust KEYS asks")
            stream.seek(0)
            yield stream
            return
        comment = _comment(stream)
        if not comment:
            raise TrustError(
                f"'{name}' is not signed",
                expected=f"a signature that ends the file, of {_any_of(keys)}",
                got="none",
                hint="sign it where it is packed, with toolkit bundle --sign KEY, or get the file again",
            )
        signer, digest = verified(comment, keys, what=name)
        with tempfile.TemporaryFile(prefix="toolkit-check-") as copy:
            found = _copied(stream, copy, len(comment))
            if found != digest:
                raise TrustError(
                    f"'{name}' was changed after it was signed",
                    expected=f"SHA-256 {digest[:12]}…",
                    got=f"{found[:12]}…",
                    hint=_AGAIN,
                )
            on_signature(f"signed by {signer}")
            yield copy


def verified(comment: bytes, keys: Sequence[PublicKey], *, what: str) -> tuple[PublicKey, str]:
    """Whose signature `comment` is, and the SHA-256 in hex of the single file that is signed; raises `TrustError` with the name `what`."""
    try:
        signed = decode_json(comment, Signed)
    except msgspec.DecodeError as error:
        raise _damaged(what, str(error)) from error
    # The same signature in other characters is not what was written.
    if msgspec.json.encode(signed) != comment:
        raise _damaged(what, "its characters are not those that were written")
    envelope, hint = signed.dsse_envelope, signed.verification_material.public_key.hint
    if (signed.media_type, envelope.payload_type) != (_BUNDLE, _PAYLOAD):
        raise _damaged(what, "it is of another kind")
    signer = next((key for key in keys if key.sha256 == hint), None)
    if signer is None:
        raise TrustError(
            f"'{what}' is signed by a key that is not trusted",
            expected=_any_of(keys),
            got=f"SHA-256 {hint[:12]}…",
            hint="ask who signed it for the public key, and trust that one if you know that it is theirs",
        )
    if not signer.verifies(envelope.signatures[0].sig, _to_sign(envelope.payload)):
        raise _damaged(what, f"{signer} did not make it")
    try:
        statement = decode_json(envelope.payload, _Statement)
    except msgspec.DecodeError as error:
        raise _damaged(what, str(error)) from error
    files = statement.predicate.resources
    if (statement.kind, statement.predicate_type) != (_STATEMENT, _PREDICATE) or [(f.name, f.algorithm) for f in files] != [
        (_ITSELF, "sha256")
    ]:
        raise _damaged(what, "it signs something else than one file")
    if statement.subject[0].digest.get("sha256") != _root(files[0].digest):
        raise _damaged(what, "it contradicts itself")
    return signer, files[0].digest


def _is_signature(comment: bytes) -> bool:
    try:
        return decode_json(comment, Signed).media_type == _BUNDLE
    except msgspec.DecodeError:
        return False


def _comment(stream: IO[bytes]) -> bytes:
    """The comment that ends a zip file; empty where there is none, or where it does not end the file."""
    size = stream.seek(0, os.SEEK_END)
    stream.seek(max(0, size - _END.size - _MOST_COMMENT))
    tail = stream.read()
    place = tail.rfind(_END_MARK)
    if place < 0 or len(tail) - place < _END.size:
        return b""
    *_, length = _END.unpack_from(tail, place)
    comment = tail[place + _END.size :]
    return comment if len(comment) == length else b""


def _copied(stream: IO[bytes], copy: IO[bytes], comment: int) -> str:
    """Copy a zip file without its comment of so many bytes; the SHA-256 in hex of what was copied."""
    left = stream.seek(0, os.SEEK_END) - comment - len(_NO_COMMENT)
    stream.seek(0)
    digest = hashlib.sha256()
    with storage_errors(Path(tempfile.gettempdir())):
        while left > 0 and (chunk := stream.read(min(left, _CHUNK))):
            copy.write(chunk)
            digest.update(chunk)
            left -= len(chunk)
        copy.write(_NO_COMMENT)
        copy.flush()
    digest.update(_NO_COMMENT)
    copy.seek(0)
    return digest.hexdigest()


def _to_sign(payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding, which binds the payload to its type."""
    return f"DSSEv1 {len(_PAYLOAD)} {_PAYLOAD} {len(payload)} ".encode() + payload


def _root(digest: str) -> str:
    """The hash over the hashes of all files, here of one."""
    try:
        return hashlib.sha256(bytes.fromhex(digest)).hexdigest()
    except ValueError:
        return ""


def _any_of(keys: Sequence[PublicKey]) -> str:
    return " or ".join(map(str, keys[:3])) + (f" or {len(keys) - 3} more" if len(keys) > 3 else "")


def _damaged(what: str, reason: str) -> TrustError:
    return TrustError(f"the signature of '{what}' is damaged: {reason}", expected="one that toolkit bundle --sign wrote", hint=_AGAIN)
