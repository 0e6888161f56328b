"""Each example starts by the command of its README, and two users chat there in a real Chromium."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.support.browser import chromium, eventually
from tests.support.chat_driver import Chat
from tests.support.npm import npm_package
from tests.support.prism import free_port
from tests.support.waiting import eventually as eventually_here

if TYPE_CHECKING:
    from selenium.webdriver.chrome.webdriver import WebDriver

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"


@contextmanager
def started(example: str) -> Iterator[str]:
    """The URL of the example, which the command of its README has started with this run's Python."""
    if shutil.which("make") is None:
        pytest.skip("needs make")
    command = re.findall(r"^    (make [\w-]+)$", (EXAMPLES / example / "README.md").read_text(), re.MULTILINE)[0]
    environment = f"VENV={sys.prefix}"
    port = free_port()
    # The environment counts as made, whatever the dates of its files.
    with subprocess.Popen(
        [*command.split(), environment, "--old-file", f"{sys.prefix}/.ready"],
        cwd=ROOT,
        env={**os.environ, "PORT": str(port)},
        start_new_session=True,
    ) as process:
        url = f"http://127.0.0.1:{port}/"

        def answers() -> bool:
            assert process.poll() is None
            try:
                return httpx.get(url).status_code == 200
            except httpx.TransportError:
                return False

        try:
            eventually_here(answers)
            yield url
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C does


@pytest.mark.full
@pytest.mark.parametrize("example", ["fastapi_page", "fastapi_react"])
def test_example_starts_by_one_command_and_keeps_its_users_apart(example: str, request: pytest.FixtureRequest) -> None:
    package = EXAMPLES / example / "package.json"
    if package.exists():
        wanted = json.loads(package.read_text())
        versions = {**wanted["dependencies"], **wanted["devDependencies"]}
        npm_package(request, *(f"{name}@{at}" for name, at in versions.items() if not at.startswith("file:")))
    with chromium() as browser, started(example) as url:
        browser.get(url)
        room = signed_in(browser, "Alice")
        Chat(browser).write("Hello")
        Chat(browser).shows_messages("Hello", "Support Bot here. You said: Hello")
        press(browser, "Sign out alice")
        assert signed_in(browser, "Bob") != room
        Chat(browser).shows_messages()
        assert browser.get_log("browser") == []  # nothing that the content security policy refuses
        (session,) = browser.get_cookies()
        assert session["httpOnly"]
        bob = {"Cookie": f"session={session['value']}", "Origin": url.rstrip("/")}
        forged = {**bob, "Cookie": f"session={session['value'][:-1]}"}
        room_of_alice = f"{url}interactor/rooms/{room}"
        assert httpx.get(f"{room_of_alice}/messages", headers=bob).status_code == 404
        assert httpx.get(f"{room_of_alice}/stream", headers=bob).status_code == 404
        said = {"content": "Let me in"}
        assert httpx.post(f"{room_of_alice}/messages", headers=bob, json=said).status_code == 404
        assert httpx.get(f"{room_of_alice}/messages", headers=forged).status_code == 401


def test_react_example_without_npm_says_what_to_install() -> None:
    command = [sys.executable, str(EXAMPLES / "fastapi_react" / "main.py")]
    done = subprocess.run(command, env={**os.environ, "PATH": ""}, capture_output=True, text=True, timeout=300)
    assert done.returncode == 1
    assert "needs npm, which comes with Node.js" in done.stderr


def signed_in(browser: WebDriver, user: str) -> str:
    """Sign in. Returns the id of the user's room, once its chat is connected."""
    press(browser, f"Sign in as {user}")
    Chat(browser).shows("[part=status]", "Connected")
    room = browser.find_element("css selector", "interactor-chat").get_attribute("room")
    assert room
    return room


def press(browser: WebDriver, button: str) -> None:
    xpath = f"//button[normalize-space() = '{button}']"
    eventually(browser, lambda: browser.find_element("xpath", xpath).click() or True)
