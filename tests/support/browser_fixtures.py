"""A plugin with a fixture of Chromium, one for the whole run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.browser import chromium


@pytest.fixture(scope="session")
def browser_of_run() -> Iterator[Any]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def browser(browser_of_run: Any) -> Iterator[Any]:
    """The browser, with one empty tab, no cookies, and nothing on its console."""
    browser_of_run.execute_cdp_cmd("Network.clearBrowserCookies", {})
    browser_of_run.get_log("browser")
    yield browser_of_run
    first, *others = browser_of_run.window_handles
    for other in others:
        browser_of_run.switch_to.window(other)
        browser_of_run.close()
    browser_of_run.switch_to.window(first)
    browser_of_run.get("about:blank")
