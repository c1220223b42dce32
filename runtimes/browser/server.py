"""Files on loopback, with the headers without which a browser shares no memory among WebAssembly's threads."""

from __future__ import annotations

import contextlib
import secrets
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ISOLATION = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""What a page must be served with so that it may share memory among threads."""

_TYPES = {".html": "text/html; charset=utf-8", ".js": "text/javascript", ".mjs": "text/javascript"}


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        content = self.server.files.get(self.path)
        if content is None:
            self.send_error(404)
            return
        data = content if isinstance(content, bytes) else content.read_bytes()
        with contextlib.suppress(ConnectionError):  # A page that is closed waits for nothing.
            self.send_response(200)
            for name, value in ISOLATION.items():
                self.send_header(name, value)
            self.send_header("Content-Type", _TYPES.get(Path(self.path).suffix, "application/octet-stream"))
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: what a browser fetches is not the user's concern."""


class _Server(ThreadingHTTPServer):
    def __init__(self) -> None:
        self.files: dict[str, Path | bytes] = {}
        super().__init__(("127.0.0.1", 0), _Handler)


class FileServer:
    """Serves what is published, each time below an address that cannot be guessed: others on this machine reach the same port."""

    def __init__(self) -> None:
        self._server = _Server()
        self._thread = threading.Thread(target=self._server.serve_forever, name="file-server", daemon=True)
        self._thread.start()

    def publish(self, files: Mapping[str, Path | bytes]) -> str:
        """Serve `files` by name; returns the address of the folder that they seem to lie in, with a slash at its end."""
        folder = f"/{secrets.token_urlsafe(16)}/"
        self._server.files.update({f"{folder}{name}": content for name, content in files.items()})
        return f"http://127.0.0.1:{self._server.server_port}{folder}"

    def withdraw(self, address: str) -> None:
        """Serve nothing below `address` any more."""
        folder = address.removeprefix(f"http://127.0.0.1:{self._server.server_port}")
        for path in [path for path in self._server.files if path.startswith(folder)]:
            del self._server.files[path]

    def stop(self) -> None:
        """Close the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
