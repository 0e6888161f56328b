"""interactor-stream.js reads the relay: under Node, and in Chromium from a page of another origin."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from interactor_ext import InteractorClient
from tests.support.browser import eventually
from tests.support.node import STATIC, command_of, lines_of, run_script
from tests.support.ports import free_port
from tests.support.relay_server import RelayServer, cookie_for
from tests.support.scripted_server import Connection, RawServer

if TYPE_CHECKING:
    from selenium.webdriver.chrome.webdriver import WebDriver

pytest_plugins = ["tests.support.sandbox_fixtures", "tests.support.relay_fixtures", "tests.support.browser_fixtures"]

StartRelay = Callable[..., RelayServer]
NewRoom = Callable[..., str]
Emit = Callable[..., None]

SCRIPT = f"""
import {{ InteractorStream }} from "{(STATIC / "interactor-stream.js").as_uri()}";
const [url, cookie] = process.argv.slice(1);
const stream = new InteractorStream({{
    reconnectInterval: 1,
    headers: () => ({{ cookie }}),
    onEvent: (event) => say(event.content ?? event),
    onError: (error) => say(error.status ?? "error"),
    onStatus: (status) => say(`<${{status}}>`),
}});
stream.connect(url);
"""
PAGE = b"""<!doctype html>
<link rel="icon" href="data:,">
<script type="module">
    import { InteractorStream } from "/interactor-stream.js";
    window.seen = [];
    window.read = (url, options) => {
        window.seen = [];
        window.stream?.disconnect();
        window.stream = new InteractorStream({
            reconnectInterval: 1,
            onEvent: (event) => seen.push(event.content),
            onError: (error) => seen.push(error.status ?? "error"),
            ...options,
        });
        stream.connect(url);
    };
</script>
"""


def delta(emit: Emit, room: str, content: str) -> None:
    emit(room, "message.delta", content=content)


@pytest.mark.full  # a relay that closes asks for some seconds
def test_stream_resumes_after_a_restart_of_the_relay_and_repeats_nothing(
    start_relay: StartRelay, new_room: NewRoom, emit: Emit
) -> None:
    room = new_room()
    before = start_relay(port=free_port())
    with lines_of(command_of(SCRIPT, f"{before.url}/rooms/{room}/stream", cookie_for("user_1"))) as next_said:
        assert [next_said(), next_said()] == ["<connecting>", "<open>"]
        for content in ("one", "two"):
            delta(emit, room, content)
            assert next_said() == content
        before.stop()
        delta(emit, room, "three")
        start_relay(port=before.port)
        while (said := next_said()) != "<open>":
            assert said in {"<waiting>", "<connecting>", "error", 503}
        assert next_said() == "three"
        delta(emit, room, "four")
        assert next_said() == "four"


def test_stream_of_a_workflow_instance_is_asked_for_once_after_its_end(
    relay: RelayServer, backend: InteractorClient, new_instance: Callable[[], str]
) -> None:
    instance = new_instance()
    url = f"{relay.url}/workflow-instances/{instance}/stream"
    with lines_of(command_of(SCRIPT, url, cookie_for("user_1"))) as next_said:
        assert next_said() == "<connecting>"
        assert next_said() == "<open>"
        backend.namespace("user_1").workflow_instances.submit_input(instance, body={})
        while (said := next_said()) != "<closed>":
            assert said in ("<waiting>", "<connecting>") or said["type"].startswith("workflow.")
    assert run_script(SCRIPT, url, cookie_for("user_1")) == ["<connecting>", "<closed>"]


@pytest.fixture
def foreign(browser: WebDriver) -> Iterator[str]:
    """The origin of a page that the browser shows, and that has its own copies of the modules."""

    def handle(connection: Connection) -> None:
        name = connection.request.target.removeprefix("/")
        connection.head(content_type="text/javascript" if name else "text/html")
        connection.send((STATIC / name).read_bytes() if name else PAGE)

    with RawServer(handle) as server:
        browser.get(server.url)
        # Cookies know no ports, so the relay gets this one.
        browser.add_cookie(dict(zip(("name", "value"), cookie_for("user_1").split("=", 1), strict=True)))
        yield server.url


@pytest.mark.full
def test_page_of_an_allowed_origin_reads_and_resumes(
    browser: WebDriver, foreign: str, start_relay: StartRelay, new_room: NewRoom, emit: Emit
) -> None:
    def read(**options: Any) -> None:
        url = f"{before.url}/rooms/{room}/stream"
        browser.execute_script("read(...arguments)", url, options)

    def sees(*said: Any) -> bool:
        return [each for each in browser.execute_script("return seen") if each not in ("error", 503)] == list(said)

    room = new_room()
    before = start_relay(port=free_port(), allowed_origins=[foreign])
    read()
    eventually(browser, lambda: sees(401))  # by default, cookies stay with their origin
    read(credentials="include")
    eventually(browser, lambda: browser.execute_script("return stream.isConnected"))
    delta(emit, room, "one")
    eventually(browser, lambda: sees("one"))
    before.stop()
    delta(emit, room, "two")
    start_relay(port=before.port, allowed_origins=[foreign])
    eventually(browser, lambda: browser.execute_script("return stream.streamingContent") == "onetwo")
    assert sees("one", "two")
