"""What the engines in a browser share as `Runtime`: where their parts come from, and that they live elsewhere."""

from __future__ import annotations

import importlib
from typing import ClassVar

from toolkit.core import Precision, needs

from ..base import Actual, Runtime
from .model import WebModel
from .packages import BROWSER_PARTS, EXTRA, Part, WebEngine, missing, repair


class BrowserRuntime(Runtime):
    """An engine that runs in JavaScript, in a page unless ``in_page`` is False; ``web`` is its npm package, ``parts`` are what it needs."""

    distribution = "playwright"
    module = "playwright"
    extra = EXTRA
    framework = "playwright"
    in_process = False
    for_apps = False
    web: ClassVar[WebEngine]
    parts: ClassVar[tuple[Part, ...]] = BROWSER_PARTS
    in_page: ClassVar[bool] = True

    def missing(self) -> str:
        """Those of ``parts`` that are not here."""
        return missing(self.parts)

    def install_command(self) -> str:
        """The commands for the parts that are missing."""
        return repair(self.parts)

    def version(self) -> str:
        """The npm package's version; empty while a part is missing."""
        return self.web.version if self.is_installed() else ""

    def import_engine(self) -> None:
        """Playwright; the browser starts with the first session."""
        with needs(self.extra):
            importlib.import_module("playwright.async_api")

    def devices(self) -> tuple[str, ...]:
        """The processor, by WebAssembly."""
        return ("cpu",)

    def _actual(self, model: WebModel, device: str = "cpu") -> Actual:
        return Actual(self.name, self.version(), device, Precision.FP32, model.threads, model.detail)
