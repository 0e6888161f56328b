"""`<interactor-rooms>` in a real Chromium, next to a chat, by the keyboard alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from interactor_ext.sandbox import Sandbox
from tests.support.browser import eventually
from tests.support.chat_driver import Chat
from tests.support.conversations import NAMESPACE
from tests.support.looks import Looks

if TYPE_CHECKING:
    from selenium.webdriver.chrome.webdriver import WebDriver

pytest_plugins = ["tests.support.sandbox_fixtures", "tests.support.browser_fixtures", "tests.support.chat_fixtures"]

ENTER, ESCAPE, DOWN = "\ue007", "\ue00c", "\ue015"
LISTED = """
const root = document.querySelector("interactor-rooms")?.shadowRoot;
return [...root?.querySelectorAll(arguments[0]) ?? []].filter((node) => node.checkVisibility())
  .map((node) => node.innerText);
"""
# As a screen reader has them: roles, names and states of the list.
TREE = """
const root = document.querySelector("interactor-rooms").shadowRoot;
return [...root.querySelectorAll("nav, button, input")].filter((node) => node.checkVisibility())
  .map((node) => [node.localName, node.ariaLabel ?? node.innerText, node.ariaCurrent]);
"""


@pytest.fixture
def assistant(sandbox: Sandbox) -> str:
    """One with rooms of the names Order 1 to Order 3."""
    with sandbox.client(namespace=NAMESPACE) as user:
        bot = user.assistants.create(name="Bot", model="gpt-4", system_prompt="Be brief.")
        for number in (1, 2, 3):
            user.rooms.create(bot.id, metadata={"room_name": f"Order {number}"})
        return bot.id


@pytest.mark.full
def test_rooms_are_opened_started_renamed_and_searched_by_keyboard(
    open_chat: Callable[..., Chat],
    sandbox: Sandbox,
    assistant: str,
    browser: WebDriver,
    request: pytest.FixtureRequest,
) -> None:
    def shows(*names: str, selector: str = ".open") -> None:
        eventually(browser, lambda: browser.execute_script(LISTED, selector) == list(names))

    def current() -> Any:
        return browser.execute_script(LISTED, ".open[aria-current=true]")

    chat = open_chat("rooms", assistant=assistant)
    shows("Order 3", "Order 2", "Order 1")
    eventually(browser, lambda: current() == ["Order 3"])
    chat.shows("[part=status]", "Connected")

    chat.tab_to("Order 3")
    chat.press(DOWN, DOWN, ENTER)
    assert current() == ["Order 1"]
    chat.write("Where is it?")
    chat.shows_messages("Where is it?", "Bot here. You said: Where is it?")
    Looks(request, "rooms").check(browser, "list")

    browser.execute_script('document.querySelector("interactor-rooms").focus()')
    chat.press_with_shift("\ue004")
    browser.get(browser.current_url)
    shows("Order 3", "Order 2", "Order 1")
    chat.tab_to("Rename Order 2")
    chat.press(ENTER)
    assert chat.focused == "Name"
    chat.press("Order 22", ENTER)
    shows("Order 3", "Order 22", "Order 1")
    assert chat.focused == "Rename Order 22"
    chat.press(ENTER, "Other", ESCAPE)
    shows("Order 3", "Order 22", "Order 1")

    browser.get(browser.current_url)
    shows("Order 3", "Order 22", "Order 1")
    chat.tab_to("Search by name")
    chat.press("er 2")
    shows("Order 22")
    assert browser.execute_script(LISTED, "[role=status]") == ["1 found"]
    chat.press("x")
    shows("No conversation has this name", selector=".empty")

    browser.get(browser.current_url)
    chat.tab_to("New conversation")
    chat.press(ENTER)
    eventually(browser, lambda: chat.focused == "Message")
    [started] = current()
    assert started.startswith("Conversation of ")
    chat.write("Hi")
    chat.shows_messages("Hi", "Bot here. You said: Hi")
    nav, *controls = browser.execute_script(TREE)
    assert nav == ["nav", "Conversations", None]
    assert controls[:4] == [
        ["button", "New conversation", None],
        ["input", "Search by name", None],
        ["button", started, "true"],
        ["button", f"Rename {started}", None],
    ]
    with sandbox.client(namespace=NAMESPACE) as user:
        names = {room.metadata.get("room_name") for room in user.rooms.iterate()}
    assert names == {"Order 1", "Order 22", "Order 3", None}


@pytest.mark.full
def test_chat_has_no_input_until_a_conversation_is_started(
    open_chat: Callable[..., Chat], sandbox: Sandbox, browser: WebDriver
) -> None:
    with sandbox.client(namespace=NAMESPACE) as user:
        bot = user.assistants.create(name="Bot", model="gpt-4", system_prompt="Be brief.")
    chat = open_chat("rooms", assistant=bot.id)
    eventually(browser, lambda: browser.execute_script(LISTED, ".empty") == ["No conversations yet"])
    shown = "return [...root.querySelectorAll('textarea, button, [part=status]')].map((each) => each.checkVisibility())"
    assert {*chat.run(shown)} == {False}
    chat.tab_to("New conversation")
    chat.press(ENTER)
    eventually(browser, lambda: chat.focused == "Message")


@pytest.mark.full
def test_rooms_list_says_what_failed_and_shows_nothing_to_who_is_signed_out(
    open_chat: Callable[..., Chat], sandbox: Sandbox, assistant: str, browser: WebDriver, expected: list[str]
) -> None:
    expected.append("503|401")
    sandbox.faults.add("list_rooms", status=503, times=None)
    open_chat("rooms", assistant=assistant)

    def shows(text: str) -> None:
        eventually(browser, lambda: text in "".join(browser.execute_script(LISTED, "[role=alert]")))

    shows("The service isn't available right now.")
    sandbox.faults.clear()
    retry = 'return document.querySelector("interactor-rooms").shadowRoot.querySelector("[role=alert] button")'
    browser.execute_script(retry).click()
    eventually(browser, lambda: len(browser.execute_script(LISTED, ".open")) == 3)
    browser.execute_script(
        'const body = JSON.stringify({ error: { message: "Sign in first." } });'
        "window.fetch = async () => new Response(body, { status: 401 });"
        'document.querySelector("interactor-rooms").refresh();'
    )
    shows("Sign in first.")
    assert browser.execute_script(LISTED, ".open") == []
