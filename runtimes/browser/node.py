"""A process of Node with a model open in it."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import Any

from .model import WebError, WebModel
from .packages import HERE, WebEngine, node

_STOP_S = 20.0


class NodeModel(WebModel):
    """A model open in a process of its own, which ends with its input: with this one, however that ends.

    Raises `WebError` where the engine refuses the model, or Node does not start.
    """

    def __init__(self, engine: WebEngine, model: Path, *, threads: int) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        # Modules find each other beside themselves, so all of them lie in one folder.
        self._folder = tempfile.TemporaryDirectory(prefix="toolkit-node-")
        try:
            folder = Path(self._folder.name)
            for name, path in (engine.installed_files() | {name: HERE / name for name in ("session.js", "node.js")}).items():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, folder / name)
            (folder / "package.json").write_text('{"type": "module"}')
            self._messages = (folder / "messages").open("w+b")
            command = [str(node()), str(folder / "node.js")]
            try:
                self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._messages)
            except OSError as error:
                raise WebError(f"Node does not start: {error.strerror}") from error
            super().__init__(model.absolute().as_uri(), threads)
            version = self._call("nodeVersion")
        except BaseException:
            self.close()
            raise
        self.detail = f"Node {version}, WebAssembly with SIMD"

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            with contextlib.suppress(OSError):
                self._process.stdin.close()
            try:
                self._process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process.stdout.close()
            self._messages.close()
        self._folder.cleanup()

    def _call(self, function: str, *arguments: object) -> Any:
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._lock:
            try:
                self._process.stdin.write(json.dumps([function, arguments]).encode() + b"\n")
                self._process.stdin.flush()
                line = self._process.stdout.readline()
            except OSError:
                line = b""
        if not line.endswith(b"\n"):
            raise WebError(f"Node ended: {self._last_words()}")
        answer = json.loads(line)
        if "error" in answer:
            raise WebError(answer["error"].strip().partition("\n")[0])
        return answer.get("value")

    def _last_words(self) -> str:
        self._messages.seek(0)
        words = self._messages.read().decode(errors="replace").split("\n")
        return next((line.strip() for line in words if "Error" in line), "no message")
