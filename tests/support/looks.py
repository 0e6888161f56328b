"""Checks how a page looks, with axe-core and for its width: narrow and wide, light, dark and in forced colors.

INTERACTOR_SCREENSHOTS=folder keeps a picture of each.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.support.npm import npm_package

# The problems and their places. A browser tells axe only some of the forced colors, so their contrast isn't checked.
AXE = """
const done = arguments[arguments.length - 1];
const where = ({ nodes }) => nodes.map(({ target, failureSummary }) => `${target} ${failureSummary}`);
const rules = { "color-contrast": { enabled: arguments[0] !== "forced" } };
axe.run({ rules }).then(({ violations }) => done(violations.map((each) => [each.id, where(each)])));
"""
OVERFLOW = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"


class Looks:
    """`folder` is for the pictures of one test, within the variable's folder."""

    def __init__(self, request: pytest.FixtureRequest, folder: str) -> None:
        package = npm_package(request, "axe-core@4.14.1")
        self._axe = (package / "node_modules" / "axe-core" / "axe.min.js").read_text()
        pictures = os.environ.get("INTERACTOR_SCREENSHOTS")
        self._pictures = Path(pictures) / folder if pictures else None

    def check(self, browser: Any, state: str) -> None:
        """Fails if axe-core finds anything, or if the page is wider than the window."""
        for width, height in ((390, 844), (1280, 900)):
            size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width == 390}
            browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
            for scheme in ("light", "dark", "forced"):
                colors, forced = ("dark", "active") if scheme == "forced" else (scheme, "none")
                features = [
                    {"name": "prefers-color-scheme", "value": colors},
                    {"name": "forced-colors", "value": forced},
                ]
                browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
                self._keep(browser, f"{state}-{width}-{scheme}.png")
                # In a region that scrolls, axe only sees the colors of the visible part.
                if not browser.execute_script("return 'axe' in window"):
                    browser.execute_script(self._axe)
                violations = browser.execute_async_script(AXE, scheme)
                assert violations == [], (state, width, scheme, violations)
                assert browser.execute_script(OVERFLOW) == 0, (state, width, scheme)
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})

    def _keep(self, browser: Any, name: str) -> None:
        if self._pictures is not None:
            self._pictures.mkdir(parents=True, exist_ok=True)
            browser.save_screenshot(str(self._pictures / name))
