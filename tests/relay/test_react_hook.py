"""useInteractorStream in Chromium, with React of the current version and of the one before it, in StrictMode."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.browser import eventually
from tests.support.react_bundles import REACT_VERSIONS, react_bundle
from tests.support.scripted_server import Connection, RawServer

if TYPE_CHECKING:
    from selenium.webdriver.chrome.webdriver import WebDriver

pytest_plugins = ["tests.support.browser_fixtures"]
pytestmark = pytest.mark.full

PAGES = Path(__file__).with_name("pages")
PAGE = (PAGES / "hook.jsx").read_text()
HTML = b"""<!doctype html>
<link rel="icon" href="data:,">
<div id="root"></div>
<script type="module" src="/page.js"></script>
"""


class Server:
    """The page, and a stream that goes on when the test says so."""

    def __init__(self, bundle: bytes) -> None:
        self.goes_on = threading.Event()
        self.streams: list[Connection] = []
        self._bundle = bundle

    def handle(self, connection: Connection) -> None:
        if connection.request.target == "/":
            connection.head(content_type="text/html")
            connection.send(HTML)
        elif connection.request.target == "/page.js":
            connection.head(content_type="text/javascript")
            connection.send(self._bundle)
        else:
            self.streams.append(connection)
            connection.head()
            connection.send(delta("Hel", 1))
            assert self.goes_on.wait(60)
            connection.send(delta("lo", 2))
            assert connection.wait_for_client_to_leave()


def delta(content: str, event_id: int) -> bytes:
    data = json.dumps({"type": "message.delta", "content": content})
    return f"id: {event_id}\ndata: {data}\n\n".encode()


@pytest.mark.parametrize("react", REACT_VERSIONS)
def test_hook_keeps_its_stream_from_render_to_render_and_leaves_it_when_unmounted(
    request: pytest.FixtureRequest, browser: WebDriver, react: str, tmp_path: Path
) -> None:
    react_bundle(request, react, tmp_path, PAGE)
    server = Server((tmp_path / f"{react}.js").read_bytes())

    def shown(key: str) -> Any:
        return json.loads(browser.find_element("tag name", "output").text)[key]

    with RawServer(server.handle) as listening:
        browser.get(listening.url)
        eventually(browser, lambda: shown("streamingContent") == "Hel")
        assert (shown("status"), shown("isConnected")) == ("open", True)
        browser.execute_script("setLabel('second')")
        eventually(browser, lambda: shown("label") == "second")
        server.goes_on.set()
        eventually(browser, lambda: shown("streamingContent") == "Hello")
        assert [event["content"] for event in shown("events")] == ["Hel", "lo"]
        assert browser.execute_script("return seen") == ["first Hel", "second lo"]
        # StrictMode mounts a component twice, so there may have been two, which arrive in any order.
        assert len(server.streams) <= 2
        assert not all(connection.closed_by_client.is_set() for connection in server.streams)
        browser.execute_script("setShown(false)")
        assert all(connection.closed_by_client.wait(60) for connection in server.streams)
        assert [entry for entry in browser.get_log("browser") if entry["level"] != "INFO"] == []
