"""Commands one after another in one process that has imported what they need: a start of Python and of the libraries takes seconds."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
# Where a process in another folder finds the tests' own modules, this tree's first.
_GIVEN = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
PATH = os.pathsep.join(dict.fromkeys([str(ROOT), *_GIVEN]))


class Commands:
    """A worker (`tests.fuzz.worker`) with these variables besides the parent's own."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        reading, writing = os.pipe()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.fuzz.worker", str(writing)],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            pass_fds=(writing,),
            text=True,
        )
        os.close(writing)
        self._answers = os.fdopen(reading)

    def ask(self, words: tuple[str, ...], folder: Path, *, output: Path, errors: Path, limit_s: float) -> dict[str, Any]:
        """The exit code and the peak of memory of the command `words` in `folder`, whose words go to two files.

        Raises:
            TimeoutError: there was no end within `limit_s`.
            ChildProcessError: the worker itself ended.
        """
        assert self._process.stdin is not None
        request = {"folder": str(folder), "words": words, "output": str(output), "errors": str(errors)}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        ready, _, _ = select.select([self._answers], [], [], limit_s)
        if not ready:
            raise TimeoutError(f"no end after {limit_s:g} s")
        line = self._answers.readline()
        if not line:
            raise ChildProcessError(f"the main process ended with {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def run(self, *words: str | Path, folder: Path, limit_s: float = 180.0) -> subprocess.CompletedProcess[str]:
        """The command in `folder`, as `subprocess.run` tells it."""
        output, errors = folder.parent / f"{folder.name}.stdout", folder.parent / f"{folder.name}.stderr"
        told = tuple(map(str, words))
        answer = self.ask(told, folder, output=output, errors=errors, limit_s=limit_s)
        return subprocess.CompletedProcess(told, answer["code"], output.read_text(), errors.read_text())

    def close(self) -> None:
        """End the worker."""
        self._process.kill()
        self._process.wait()
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._answers.close()
