"""Pytest fixtures of the inspector page: one browser per module, and the page of the test's `sandbox` in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from interactor_ext.sandbox import Sandbox
from tests.support.browser import chromium
from tests.support.inspector_page import Page, origin

if TYPE_CHECKING:
    from selenium.webdriver.chrome.webdriver import WebDriver


@pytest.fixture(scope="module")
def inspector_window() -> Iterator[WebDriver]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def inspector(inspector_window: WebDriver, sandbox: Sandbox) -> Iterator[Page]:
    """The page of a test's sandbox. Fails if the Content-Security-Policy refused anything."""
    window = inspector_window
    page = Page(window, origin(sandbox))
    window.get_log("browser")  # what an earlier test left
    yield page
    assert window.title != "broken in"
    refused = [entry["message"] for entry in window.get_log("browser") if "Content Security Policy" in entry["message"]]
    assert refused == []
