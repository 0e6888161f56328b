"""Faults of the network while a chat awaits an answer, in a real Chromium: the answer comes, or words say why not."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from interactor_ext.sandbox import Sandbox
from tests.support.chaos_proxy import HELD, ChaosProxy
from tests.support.chat_driver import Chat, Words
from tests.support.chat_page import ChatPage
from tests.support.conversations import new_room

if TYPE_CHECKING:
    from selenium.webdriver.chrome.webdriver import WebDriver

pytest_plugins = ["tests.support.sandbox_fixtures", "tests.support.browser_fixtures", "tests.support.chat_fixtures"]
pytestmark = pytest.mark.full  # drives a browser

ENTER = "\ue007"
QUESTION, ANSWER = "Where?", "Bot here. You said: Where?"
STATUS, PROBLEM, FAILURE = "[part=status]", ".problem span", ".failure span"


def refusal(status: str, *headers: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", "Content-Length: 2", "Connection: close", *headers, "", "{}"]).encode()


@dataclass
class Front:
    """A chat behind a proxy that does to its requests what `rules` say, the first whose part is in the request."""

    chat: Chat
    page: ChatPage
    words: Words
    rules: dict[str, Callable[[int], int | bytes | None]] = field(default_factory=dict)

    def allow(self, request: str, number: int) -> int | bytes | None:
        return next((rule(number) for part, rule in self.rules.items() if part in request), None)

    def ask(self) -> None:
        """Up to the first word of the answer."""
        self.chat.write(QUESTION)
        self.chat.streams("Bot")

    def offline(self, is_offline: bool) -> None:
        conditions = {"offline": is_offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
        self.chat.browser.execute_cdp_cmd("Network.enable", {})
        self.chat.browser.execute_cdp_cmd("Network.emulateNetworkConditions", conditions)


Fault = Callable[[Front], Iterator[None]]
FAULTS: dict[str, Callable[[Front], Iterator[None]]] = {}


def fault(function: Fault) -> Fault:
    FAULTS[function.__name__] = function
    return function


@fault
def offline(front: Front) -> Iterator[None]:
    front.chat.shows(STATUS, "Connected")
    front.offline(True)
    front.chat.write(QUESTION)
    front.chat.shows(FAILURE, "Not sent. Can't reach the server.")
    front.offline(False)
    front.chat.tab_to("Try again")
    front.chat.press(ENTER)
    yield


@fault
def stream_refused_with_429(front: Front) -> Iterator[None]:
    front.rules["/stream"] = lambda number: refusal("429 Too Many Requests", "Retry-After: 300")
    front.chat.browser.refresh()
    front.chat.shows(STATUS, "Too many open chats, replies are delayed")
    front.chat.write(QUESTION)
    yield


@fault
def message_refused_with_429(front: Front) -> Iterator[None]:
    front.rules["POST"] = lambda number: refusal("429 Too Many Requests", "Retry-After: 2") if number == 0 else None
    front.chat.write(QUESTION)
    front.chat.shows(PROBLEM, "Too many messages at once. The rest will be sent in 2 s.")
    yield


@fault
def stream_held_back(front: Front) -> Iterator[None]:
    front.rules["/stream"] = lambda number: HELD
    front.chat.browser.refresh()
    front.chat.shows(STATUS, "Connecting")
    front.chat.write(QUESTION)
    yield


@fault
def stream_cut_in_mid_word(front: Front) -> Iterator[None]:
    front.rules["/stream"] = lambda number: 200 if number == 1 else None
    front.chat.browser.refresh()
    front.chat.write(QUESTION)
    front.chat.shows(".message.user .bubble", QUESTION)
    yield


@fault
def signed_out_in_mid_answer(front: Front) -> Iterator[None]:
    front.ask()
    front.chat.press("A draft")
    front.rules["/interactor/rooms"] = lambda number: refusal("401 Unauthorized")
    front.words.let_all()
    front.chat.shows(PROBLEM, "You aren't signed in.")
    front.chat.shows_messages()
    assert front.chat.run("return root.querySelector('textarea').value") == ""
    front.rules.clear()
    front.chat.tab_to("Try again")
    front.chat.press(ENTER)
    yield


@fault
def server_stopped(front: Front) -> Iterator[None]:
    front.ask()
    assert front.page._process is not None
    os.kill(front.page._process.pid, signal.SIGSTOP)
    try:
        # 40 seconds later.
        front.chat.run("const now = Date.now.bind(Date); Date.now = () => now() + 40_000")
        front.chat.until(lambda: front.chat.status.startswith("No response from the server for 4"))
    finally:
        os.kill(front.page._process.pid, signal.SIGCONT)
    yield


@fault
def relay_restarted(front: Front) -> Iterator[None]:
    front.ask()
    front.page.kill()
    front.chat.shows(STATUS, "Connection lost, reconnecting")
    front.page.start()
    yield


@pytest.fixture
def front(browser: WebDriver, page: ChatPage, words: Words, sandbox: Sandbox) -> Iterator[Front]:
    chat = Chat(browser)
    front = Front(chat, page, words)
    with ChaosProxy(page.url, front.allow) as proxy:
        browser.get(f"{proxy.url}/?room={new_room(sandbox)}")
        chat.shows(STATUS, "Connected")
        yield front
        front.offline(False)
        browser.get("about:blank")


@pytest.mark.parametrize("name", FAULTS)
def test_answer_comes_despite_a_fault_which_the_page_puts_into_words(front: Front, name: str) -> None:
    contextmanager(FAULTS[name])(front).__enter__()
    front.words.let_all()
    front.chat.shows_messages(QUESTION, ANSWER)
    front.chat.shows(PROBLEM)
    front.chat.shows("[part~=ask-again]", "Ask again")
