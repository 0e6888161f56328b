"""A headless Chromium for tests of pages, driven by Debian's `chromium-driver`."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import pytest

if TYPE_CHECKING:
    from selenium.webdriver.chrome.webdriver import WebDriver

T = TypeVar("T")

DEADLINE = 60.0
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextmanager
def chromium(*, width: int = 1280, height: int = 900) -> Iterator[WebDriver]:
    """A browser with its own profile. Skips the test if there is none, saying what to install."""
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if browser is None or driver is None:
        pytest.skip("needs Chromium: apt-get install chromium chromium-driver")
    webdriver = pytest.importorskip("selenium.webdriver", reason="needs selenium: pip install selenium")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        options = webdriver.ChromeOptions()
        options.binary_location = browser
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        for flag in (*FLAGS, f"--user-data-dir={profile}", f"--window-size={width},{height}"):
            options.add_argument(flag)
        # Given the path, selenium doesn't look for a driver on the network.
        service = webdriver.ChromeService(executable_path=driver)
        window: WebDriver = webdriver.Chrome(options=options, service=service)
        window.set_script_timeout(300)
        try:
            yield window
        finally:
            window.quit()


def eventually(browser: WebDriver, what: Callable[[], T]) -> T:
    """Return the result of `what` once it is true; elements that vanish in between are looked up again."""
    from selenium.common.exceptions import (
        NoSuchElementException,
        StaleElementReferenceException,
        TimeoutException,
        WebDriverException,
    )
    from selenium.webdriver.support.wait import WebDriverWait

    ignored = (NoSuchElementException, StaleElementReferenceException, WebDriverException)
    wait = WebDriverWait(browser, DEADLINE, poll_frequency=0.02, ignored_exceptions=ignored)
    try:
        found: T = wait.until(lambda _: what())
    except TimeoutException as error:
        state = browser.execute_script("return [location.href, document.visibilityState, document.body?.innerText]")
        error.msg = f"{state}, {browser.get_log('browser')}"
        raise
    return found
