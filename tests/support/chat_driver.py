"""Reads and drives a chat on a page in a browser, with the keyboard only."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tests.support.browser import eventually

if TYPE_CHECKING:
    from selenium.webdriver.chrome.webdriver import WebDriver

# What a user sees of a selector's nodes in the chat.
TEXTS = """
const root = document.querySelector("interactor-chat")?.shadowRoot;
return Array.from(root?.querySelectorAll(arguments[0]) ?? [], (node) => node)
  .filter((node) => node.checkVisibility() && node.innerText.trim() !== "").map((node) => node.innerText.trim());
"""
FOCUSED = """
let node = document.activeElement;
while (node?.shadowRoot?.activeElement) node = node.shadowRoot.activeElement;
const label = node?.labels?.[0]?.innerText ?? node?.getAttribute?.("aria-label") ?? node?.innerText ?? "";
return label.trim();
"""
MESSAGES = ".log .message:not([part~=streaming]) .bubble"
# What a browser writes on its console when a server can't be reached.
LOST = "net::ERR_"


class Words:
    """Holds back a sandbox's replies: the first word comes at once, each of the others when it is released."""

    def __init__(self) -> None:
        self._allowed: float = 0

    def let(self, count: float) -> None:
        self._allowed += count

    def let_all(self) -> None:
        self.let(float("inf"))

    async def sleep(self, seconds: float) -> None:
        while self._allowed < 1:
            await asyncio.sleep(0.002)
        self._allowed -= 1


class Chat:
    def __init__(self, browser: WebDriver) -> None:
        self.browser = browser
        self._tab = browser.current_window_handle

    def show(self) -> None:
        """Bring the tab to the front."""
        self.browser.switch_to.window(self._tab)

    def texts(self, selector: str) -> list[str]:
        found: list[str] = self.browser.execute_script(TEXTS, selector)
        return found

    def run(self, script: str, value: Any = None) -> Any:
        """Run a script that has `chat`, its shadow `root`, and a `value`."""
        names = (
            'const chat = document.querySelector("interactor-chat"), { shadowRoot: root } = chat, [value] = arguments;'
        )
        return self.browser.execute_script(f"{names}\n{script}", value)

    @property
    def messages(self) -> list[str]:
        return self.texts(MESSAGES)

    @property
    def streaming(self) -> str:
        return "".join(self.texts("[part~=streaming] .bubble"))

    @property
    def status(self) -> str:
        return "".join(self.texts("[part=status]"))

    @property
    def focused(self) -> str:
        """The name of the focused element."""
        name: str = self.browser.execute_script(FOCUSED)
        return name

    def shows(self, selector: str, *texts: str) -> None:
        """Wait until exactly these texts are visible."""
        self._wait(lambda: self.texts(selector), list(texts))

    def until(self, holds: Callable[[], bool]) -> None:
        eventually(self.browser, holds)

    def shows_messages(self, *texts: str) -> None:
        self.shows(MESSAGES, *texts)

    def streams(self, text: str) -> None:
        self._wait(lambda: self.streaming, text)

    def tab_to(self, name: str) -> None:
        """Press Tab until an element with this name has the focus."""

        def has_focus() -> bool:
            is_there = self.focused == name
            if not is_there:
                self.press("\ue004")
            return is_there

        self.until(has_focus)

    def press(self, *keys: str) -> None:
        from selenium.webdriver.common.action_chains import ActionChains

        ActionChains(self.browser, duration=0).send_keys(*keys).perform()

    def press_with_shift(self, key: str) -> None:
        from selenium.webdriver.common.action_chains import ActionChains

        ActionChains(self.browser, duration=0).key_down("\ue008").send_keys(key).key_up("\ue008").perform()

    def write(self, text: str) -> None:
        """Type the message and send it."""
        self.tab_to("Message")
        self.press(text, "\ue007")

    def _wait(self, read: Any, wanted: Any) -> None:
        from selenium.common.exceptions import TimeoutException

        try:
            eventually(self.browser, lambda: read() == wanted)
        except TimeoutException:
            assert read() == wanted
            raise
