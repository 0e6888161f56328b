"""What a browser never sees: the token, the client secret, the words of the platform's errors, and, unless the
application names it, what tools and workflows work with.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import httpx

from interactor_ext import InteractorClient, ToolSet
from interactor_ext.sandbox import Sandbox
from tests.support.relay_server import Page, RelayServer

pytest_plugins = ["tests.support.sandbox_fixtures", "tests.support.relay_fixtures"]

WORDS = "The database of host db7.internal refused the query"
# What tools and workflows work with; the assistant's own text is for the user.
ARGUMENT, RESULT, EXCEPTION, SYSTEM, CONTEXT, INPUT = (
    f"internal-{each}" for each in ("argument", "result", "exception", "system", "context", "input")
)
FAULTS: list[dict[str, Any]] = [
    *(
        {"status": status, "code": f"INTERNAL_CODE_{status}"}
        for status in (401, 403, 404, 409, 410, 418, 422, 500, 507)
    ),
    {"status": 429, "retry_after": 1},
    {"status": 503, "retry_after": 1},
    {"kind": "malformed"},
    {"kind": "truncated"},
    {"kind": "reset"},
    {"kind": "reset_after"},
    {"kind": "expired_token"},
]


class Recorder:
    """Every byte that a page receives: heads and bodies."""

    def __init__(self) -> None:
        self.received = b""

    def watch(self, page: Page) -> None:
        page.event_hooks["response"].append(self._head)

    def _head(self, response: httpx.Response) -> None:
        self.received += b"\n".join(name + b": " + value for name, value in response.headers.raw)
        if not response.headers.get("content-type", "").startswith("text/event-stream"):
            self.received += response.read()


def forms_of(secret: str) -> set[bytes]:
    plain = secret.encode()
    return {plain, quote(secret, safe="").encode(), base64.b64encode(plain), base64.urlsafe_b64encode(plain)}


def test_whole_session_with_faults_shows_no_token_no_secret_and_no_word_of_the_platforms_errors(
    sandbox: Sandbox,
    start_relay: Callable[..., RelayServer],
    new_room: Callable[..., str],
    new_instance: Callable[..., str],
    emit: Callable[..., None],
    backend: InteractorClient,
) -> None:
    user, tools = backend.namespace("user_1"), ToolSet()

    @tools.tool
    def get_weather(city: str) -> str:
        """The weather."""
        return RESULT

    room = new_room(tools=[tool.id for tool in tools.register(user)])
    sandbox.replies.add(when="weather", call=("get_weather", {"city": ARGUMENT}), then="Rain in Oslo.")
    user.messages.send(room, content=SYSTEM, role="system")
    user.rooms.update(room, metadata={"customer": CONTEXT, "room_name": "Weather"})
    instance, other = (new_instance(note=CONTEXT, order_id=7) for _ in range(2))
    call = {"id": "tc_1", "tool_id": "tool_1", "status": "failed", "arguments": {"city": ARGUMENT}}
    call["result"] = {"error": {"message": EXCEPTION}}
    message = {"id": "msg_1", "room_id": room, "created_at": "2026-01-01T00:00:00Z", "content": ""}
    recorder = Recorder()
    requests: list[tuple[tuple[str, ...], str, str, Any]] = [
        (("list_messages",), "GET", f"/rooms/{room}/messages", None),
        (("send_message",), "POST", f"/rooms/{room}/messages", {"content": "Hi"}),
        (("list_rooms",), "GET", "/rooms", None),
        (("create_room",), "POST", "/rooms", {"assistant_id": "asst_1"}),
        (("get_room", "update_room"), "PATCH", f"/rooms/{room}", {"name": "Weather"}),
        (("delete_room",), "DELETE", "/rooms/room_1", None),
        (("get_workflow_instance",), "GET", f"/workflow-instances/{instance}", None),
        (("submit_workflow_input",), "POST", f"/workflow-instances/{other}/input", {"a": INPUT}),
    ]
    streams = [
        (("stream_room",), f"/rooms/{room}/stream"),
        (("stream_workflow_instance", "get_workflow"), f"/workflow-instances/{instance}/stream"),
    ]
    relay = start_relay(writes_per_minute=10_000, grace=0, client={"max_retries": 0})
    with relay.page() as page:
        recorder.watch(page)
        for number, fault in enumerate(FAULTS):
            for operations, method, path, body in requests:
                for operation in operations:
                    sandbox.faults.add(operation, message=WORDS, **fault)
                    page.request(method, path, json=body)
            for operations, path in streams:
                for operation in operations:
                    if fault.get("kind") not in ("malformed", "truncated"):
                        sandbox.faults.add(operation, message=WORDS, **fault)
                    with page.events(path) as stream:
                        recorder.received += b"" if stream.status == 200 else stream.response.read()
            sandbox.faults.add("get_tool", message=WORDS, **fault)
            with page.room_events(room) as stream:
                emit(room, "tool_call.start", tool_call={**call, "tool_id": f"tool_{number}"})
                assert stream.next()["tool_call"] == {"id": "tc_1", "tool_id": f"tool_{number}", "status": "failed"}
                recorder.received += stream.received
        assert [each.operation for each in sandbox.faults.snapshot()] == []
        with page.room_events(room) as stream:
            emit(room, "message.delta", content="Hi", request_id="req_7", trace=WORDS)
            emit(room, "tool_call.start", tool_call=call)
            emit(room, "tool_call.complete", tool_call=call)
            emit(room, "message.complete", message={**message, "role": "tool", "content": EXCEPTION})
            emit(room, "message.complete", message={**message, "role": "assistant", "tool_calls": [call]})
            emit(room, "tool_call.progress", tool_call=call)
            emit(room, "error", error={"code": "INTERNAL_CODE", "message": WORDS, "details": [{"message": WORDS}]})
            stream.until("error")
            recorder.received += stream.received
    with start_relay(tools=tools).page() as page:
        recorder.watch(page)
        with page.room_events(room) as stream:
            page.say(room, "How is the weather?")
            stream.until("tool_call.complete")
            stream.until("message.complete")
            recorder.received += stream.received
        with page.events(f"/workflow-instances/{instance}/stream") as stream:
            page.post(f"/workflow-instances/{instance}/input", json={"note": INPUT})
            assert [event["type"] for event in stream][-1] == "done"
            recorder.received += stream.received
        paths = (
            f"/rooms/{room}/messages",
            "/rooms",
            f"/rooms/{room}/messages?page=0",
            f"/workflow-instances/{instance}",
        )
        for path in (*paths, "/static/interactor-stream.js", "/nothing"):
            page.get(path)
        page.patch(f"/rooms/{room}", json={"name": "Oslo"})
    assert user.rooms.get(room).metadata == {"customer": CONTEXT, "room_name": "Oslo"}
    assert user.workflow_instances.get(instance).context == {"note": CONTEXT, "order_id": 7} | {"note": INPUT}
    assert b"Rain in Oslo." in recorder.received
    for words in (ARGUMENT, RESULT, EXCEPTION, SYSTEM, CONTEXT, INPUT):
        assert words.encode() not in recorder.received
    assert b"UPSTREAM_ERROR" in recorder.received
    assert b"The platform reported an error" in recorder.received
    secrets = {sandbox.client_secret, *tokens_of(sandbox)}
    assert len(secrets) > 2
    for secret in secrets:
        for form in forms_of(secret):
            assert form not in recorder.received
    for words in (WORDS, "db7.internal", "INTERNAL_CODE", "req_", sandbox.client_id, "Bearer", "user_1", "x-ratelimit"):
        assert words.encode() not in recorder.received


def tokens_of(sandbox: Sandbox) -> set[str]:
    """Every token that was sent to the platform."""
    return {
        value.decode().removeprefix("Bearer ")
        for request in sandbox.requests
        for name, value in request.raw_headers
        if name == b"authorization"
    }


def test_logs_hold_no_content_and_no_token(
    sandbox: Sandbox,
    start_relay: Callable[..., RelayServer],
    new_room: Callable[..., str],
    emit: Callable[..., None],
    caplog: Any,
) -> None:
    caplog.set_level("DEBUG")
    room = new_room()
    with start_relay(client={"max_retries": 0}).page() as page, page.room_events(room) as stream:
        sandbox.faults.add("send_message", status=500, message=WORDS)
        page.say(room, "my diary")
        emit(room, "error", error=WORDS)
        stream.until("error")
    records = [record for record in caplog.records if record.name == "interactor.relay"]
    assert len(records) == 2
    text = "\n".join(record.getMessage() for record in records)
    assert not [words for words in ("my diary", WORDS, *tokens_of(sandbox)) if words in text]
