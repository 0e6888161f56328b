"""The inspector page of a sandbox in a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interactor_ext.sandbox import Sandbox
from tests.support.browser import eventually

if TYPE_CHECKING:
    from selenium.webdriver.chrome.webdriver import WebDriver


class Page:
    """The page in a browser. `shows` and the actions wait for their element."""

    def __init__(self, browser: WebDriver, origin: str) -> None:
        self.browser = browser
        self.origin = origin

    def open(self, section: str) -> None:
        self.browser.get("about:blank")
        self.browser.get(f"{self.origin}/_sandbox#{section}")

    def text(self, selector: str) -> str:
        # SVG has no innerText.
        script = "const node = document.querySelector(arguments[0]); return node?.innerText ?? node?.textContent ?? ''"
        return str(self.browser.execute_script(script, selector))

    def shows(self, selector: str, text: str) -> None:
        eventually(self.browser, lambda: text in self.text(selector))

    def click(self, xpath: str) -> None:
        def clicked() -> bool:
            self.browser.find_element("xpath", xpath).click()
            return True

        eventually(self.browser, clicked)

    def press(self, button: str) -> None:
        self.click(
            f"//main/section[not(@hidden)]//button[normalize-space()='{button}'] | //main/p//button[.='{button}']"
        )

    def write(self, selector: str, text: str) -> None:
        eventually(self.browser, lambda: self.browser.find_element("css selector", selector).is_displayed())
        self.browser.find_element("css selector", selector).send_keys(text)


def origin(sandbox: Sandbox) -> str:
    return sandbox.core_api_url.removesuffix("/api/v1")
