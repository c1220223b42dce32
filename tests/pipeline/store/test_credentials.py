"""What Docker's configuration and its helpers say, and that it is never shown."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path

import pytest

from toolkit.core import InputError
from toolkit.pipeline.store._credentials import Credentials, credentials


def kept(**config: object) -> None:
    folder = Path(os.environ["DOCKER_CONFIG"])
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))


def entry(user: str, password: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


def test_nobody_has_logged_in() -> None:
    assert credentials("ghcr.io") is None
    kept(auths={"other.io": entry("me", "hunter2"), "ghcr.io": {}}, detachKeys="x")
    assert credentials("ghcr.io") is None


@pytest.mark.parametrize("name", ["ghcr.io", "https://ghcr.io", "https://ghcr.io/v1/", "https://ghcr.io/v2/"])
def test_what_docker_login_wrote(name: str) -> None:
    kept(auths={name: entry("me", "hunter:2")})
    assert credentials("ghcr.io") == Credentials("me", "hunter:2")


def test_dockers_own_registry_has_a_name_of_its_own() -> None:
    kept(auths={"https://index.docker.io/v1/": entry("me", "hunter2")})
    assert credentials("registry-1.docker.io") == Credentials("me", "hunter2")
    assert credentials("ghcr.io") is None


@pytest.mark.parametrize("auth", ["?", "aGk=", "/w=="])
def test_what_is_no_password_is_none(auth: str) -> None:
    kept(auths={"ghcr.io": {"auth": auth}})
    assert credentials("ghcr.io") is None


def test_a_helper_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program as Docker's are: the host comes in, JSON goes out."""
    helper = tmp_path / "docker-credential-ours"
    answer = '{"ServerURL":"x","Username":"me","Secret":"hunter2"}'
    helper.write_text(f'#!/bin/sh\nread host\n[ "$1 $host" = "get ghcr.io" ] || {{ echo not found; exit 1; }}\necho \'{answer}\'\n')
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    for config in ({"credsStore": "ours"}, {"credHelpers": {"ghcr.io": "ours"}, "credsStore": "nothing"}):
        kept(**config)
        assert credentials("ghcr.io") == Credentials("me", "hunter2")
    kept(credsStore="ours", auths={"quay.io": entry("you", "2")})
    assert credentials("quay.io") == Credentials("you", "2"), "what the helper does not know may stand in the file"
    # A name that is a path would run what lies in the current folder.
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docker-credential-").mkdir()
    for name in ("not-there", "/../docker-credential-ours", ""):
        kept(credsStore=name)
        assert credentials("ghcr.io") is None


def test_a_damaged_file_is_told_without_what_is_in_it() -> None:
    kept(auths={"ghcr.io": {"auth": ["hunter2"]}})
    file = Path(os.environ["DOCKER_CONFIG"]) / "config.json"
    for content in (file.read_text(), "hunter2", '{"auths": {"hunter2": 3}}'):
        file.write_text(content)
        with pytest.raises(InputError, match=r"config\.json' cannot be read: expected what docker login wrote; log in again") as raised:
            credentials("ghcr.io")
        assert "hunter2" not in str(raised.value)


def test_no_text_shows_a_password() -> None:
    assert "hunter2" not in repr(Credentials("me", "hunter2"))
    assert Credentials("me", "hunter2").basic == "Basic bWU6aHVudGVyMg=="
