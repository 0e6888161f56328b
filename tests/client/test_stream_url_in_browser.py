"""Stream URLs in Chromium: a page that makes a new EventSource after each error, as a hook of React does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from interactor_ext.sandbox import Sandbox
from tests.support.browser import chromium, eventually
from tests.support.conversations import NAMESPACE, asked, new_room
from tests.support.scripted_server import OddServer, http

pytestmark = pytest.mark.full  # drives a browser

PAGE = b"""<!doctype html><title>events</title>
<script>
let source = null, timer = null, wanted = null, text = "", events = [], errors = 0, isConnected = false;
function leave() { clearTimeout(timer); if (source) source.close(); source = null; wanted = null; isConnected = false; }
function join(url, every) {
  leave();
  wanted = url;
  source = new EventSource(url);
  source.onopen = () => { isConnected = true; text = ""; };
  source.onmessage = (message) => {
    const event = JSON.parse(message.data);
    if (event.type === "message.delta") text += event.content;
    if (event.type === "message.complete") text = "";
    events.push(event);
  };
  source.onerror = () => {
    errors += 1;
    isConnected = false;
    source.close();
    timer = setTimeout(() => { if (wanted) join(wanted, every); }, every);
  };
}
function joinNatively(url) {
  source = new EventSource(url);
  source.onmessage = (message) => events.push(JSON.parse(message.data));
}
</script>"""
MESSAGE = {
    "id": "msg_1",
    "room_id": "room_1",
    "role": "assistant",
    "content": "Hi",
    "created_at": "2026-01-20T10:00:00Z",
}
TOOL_CALL = {"id": "call_1", "tool_id": "tool_1", "arguments": {}, "status": "pending"}
SEVEN: list[dict[str, Any]] = [
    {"type": "message.delta", "content": "H"},
    {"type": "message.delta", "content": "i"},
    {"type": "message.complete", "message": MESSAGE},
    {"type": "tool_call.start", "tool_call": TOOL_CALL},
    {"type": "tool_call.complete", "tool_call": {**TOOL_CALL, "status": "completed"}},
    {"type": "workflow.state_changed", "state": "review", "context": {}},
    {"type": "workflow.halted", "presentation": {"type": "form", "title": "Go on?"}},
    {"type": "error", "error": "It broke."},
]


@pytest.fixture(scope="module")
def page() -> Iterator[tuple[Any, str]]:
    """A browser, and the origin of the page in it."""
    served = OddServer(lambda asked: http(200, PAGE, content_type="text/html"))
    with served, chromium() as browser:
        yield browser, served.url


def types(browser: Any) -> list[str]:
    found: list[str] = browser.execute_script("return events.map((event) => event.type)")
    return found


def statuses(sandbox: Sandbox, operation: str) -> list[int]:
    return [request.status for request in asked(sandbox, operation)]


def test_page_receives_all_seven_event_types_of_a_room(page: tuple[Any, str]) -> None:
    browser, origin = page
    with Sandbox(allow_origins=[origin]).run() as sandbox, sandbox.client(namespace=NAMESPACE) as user:
        room = new_room(sandbox)
        browser.get(origin)
        browser.execute_script("join(arguments[0], 50)", user.room_stream_url(room))
        assert eventually(browser, lambda: browser.execute_script("return isConnected"))
        for event in SEVEN[:2]:
            sandbox.emit(room, event)
        assert eventually(browser, lambda: browser.execute_script("return text") == "Hi")
        for event in SEVEN[2:]:
            sandbox.emit(room, event)
        assert eventually(browser, lambda: len(types(browser)) == len(SEVEN))
        assert browser.execute_script("return events") == SEVEN
        assert len(set(types(browser))) == 7
        assert browser.execute_script("return [text, errors]") == ["", 0]
        assert statuses(sandbox, "stream_room") == [200]
