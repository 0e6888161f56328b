"""`<interactor-chat>` in a page with styles of its own, on paper, and with forced colors, in a real Chromium."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from interactor_ext.sandbox import Sandbox
from tests.support.chat_driver import Chat, Words
from tests.support.conversations import NAMESPACE, new_room

if TYPE_CHECKING:
    from selenium.webdriver.chrome.webdriver import WebDriver

pytest_plugins = ["tests.support.sandbox_fixtures", "tests.support.browser_fixtures", "tests.support.chat_fixtures"]
pytestmark = pytest.mark.full  # drives a browser

INHERITED = {
    "white-space": "nowrap",
    "text-transform": "uppercase",
    "letter-spacing": "6px",
    "word-spacing": "9px",
    "word-break": "break-all",
    "text-indent": "2em",
    "font-style": "italic",
    "font-variant": "small-caps",
    "font-weight": "900",
    "text-shadow": "0 0 3px red",
    "cursor": "wait",
}
STYLE = """
const [styles] = arguments;
const chat = document.querySelector("interactor-chat");
for (const [name, value] of Object.entries(styles)) document.querySelector("main").style.setProperty(name, value);
const shown = getComputedStyle(chat.shadowRoot.querySelector(".bubble"));
return Object.fromEntries(Object.keys(styles).map((name) => [name, shown.getPropertyValue(name)]));
"""
SIZES = """
const size = (name) => parseFloat(getComputedStyle(root.querySelector(name)).fontSize);
return [".bubble", ".copy", ".code-top .copy", "pre", "#input"].map(size);
"""


@pytest.fixture
def answered(open_chat: Callable[..., Chat], sandbox: Sandbox) -> Chat:
    room = new_room(sandbox)
    chat = open_chat(room=room)
    chat.write("Hi")
    chat.shows_messages("Hi", "Bot here. You said: Hi")
    return chat


def test_chat_inherits_nothing_that_would_change_its_words(answered: Chat, browser: WebDriver) -> None:
    before: dict[str, str] = browser.execute_script(STYLE, dict.fromkeys(INHERITED, ""))
    assert browser.execute_script(STYLE, INHERITED) == before


def test_text_is_as_large_as_that_of_the_page(open_chat: Callable[..., Chat], sandbox: Sandbox) -> None:
    room = new_room(sandbox)
    sandbox.replies.add(say="Code:\n```\ncode\n```")
    chat = open_chat(room=room)
    chat.write("Show it.")
    chat.shows(".code-block pre", "code")
    sizes = chat.run(SIZES)
    chat.run('document.documentElement.style.fontSize = "62.5%"; document.body.style.fontSize = "1.6rem"')
    assert chat.run(SIZES) == sizes
    assert min(sizes) >= 13


def test_whole_conversation_is_printed(open_chat: Callable[..., Chat], sandbox: Sandbox, browser: WebDriver) -> None:
    room = new_room(sandbox)
    with sandbox.client(namespace=NAMESPACE) as user:
        for number in range(12):
            user.messages.send(room, content=f"Question {number}")
    chat = open_chat(room=room)
    chat.until(lambda: len(chat.messages) == 24)
    media: Any = {"media": "print", "features": [{"name": "prefers-color-scheme", "value": "dark"}]}
    try:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
        hidden = "const { scrollHeight, clientHeight } = root.querySelector(value); return scrollHeight - clientHeight"
        assert chat.run(hidden, ".scroller") == 0
        assert chat.run("return chat.getBoundingClientRect().height > innerHeight")
        assert chat.texts(".composer, .bottom, .foot button") == []
        assert chat.run("return getComputedStyle(chat).color") == "rgb(27, 31, 39)"
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})


def test_marks_without_words_are_seen_with_forced_colors(
    open_chat: Callable[..., Chat], sandbox: Sandbox, words: Words, browser: WebDriver
) -> None:
    color = """
        const canvas = document.createElement("div");
        canvas.style.backgroundColor = "Canvas";
        document.body.append(canvas);
        const shown = [root.querySelector(value[0]), canvas].map((node, index) =>
          getComputedStyle(node, index ? null : value[1]).backgroundColor);
        canvas.remove();
        return shown[0] !== shown[1];
    """
    chat = open_chat(room=new_room(sandbox))
    forced: Any = {"features": [{"name": "forced-colors", "value": "active"}]}
    try:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", forced)
        assert chat.run(color, [".status", "::before"])
        chat.write("Hi")
        words.let(1)
        chat.streams("Bot here.")
        assert chat.run(color, [".dots i", None])
        assert chat.run(color, [".caret", "::after"])
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
