"""Messages, workflow instances, tools and static files through the relay."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from interactor_ext import AsyncInteractorClient, ConfigurationError, InteractorClient, ToolSet
from interactor_ext.limits import RateLimiter
from interactor_ext.relay import Relay, Show
from interactor_ext.sandbox import Sandbox
from interactor_ext.webhooks import MemoryEventStore
from tests.support.node import STATIC
from tests.support.relay_server import RelayServer, authorize, text_of
from tests.support.scripted_server import Connection, RawServer
from tests.support.waiting import eventually

pytest_plugins = ["tests.support.sandbox_fixtures", "tests.support.relay_fixtures"]

StartRelay = Callable[..., RelayServer]
NewRoom = Callable[..., str]


def test_history_comes_in_pages_of_documented_fields(
    relay: RelayServer, new_room: NewRoom, backend: InteractorClient
) -> None:
    room = new_room()
    for number in range(3):
        backend.namespace("user_1").messages.send(room, content=f"Message {number}")
    with relay.page() as page:
        answer = page.get(f"/rooms/{room}/messages?page=2&per_page=4&order=asc").json()
    assert answer["meta"] == {"page": 2, "per_page": 4, "total": 6, "total_pages": 2, "has_more": False}
    assert [message["content"] for message in answer["data"]] == ["Message 2", "Bot here. You said: Message 2"]
    assert set(answer["data"][0]) <= {"id", "room_id", "role", "created_at", "content", "tool_calls"}


def test_history_that_a_page_has_already_comes_in_a_small_response(
    relay: RelayServer, new_room: NewRoom, backend: InteractorClient
) -> None:
    room = new_room()
    for number in range(3):
        backend.namespace("user_1").messages.send(room, content=f"Message {number}")
    with relay.page() as page:
        history = page.get(f"/rooms/{room}/messages?order=desc")
        again = page.get(f"/rooms/{room}/messages?order=desc", headers={"if-none-match": history.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["cache-control"] == "no-store"
        messages = history.json()["data"]
        for count, known in ((1, messages[0]["id"]), (3, messages[2]["id"]), (6, "msg_none")):
            assert page.get(f"/rooms/{room}/messages?since={known}").json()["data"] == messages[:count]
        assert page.get(f"/rooms/{room}/messages?since={known}&order=asc").status_code == 422
        page.say(room, "More")
        more = page.get(f"/rooms/{room}/messages?order=desc", headers={"if-none-match": history.headers["etag"]})
    assert more.status_code == 200


def test_history_leaves_out_the_totals_that_the_platform_does_not_say(start_relay: StartRelay) -> None:
    def answer(connection: Connection) -> None:
        connection.head(content_type="application/json")
        connection.send(b'{"data": [], "meta": {"page": 1, "per_page": 20}}')

    with RawServer(answer) as platform, start_relay(client={"core_api_url": platform.url}).page() as page:
        answered = page.get("/rooms/room_1/messages").json()
    assert answered == {"data": [], "meta": {"page": 1, "per_page": 20, "has_more": False}}


def test_idempotency_key_is_passed_on_and_another_body_with_it_gets_409(
    relay: RelayServer, new_room: NewRoom, backend: InteractorClient
) -> None:
    room = new_room()
    key = {"idempotency-key": "page-7"}
    with relay.page() as page:
        first, again, other = (page.say(room, content, **key) for content in ("Hi", "Hi", "Ho"))
        assert page.say(room, "Hi", **{"idempotency-key": "k" * 300}).status_code == 422
    assert first.json() == again.json()
    assert (other.status_code, other.json()["error"]["code"]) == (409, "CONFLICT")
    sent = [message for message in backend.namespace("user_1").messages.list(room) if message.role == "user"]
    assert len(sent) == 1


def test_only_the_content_of_a_message_is_passed_on(relay: RelayServer, new_room: NewRoom, sandbox: Sandbox) -> None:
    room = new_room()
    body = {"content": "Hi", "role": "system", "stream": False, "namespace": "user_2"}
    with relay.page() as page:
        assert page.post(f"/rooms/{room}/messages", json=body).json()["data"]["role"] == "user"
    [sent] = [each for each in sandbox.requests if each.operation == "send_message"]
    assert sent.content == b'{"content":"Hi","stream":true}'


def test_halted_workflow_takes_its_input(relay: RelayServer, new_instance: Callable[[], str]) -> None:
    instance = new_instance()
    with relay.page() as page:
        halted = page.get(f"/workflow-instances/{instance}").json()["data"]
        moved = page.post(f"/workflow-instances/{instance}/input", json={"approved": True})
        ended = page.post(f"/workflow-instances/{instance}/input", json={"approved": True})
    assert (halted["status"], halted["id"]) == ("halted", instance)
    assert "namespace" not in halted
    assert moved.json()["data"]["status"] == "completed"
    assert ended.status_code in {409, 422}


def test_tools_run_in_the_backend_while_the_page_that_has_its_answer_watches(
    start_relay: StartRelay, new_room: NewRoom, backend: InteractorClient
) -> None:
    tools, go_on = ToolSet(), threading.Event()

    @tools.tool
    def get_weather(city: str) -> str:
        """Get weather."""
        assert go_on.wait(60)
        return f"rain in {city}"

    room = new_room(tools=[tool.id for tool in tools.register(backend.namespace("user_1"))])
    with start_relay(tools=tools).page() as page, page.room_events(room) as stream:
        answer = page.say(room, '/tool get_weather {"city": "Oslo"}')
        assert (answer.status_code, answer.json()["data"]["role"]) == (201, "user")
        stream.until("tool_call.start")
        go_on.set()
        stream.until("tool_call.complete")
        events = stream.until("message.complete")
    assert "rain in Oslo" in text_of(events)


def test_message_with_tools_that_the_platform_refuses_is_answered_with_its_status(
    start_relay: StartRelay, sandbox: Sandbox, new_room: NewRoom
) -> None:
    room = new_room()
    sandbox.faults.add("send_message", status=422, message="internal words")
    with start_relay(tools=ToolSet()).page() as page:
        answer = page.say(room, "Hi")
        unknown = page.say("room_none", "Hi")
    assert (answer.status_code, unknown.status_code) == (422, 404)
    assert "internal words" not in answer.text


def test_closing_the_relay_cancels_the_tools_that_run(
    start_relay: StartRelay, sandbox: Sandbox, new_room: NewRoom, backend: InteractorClient
) -> None:
    running, cancelled = threading.Event(), threading.Event()

    async def wait() -> str:
        """Wait."""
        running.set()
        try:
            await asyncio.sleep(600)
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return "late"

    tools = ToolSet()
    tools.tool(wait)
    room = new_room(tools=[tool.id for tool in tools.register(backend.namespace("user_1"))])
    relay = start_relay(tools=tools)
    with relay.page() as page, page.room_events(room):
        page.say(room, "/tool wait")
        assert running.wait(60)
        relay.stop()
    assert cancelled.wait(60)
    eventually(lambda: sandbox.open_streams == 0)


def test_call_taken_over_that_takes_too_long_is_logged(
    start_relay: StartRelay, new_room: NewRoom, backend: InteractorClient, caplog: pytest.LogCaptureFixture
) -> None:
    tools = ToolSet(ledger=MemoryEventStore())

    @tools.tool
    async def wait() -> None:
        """Wait."""
        await asyncio.sleep(600)

    user = backend.namespace("user_1")
    room = new_room(tools=[tool.id for tool in tools.register(user)])
    user.messages.send(room, content="/tool wait")
    eventually(lambda: any(each.tool_calls for each in user.messages.list(room).data))
    with start_relay(tools=tools, answer_timeout=0.2).page() as page, page.room_events(room):
        eventually(lambda: f"Taking over the tool calls of room {room} of the relay failed" in caplog.text)
    assert "APITimeoutError" in caplog.text


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ({"status": 500}, 502, "UPSTREAM_ERROR"),
        ({"status": 401}, 502, "UPSTREAM_ERROR"),
        ({"status": 403}, 404, "NOT_FOUND"),
        ({"status": 410}, 404, "NOT_FOUND"),
        ({"status": 418}, 502, "UPSTREAM_ERROR"),
        ({"status": 429, "retry_after": 7}, 503, "UNAVAILABLE"),
        ({"status": 503, "retry_after": 7}, 503, "UNAVAILABLE"),
        ({"kind": "malformed"}, 502, "UPSTREAM_ERROR"),
        ({"kind": "reset"}, 502, "UPSTREAM_ERROR"),
    ],
)
def test_error_of_the_platform_is_answered_in_fixed_words_and_logged(
    start_relay: StartRelay,
    sandbox: Sandbox,
    new_room: NewRoom,
    caplog: pytest.LogCaptureFixture,
    fault: dict[str, Any],
    status: int,
    code: str,
) -> None:
    room = new_room()
    sandbox.faults.add("list_messages", times=None, message="host 10.0.0.7 is down", **fault)
    with start_relay(client={"max_retries": 0}).page() as page:
        answer = page.get(f"/rooms/{room}/messages")
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert "10.0.0.7" not in answer.text
    if status == 503:
        assert answer.headers["retry-after"] == "7"
    levels = [record.levelname for record in caplog.records if record.name == "interactor.relay"]
    assert levels == {401: ["ERROR"], 403: ["ERROR"], 410: []}.get(fault.get("status", 0), ["WARNING"])


@pytest.mark.parametrize("name", ["interactor-stream.js", "interactor-react.js"])
def test_module_is_served_to_anybody_and_once(relay: RelayServer, sandbox: Sandbox, name: str) -> None:
    with relay.page(None) as page:
        answer = page.get(f"/static/{name}")
        head = page.head(f"/static/{name}")
        again = page.get(f"/static/{name}", headers={"if-none-match": answer.headers["etag"]})
    assert answer.content == (STATIC / name).read_bytes()
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert (head.content, head.headers["content-length"]) == (b"", str(len(answer.content)))
    assert (again.status_code, again.content) == (304, b"")
    assert len(sandbox.requests) == 0


@pytest.mark.parametrize(
    "options",
    [
        *(
            {"allowed_origins": each}
            for each in ("https://app.example", ["*"], ["https://app.example/"], ["app.example"], [None], None)
        ),
        *({"client": each} for each in (None, 5, "https://core.example", AsyncInteractorClient)),
        *({"trust_forwarded_host": each} for each in ("no", 1, None)),
        *({"rate_limiter": each} for each in (0, 60, RateLimiter)),
        {"authorize": "user_1"},
        *({name: each} for name in ("rooms", "instances", "on_message") for each in (["room_1"], [], lambda one: True)),
        {"show": True},
        {"grace": -1},
        {"heartbeat": 0},
        {"answer_timeout": 0},
        *({"max_body": each} for each in (0, float("nan"), "64")),
        {"writes_per_minute": 0},
        *({"reads_per_minute": number} for number in (0, 0.5)),
        {"streams_per_namespace": 0},
        {"tools": 3},
    ],
)
def test_option_out_of_range_raises_configuration_error(sandbox: Sandbox, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        Relay(**{"client": sandbox.async_client(), "authorize": authorize, **options})


async def test_sync_client_of_a_function_is_refused_because_it_would_block_the_event_loop(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    with sandbox.client() as client:
        transport = httpx.ASGITransport(Relay(lambda: client, authorize=lambda _: "user_1"))  # type: ignore[arg-type, return-value]
        async with httpx.AsyncClient(transport=transport, base_url="http://relay") as browser:
            assert (await browser.get("/rooms")).status_code == 500
    assert "A relay needs an AsyncInteractorClient, or a function that returns one" in caplog.text


def test_flag_that_is_no_bool_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="tool_results= must be True or False, not 'no'"):
        Show(tool_results="no")  # type: ignore[arg-type]
