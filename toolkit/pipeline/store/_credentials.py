"""What ``docker login`` and ``oras login`` have kept for a registry; nothing is written, and nothing of it ends up in a message."""

from __future__ import annotations

import base64
import binascii
import os
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from toolkit.core import InputError, decode_json, read_file

_HELPER = re.compile(r"[A-Za-z0-9._-]+")
_HELPER_S = 60.0
_DOCKER_HUB = ("registry-1.docker.io", "https://index.docker.io/v1/")
"""Its host, and what Docker calls it in its file."""


@dataclass(frozen=True)
class Credentials:
    """A name and its password, which no text of this shows."""

    user: str = field(repr=False)
    password: str = field(repr=False)

    @property
    def basic(self) -> str:
        """The header ``Authorization`` for them."""
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()


class _Entry(msgspec.Struct):
    auth: str = ""


class _Config(msgspec.Struct, rename="camel"):
    auths: dict[str, _Entry] = {}
    creds_store: str = ""
    cred_helpers: dict[str, str] = {}


class _Answer(msgspec.Struct, rename="pascal"):
    username: str
    secret: str


def credentials(host: str) -> Credentials | None:
    """Of a registry, from Docker's configuration or the helper that it names; None where nobody has logged in.

    Raises:
        InputError: the configuration cannot be read.
    """
    file = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker") / "config.json"
    try:
        config = decode_json(read_file(file), _Config)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        # Without what the reader says, which may quote the file.
        raise InputError(f"'{file}' cannot be read", expected="what docker login wrote", hint="log in again") from error
    names = {host, f"https://{host}", f"https://{host}/v1/", f"https://{host}/v2/"} | (
        {_DOCKER_HUB[1]} if host == _DOCKER_HUB[0] else set()
    )
    helper = next((config.cred_helpers[name] for name in sorted(names) if name in config.cred_helpers), config.creds_store)
    if helper:
        kept = _asked(helper, _DOCKER_HUB[1] if host == _DOCKER_HUB[0] else host)
        if kept is not None:
            return kept
    entry = next((config.auths[name] for name in sorted(names) if config.auths.get(name, _Entry()).auth), None)
    return _decoded(entry.auth) if entry else None


def _asked(helper: str, server: str) -> Credentials | None:
    """What Docker's program ``docker-credential-HELPER`` keeps: https://github.com/docker/docker-credential-helpers."""
    if not _HELPER.fullmatch(helper):
        return None
    command = [f"docker-credential-{helper}", "get"]
    try:
        done = subprocess.run(command, input=server.encode(), capture_output=True, timeout=_HELPER_S, check=True)
        answer = msgspec.json.decode(done.stdout, type=_Answer)
    except (OSError, subprocess.SubprocessError, msgspec.DecodeError):
        return None  # It knows nothing of this registry, which its exit code says, or it is not there: the registry then refuses.
    return Credentials(answer.username, answer.secret)


def _decoded(auth: str) -> Credentials | None:
    try:
        user, colon, password = base64.b64decode(auth, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return Credentials(user, password) if colon else None
