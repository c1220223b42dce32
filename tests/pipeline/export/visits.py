"""A static host of an exported page, and a visitor's tab on it."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from toolkit.runtimes.browser import missing, repair
from toolkit.runtimes.browser.server import ISOLATION

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@pytest.fixture(scope="module", autouse=True)
def installed() -> None:
    """Skips the tests of a module where a part of the browser is missing."""
    if absent := missing():
        pytest.skip(f"{absent}; run: {repair()}")


class Host(ThreadingHTTPServer):
    """A static host of one folder, as simple as they are; it counts what it sends."""

    def __init__(self, folder: Path, headers: dict[str, str]) -> None:
        self.headers, self.sent = headers, 0
        super().__init__(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder)))


class Handler(SimpleHTTPRequestHandler):
    server: Host

    def end_headers(self) -> None:
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        super().end_headers()

    def copyfile(self, source: Any, outputfile: Any) -> None:
        content = source.read()
        self.server.sent += len(content)
        outputfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def hosted(folder: Path, *, isolated: bool = False) -> Iterator[Host]:
    host = Host(folder, ISOLATION if isolated else {})
    thread = threading.Thread(target=host.serve_forever)
    thread.start()
    try:
        yield host
    finally:
        host.shutdown()
        host.server_close()
        thread.join()


Visit = Callable[[Host], AbstractContextManager["Page"]]


@pytest.fixture
def visit(browser: Browser) -> Visit:
    """A visitor's tab on a host, closed at the end; what it asks of another host, and each error in it, is a failure."""

    @contextmanager
    def visited(host: Host) -> Iterator[Page]:
        address = f"http://127.0.0.1:{host.server_port}/"
        elsewhere: list[str] = []
        context = browser.new_context(viewport={"width": 1100, "height": 900})
        page = context.new_page()
        page.on(
            "request", lambda request: elsewhere.append(request.url) if not request.url.startswith((address, "data:", "blob:")) else None
        )
        page.on("pageerror", lambda error: elsewhere.append(str(error)))
        page.goto(address)
        ready(page)
        yield page
        context.close()
        assert elsewhere == []

    return visited


def ready(page: Page) -> None:
    page.wait_for_selector("body:not([data-state=loading])", timeout=60_000)
    assert page.locator("body").get_attribute("data-state") == "ready", page.inner_text("#status")
