"""A page of a headless Chromium with a model open in it. It may be used from any thread: Playwright lives in one of its own."""

from __future__ import annotations

import atexit
import contextlib
import threading
from collections.abc import Coroutine
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from toolkit.core import EngineError, needs

from .._gpu import Gpu
from .model import WebError, WebModel
from .packages import CHROMIUM, EXTRA, HERE, WebEngine, chromium

T = TypeVar("T")

WITHOUT = "--disable-features=WebUIOmniboxPopup,WebUIOmniboxAimPopup,WebUIOmniboxFullPopup,OptimizationHints,MediaRouter,HttpsUpgrades"
"""Parts of a window that nobody sees, of which the first three draw a page of their own: a third of the processor time of a start.
Chromium takes the last such list alone, so that Playwright's own, which is longer, is gone.
"""
_FLAGS = (
    WITHOUT,
    "--disable-background-networking",
    "--disable-component-update",
    "--enable-unsafe-webgpu",  # In software too, where there is no GPU.
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
)
_TIMEOUT_MS = 120_000.0
_STOP_S = 20.0
_HTML = b"""<!doctype html>
<meta charset="utf-8"><title>session</title><link rel="icon" href="data:,">
<script type="importmap">{"imports": {"@litertjs/wasm-utils": "./wasm-utils.js"}}</script>
<body><script type="module" src="session.js"></script></body>
"""


class _Browser:
    """Chromium and its driver, with the thread and the loop that they belong to, and the server of its pages' files."""

    def __init__(self) -> None:
        import asyncio  # Here, with the server: a fifth of what the start of an app costs that opens another engine.

        from .server import FileServer

        self.users = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="chromium", daemon=True)
        self._thread.start()
        try:
            self._driver, self._chromium = self.call(_start())
        except BaseException:
            self._end_loop()
            raise
        self.version: str = self._chromium.version
        self.server = FileServer()
        atexit.register(self.stop)

    def call(self, work: Coroutine[Any, Any, T], *, timeout_s: float | None = None) -> T:
        import asyncio

        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout_s)

    @property
    def is_alive(self) -> bool:
        return bool(self._chromium.is_connected())

    async def new_page(self) -> Any:
        # A context of its own gives each page a process of its own.
        return await (await self._chromium.new_context()).new_page()

    def stop(self) -> None:
        atexit.unregister(self.stop)
        if self._loop.is_closed():
            return
        # After Ctrl-C both may be gone already.
        with contextlib.suppress(Exception):
            self.call(self._close(), timeout_s=_STOP_S)
        self._end_loop()
        self.server.stop()

    async def _close(self) -> None:
        try:
            await self._chromium.close()
        finally:
            await self._driver.stop()

    def _end_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _start() -> tuple[Any, Any]:
    with needs(EXTRA):
        from playwright.async_api import async_playwright
    path = chromium()
    driver = await async_playwright().start()
    try:
        # Without the sandbox, which root has none of; the pages are our own, and what they fetch comes from loopback.
        return driver, await driver.chromium.launch(executable_path=path, args=_FLAGS, chromium_sandbox=False, timeout=_TIMEOUT_MS)
    except Exception as error:
        await driver.stop()
        hint = f"run: apt-get install --reinstall chromium, or name another one by {CHROMIUM}"
        raise EngineError(f"the browser '{path}' does not start: {_first_line(error)}", hint=hint) from error


_lock = threading.Lock()
_shared: _Browser | None = None


def _take() -> _Browser:
    """The browser that all pages of this process share; the first one starts it."""
    global _shared  # noqa: PLW0603 - one browser a process is the point
    with _lock:
        if _shared is None or not _shared.is_alive:
            _shared = _Browser()
        _shared.users += 1
        return _shared


def _give_back(browser: _Browser) -> None:
    """The last one stops the browser."""
    global _shared  # noqa: PLW0603 - as above
    with _lock:
        browser.users -= 1
        if browser.users:
            return
        if _shared is browser:
            _shared = None
        browser.stop()


@cache
def find_gpu() -> Gpu | None:
    """The GPU that the browser has, asked once a process; None without one. Raises `EngineError` where the browser does not start."""
    browser = _take()
    address = browser.server.publish({"session.js": HERE / "session.js", "session.html": _HTML})

    async def ask() -> Any:
        page = await browser.new_page()
        try:
            await page.goto(f"{address}session.html", timeout=_TIMEOUT_MS)
            return await page.evaluate("() => findGpu()")
        finally:
            await page.context.close()

    try:
        return msgspec.convert(browser.call(ask()), Gpu | None)
    finally:
        browser.server.withdraw(address)
        _give_back(browser)


class Page(WebModel):
    """A model open in a page; on the ``gpu`` through WebGPU.

    Raises:
        EngineError: the browser does not start.
        WebError: the engine refused the model.
    """

    def __init__(self, engine: WebEngine, model: Path, *, threads: int, device: str = "cpu") -> None:
        files = engine.installed_files() | {"session.js": HERE / "session.js", "model": model}
        self._browser = _take()
        self._page: Any = None
        self._address = self._browser.server.publish(files | {"session.html": _HTML})
        try:
            self._page = self._wait(self._browser.new_page())
            self._wait(self._page.goto(f"{self._address}session.html", timeout=_TIMEOUT_MS))
            super().__init__("model", threads, device)
        except BaseException:
            self.close()
            raise
        self.detail = f"Chromium {self._browser.version}, {self._where(device)}"

    def _where(self, device: str) -> str:
        if device != "gpu" or (gpu := find_gpu()) is None:
            return "WebAssembly with SIMD"
        return f"WebGPU on {gpu}; {self.placement}"

    def close(self) -> None:
        """Close the page; the last one closes the browser."""
        with contextlib.suppress(WebError):
            if self._page is not None:
                self._wait(self._page.context.close())
        self._browser.server.withdraw(self._address)
        _give_back(self._browser)

    def _call(self, function: str, *arguments: object) -> Any:
        return self._wait(self._page.evaluate(f"(given) => {function}(...given)", list(arguments)))

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            return self._browser.call(work)
        except Exception as error:
            raise WebError(_first_line(error)) from error


def _first_line(error: Exception) -> str:
    """A script's own words: Playwright puts its call before them and the script's lines after them."""
    line = next(iter(str(error).strip().splitlines()), type(error).__name__)
    return line.removeprefix("Page.evaluate: ").removeprefix("BrowserType.launch: ").removeprefix("Error: ")
