"""What is wrong with how a page looks in a browser: cut, overlapping, faint or raw text, and numbers that nobody sees.

Used by the tests of every page that the toolkit makes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from toolkit.runtimes.browser.packages import BROWSER_PARTS, chromium, missing, repair
from toolkit.runtimes.browser.page import WITHOUT

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

WIDTHS = (1280, 390)
THEMES = ("light", "dark")
_SCRIPT = Path(__file__).with_suffix(".js")
# The camera is one that Chromium draws, and nobody is asked whether the page may use it.
_ARGUMENTS = [WITHOUT, "--disable-gpu", "--disable-quic", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
_DRIVEN = BROWSER_PARTS[:2]  # what opens a page: the Python package and Chromium, not the engines for pages


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One headless Chromium for all tests of a module; skips them, with the command that brings it, where there is none."""
    if absent := missing(_DRIVEN):
        pytest.skip(f"{absent}; run: {repair(_DRIVEN)}")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=chromium(), args=_ARGUMENTS)
        yield found
        found.close()


def faults_of(page: Page) -> list[str]:
    """What is wrong with an open page, at both widths and in both themes; empty when it is well. Closed details are opened."""
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    script = _SCRIPT.read_text()
    found: list[str] = []
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        height = page.evaluate("document.documentElement.scrollHeight")
        page.set_viewport_size({"width": width, "height": height})  # what lies under a text is asked by its place in the window
        for theme in THEMES:
            page.emulate_media(color_scheme=theme)
            found += [f"{width} {theme}: {fault}" for fault in page.evaluate(script, theme == "dark")]
    return found


def faults_of_file(browser: Browser, file: Path) -> list[str]:
    """What is wrong with the page in a file."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(file.as_uri())
    try:
        return faults_of(page)
    finally:
        context.close()
