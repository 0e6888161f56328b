"""A plugin with fixtures of a chat in a browser: a page whose replies come word by word when a test releases them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest

from interactor_ext.sandbox import Sandbox
from interactor_ext.sandbox.platform import conversation
from tests.support.chat_driver import Chat, Words
from tests.support.chat_page import ChatPage

if TYPE_CHECKING:
    from selenium.webdriver.chrome.webdriver import WebDriver


@pytest.fixture
def words(monkeypatch: pytest.MonkeyPatch) -> Iterator[Words]:
    words = Words()
    monkeypatch.setattr(conversation, "asyncio", SimpleNamespace(sleep=words.sleep, Lock=asyncio.Lock))
    yield words
    words.let_all()


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bundles")


@pytest.fixture(scope="module")
def page(sandbox_server: Sandbox, bundles: Path) -> Iterator[ChatPage]:
    with ChatPage(sandbox_server.env, bundles) as page:
        yield page


@pytest.fixture
def expected() -> list[str]:
    """Patterns of the complaints that the browser may write to its console."""
    return []


@pytest.fixture
def open_chat(browser: WebDriver, page: ChatPage, expected: list[str]) -> Iterator[Callable[..., Chat]]:
    """Opens a chat in the current tab, and waits until it is connected: it would miss earlier words of an answer.

    At the end, the console must be empty, except for expected messages.
    """

    def open_chat(path: str = "", *, connects: bool = True, **query: str) -> Chat:
        browser.get(f"{page.url}/{path}?{urlencode(query)}")
        chat = Chat(browser)
        if connects and query.keys() & {"room", "instance"}:
            chat.shows("[part=status]", "Connected")
        return chat

    yield open_chat
    said = [entry["message"] for entry in browser.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]
    assert [each for each in said if not any(re.search(pattern, each) for pattern in expected)] == []
