"""A UI that is built on `useChat` of the AI SDK, over the relay, in a real Chromium; the UI comes from npm."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from interactor_ext.sandbox import Sandbox
from tests.support.browser import eventually
from tests.support.chat_driver import Chat, Words
from tests.support.conversations import new_room
from tests.support.node import STATIC
from tests.support.npm import npm_package
from tests.support.react_bundles import ESBUILD

if TYPE_CHECKING:
    from selenium.webdriver.chrome.webdriver import WebDriver

pytest_plugins = ["tests.support.sandbox_fixtures", "tests.support.browser_fixtures", "tests.support.chat_fixtures"]
pytestmark = pytest.mark.full  # drives a browser

PAGE = Path(__file__).with_name("pages") / "assistant_ui.jsx"
PACKAGES = (
    "@ai-sdk/react@4.0.177",
    "@assistant-ui/react@0.15.22",
    "@assistant-ui/react-ai-sdk@1.4.12",
    "ai@7.0.173",
    "react@19.3.1",
    "react-dom@19.3.1",
)
# The dot is the UI's, while an answer is being written.
SHOWN = (
    "return Array.from(document.querySelectorAll('.message'), (node) => node.innerText.replace('\u25cf', '').trim())"
)
ENTER = "\ue007"


@pytest.fixture
def assistant_ui(request: pytest.FixtureRequest, bundles: Path) -> None:
    esbuild = npm_package(request, ESBUILD) / "node_modules" / ".bin" / "esbuild"
    modules = npm_package(request, *PACKAGES) / "node_modules"
    project = bundles / "assistant-ui"
    shutil.copytree(STATIC, project / "node_modules" / "@interactor" / "browser", dirs_exist_ok=True)
    shutil.copy(PAGE, project)
    options = ["--bundle", "--format=esm", "--jsx=automatic", "--log-level=error", "--minify"]
    command = [esbuild, PAGE.name, f"--outfile={bundles / 'assistant-ui.js'}", *options]
    # There esbuild finds what the page imports.
    subprocess.run(command, cwd=project, env={**os.environ, "NODE_PATH": str(modules)}, check=True, timeout=300)


def test_transport_adds_at_most_3_kb_to_the_session(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    esbuild = npm_package(request, ESBUILD) / "node_modules" / ".bin" / "esbuild"
    options = ["--bundle", "--minify", "--format=esm", "--external:./interactor-chat-session.js"]
    built = subprocess.run([esbuild, STATIC / "interactor-ai-sdk.js", *options], capture_output=True, check=True)
    assert len(gzip.compress(built.stdout)) <= 3_000


@pytest.mark.usefixtures("assistant_ui")
def test_ui_of_the_ai_sdk_shows_answers_tools_and_history(
    open_chat: Callable[..., Chat], sandbox: Sandbox, words: Words, browser: WebDriver, expected: list[str]
) -> None:
    expected.append("TrustedScript")  # a package of the UI tries it once, and goes on without

    def shows(*texts: str) -> None:
        eventually(browser, lambda: browser.execute_script(SHOWN) == list(texts))

    room = new_room(sandbox)
    chat = open_chat("react/assistant-ui", connects=False, room=room)
    eventually(browser, lambda: browser.find_elements("css selector", "textarea"))
    chat.tab_to("Message")
    chat.press("Hello", ENTER)
    words.let(2)
    shows("Hello", "Bot here. You")
    # A page that is opened meanwhile goes on with the answer.
    browser.refresh()
    shows("Hello", "Bot here. You")
    words.let_all()
    shows("Hello", "Bot here. You said: Hello")
    browser.refresh()
    shows("Hello", "Bot here. You said: Hello")
