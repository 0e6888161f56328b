"""Events of a stream: typed models from any form of event, and documented errors for everything else."""

from __future__ import annotations

import gzip
import json
import pickle
import random
import re
import threading
from typing import Any

import pytest

from interactor_client.models import (
    FailureDetail,
    HaltingPresentation,
    Message,
    MessageComplete,
    MessageDelta,
    StreamErrorEvent,
    ToolCall,
    ToolCallComplete,
    ToolCallStart,
    UnknownEvent,
    WorkflowHalted,
    WorkflowStateChanged,
)
from interactor_ext import InteractorError, ResponseValidationError, StreamError
from interactor_ext.sse import EventTooLargeError, ServerSentEvent
from tests.support.modes import sync_and_async
from tests.support.scripted_server import Connection, RawServer, sending
from tests.support.stream_reader import Outcome, read_from, streaming

DONE = b'data: {"type":"done"}\n\n'
MESSAGE = {
    "id": "msg_1",
    "room_id": "room_1",
    "role": "assistant",
    "content": "Hi",
    "created_at": "2026-01-02T03:04:05Z",
}
TOOL_CALL = {"id": "call_1", "tool_id": "tool_1", "arguments": {"a": 1}, "status": "pending"}


def served(mode: str, stream: bytes, *, raw: bool = False, then: bytes = DONE) -> Outcome:
    return read_from(sending(stream, then), mode, raw=raw)


def sse(data: object, **fields: str) -> bytes:
    lines = [f"{name}: {value}\n" for name, value in fields.items()]
    text = data if isinstance(data, str) else json.dumps(data)
    return "".join([*lines, *[f"data: {line}\n" for line in text.split("\n")], "\n"]).encode()


EVENTS: list[tuple[dict[str, Any], type[Any]]] = [
    ({"type": "message.delta", "content": "Hi"}, MessageDelta),
    ({"type": "message.complete", "message": MESSAGE}, MessageComplete),
    ({"type": "tool_call.start", "tool_call": TOOL_CALL}, ToolCallStart),
    ({"type": "tool_call.complete", "tool_call": TOOL_CALL}, ToolCallComplete),
    ({"type": "workflow.state_changed", "state": "review", "context": {"n": 1}}, WorkflowStateChanged),
    ({"type": "workflow.halted", "presentation": {"type": "form", "config": {}}}, WorkflowHalted),
    ({"type": "room.renamed", "name": "new"}, UnknownEvent),
]


@sync_and_async
def test_event_type_is_read_from_json_or_the_event_field(mode: str) -> None:
    in_the_data = b"".join(sse(data) for data, _ in EVENTS)
    in_the_field = b"".join(
        sse({key: value for key, value in data.items() if key != "type"}, event=data["type"]) for data, _ in EVENTS
    )
    # A field `type` of the event's own is not mistaken for the type of the event.
    in_both = sse({"type": "form", "presentation": {"type": "form", "config": {}}}, event="workflow.halted")
    outcome = served(mode, in_the_data + in_the_field + in_both + DONE)
    assert outcome.error is None
    assert [type(event) for event in outcome.events] == [model for _, model in EVENTS] * 2 + [WorkflowHalted]
    assert outcome.events[: len(EVENTS)] == outcome.events[len(EVENTS) : -1]
    match outcome.events:
        case [
            MessageDelta(content="Hi"),
            MessageComplete(message=Message(id="msg_1")),
            ToolCallStart(tool_call=ToolCall(id="call_1")),
            ToolCallComplete(),
            WorkflowStateChanged(state="review", context={"n": 1}),
            WorkflowHalted(presentation=HaltingPresentation()),
            UnknownEvent(type="room.renamed", additional_properties={"name": "new"}),
            *_,
        ]:
            pass
        case other:
            pytest.fail(f"unexpected: {other}")


@sync_and_async
def test_heartbeats_are_not_returned_and_nothing_follows_done(mode: str) -> None:
    stream = (
        b": connected\n\n"
        + sse({"type": "heartbeat"})
        + sse({}, event="ping")
        + sse("", event="heartbeat")
        + sse({"type": "message.delta", "content": "a"})
        + sse({"type": "ping", "content": "x"})
        + sse("[DONE]", event="done")
        + sse({"type": "message.delta", "content": "b"})
    )
    outcome = served(mode, stream)
    assert (outcome.error, outcome.text, outcome.reconnects) == (None, "a", 0)


@sync_and_async
@pytest.mark.parametrize(
    "data", ["plain words", "", "5", "null", '["a"]', '"text"', "{", '{"a": 1}}', "[" * 100_000, "NaN"]
)
@pytest.mark.parametrize("event", [None, "message.delta", "new.kind"])
def test_data_that_is_no_json_object_is_an_unknown_event(mode: str, data: str, event: str | None) -> None:
    outcome = served(mode, sse(data, **({"event": event} if event else {})) + DONE)
    assert outcome.error is None
    assert outcome.events == [UnknownEvent(type=event or "message", additional_properties={"data": data})]


@sync_and_async
@pytest.mark.parametrize(
    "data", ['{"type": 5}', '{"type": null}', '{"type": ""}', '{"type": ["a"]}', "{}", '{"n": 1%s}' % ("0" * 6000)]
)
def test_type_that_is_no_string_is_an_unknown_event(mode: str, data: str) -> None:
    outcome = served(mode, sse(data) + DONE)
    assert outcome.error is None
    assert [event.type for event in outcome.events] == ["message"]


@sync_and_async
def test_invalid_event_raises_validation_error_and_the_stream_can_go_on(mode: str) -> None:
    outcome = served(
        mode, sse({"type": "message.delta", "content": "a"}) + sse({"type": "message.delta", "content": 5})
    )
    assert isinstance(outcome.error, ResponseValidationError)
    assert (outcome.error.model, outcome.error.field) == ("MessageDelta", "content")
    assert "message.delta" in str(outcome.error)
    assert outcome.text == "a"


@sync_and_async
async def test_iterating_again_after_an_invalid_event_goes_on_over_the_same_connection(mode: str) -> None:
    was_raised = threading.Event()

    def handler(connection: Connection) -> None:
        connection.head()
        connection.send(sse({"type": "message.delta", "content": 5}))
        was_raised.wait(60)
        connection.send(sse({"type": "message.delta", "content": "a"}) + DONE)

    with RawServer(handler) as server:
        async with streaming(mode, server.url) as stream, stream:
            with pytest.raises(ResponseValidationError) as caught:
                [event async for event in stream]
            was_raised.set()
            assert [event.content async for event in stream] == ["a"]
    assert caught.value.item == {"type": "message.delta", "content": 5}
    assert len(server.connections) == 1


@sync_and_async
async def test_iterator_goes_on_after_an_invalid_event(mode: str) -> None:
    with RawServer(sending(sse({"type": "message.delta", "content": 5}) + sse({"type": "message.delta"}))) as server:
        async with streaming(mode, server.url) as stream, stream:
            events = aiter(stream)
            with pytest.raises(ResponseValidationError):
                await anext(events)
            assert (await anext(events)).type == "message.delta"


@sync_and_async
@pytest.mark.parametrize("in_a_loop", [True, False])
async def test_on_invalid_is_told_of_invalid_events_and_the_others_come(mode: str, in_a_loop: bool) -> None:
    told: list[Any] = []

    async def tell(error: ResponseValidationError) -> None:
        told.append(error)

    sent = [{"state": 5}, {"state": "a"}, {}, {"state": "b"}, {"state": None}]
    stream_bytes = b"".join(sse(each, event="workflow.state_changed") for each in sent) + DONE
    options: Any = {"on_invalid": told.append if mode == "sync" else tell}
    with RawServer(sending(stream_bytes)) as server:
        async with streaming(mode, server.url, **options) as stream, stream:
            if in_a_loop:
                states = [event.state async for event in stream]
            else:
                states = [(await anext(stream)).state, (await anext(stream)).state]
                with pytest.raises(StopAsyncIteration):
                    await anext(stream)
    assert states == ["a", "b"]
    assert [error.item["type"] for error in told] == ["workflow.state_changed"] * 3
    assert [(error.model, error.path) for error in told] == [("WorkflowStateChanged", "state")] * 3


@sync_and_async
def test_exception_of_on_invalid_ends_the_iteration(mode: str) -> None:
    def refuse(error: ResponseValidationError) -> None:
        raise error

    outcome = read_from(sending(sse({"type": "message.delta", "content": 5}) + DONE), mode, on_invalid=refuse)
    assert isinstance(outcome.error, ResponseValidationError)


ERRORS: list[tuple[bytes, str | FailureDetail]] = [
    (sse({"type": "error", "error": "model overloaded"}), "model overloaded"),
    (sse({"error": "model overloaded"}, event="error"), "model overloaded"),
    (sse("plain words", event="error"), "plain words"),
    (
        sse({"type": "error", "error": {"code": "OVERLOADED", "message": "too much", "request_id": "req_1"}}),
        FailureDetail(code="OVERLOADED", message="too much", additional_properties={"request_id": "req_1"}),
    ),
    (sse({"type": "error", "code": "X", "message": "flat"}), FailureDetail(code="X", message="flat")),
    (sse({"type": "error"}), FailureDetail()),
    (sse({"type": "error", "error": None}), FailureDetail()),
    (sse({"type": "error", "error": {"code": 500, "message": "too much"}}), FailureDetail(message="too much")),
]


@sync_and_async
@pytest.mark.parametrize(("event", "error"), ERRORS)
def test_error_event_is_an_event_and_the_stream_goes_on(mode: str, event: bytes, error: str | FailureDetail) -> None:
    delta = sse({"type": "message.delta", "content": "a"})
    outcome = served(mode, delta + event + delta + DONE)
    assert (outcome.error, outcome.reconnects, outcome.text) == (None, 0, "aa")
    [reported] = [each for each in outcome.events if not isinstance(each, MessageDelta)]
    assert isinstance(reported, StreamErrorEvent)
    assert reported.error == error


@sync_and_async
def test_raw_returns_events_as_they_were_sent(mode: str) -> None:
    stream = sse("words", event="new.kind", id="7") + sse({"type": "heartbeat"}) + sse({"type": "message.delta"})
    outcome = served(mode, stream + DONE, raw=True)
    assert outcome.events == [
        ServerSentEvent("new.kind", "words", "7"),
        ServerSentEvent("message", '{"type": "message.delta"}', "7"),
    ]
    assert outcome.last_event_id == "7"


@sync_and_async
def test_compressed_stream_is_refused(mode: str) -> None:
    """Once: a server that has nothing more to send would end the next connection with 204."""
    packed, connections = sending(gzip.compress(DONE), headers=["Content-Encoding: gzip"]), []

    def handler(connection: Connection) -> None:
        connections.append(connection)
        packed(connection) if len(connections) == 1 else connection.head(204)

    outcome = read_from(handler, mode)
    assert isinstance(outcome.error, StreamError)
    assert "its encoding is 'gzip', which wasn't requested" in str(outcome.error)
    assert [connection.request.headers["accept-encoding"] for connection in outcome.connections] == [b"identity"]


@sync_and_async
@pytest.mark.parametrize(
    ("content_type", "words"),
    [
        ("text/html", r"is a web page instead of an event stream: .*Check the network"),
        ("application/json; charset=utf-8", "has the content type 'application/json', not 'text/event-stream'"),
    ],
)
def test_other_content_type_raises_stream_error(mode: str, content_type: str, words: str) -> None:
    outcome = read_from(sending(b"<html>", headers=["X-Request-Id: req_3"], content_type=content_type), mode)
    assert len(outcome.connections) == 1
    assert isinstance(outcome.error, StreamError)
    assert re.search(words, str(outcome.error))
    assert (outcome.error.status, outcome.error.request_id) == (200, "req_3")


@sync_and_async
def test_login_page_of_a_proxy_gives_an_error_without_secrets(mode: str) -> None:
    secrets = ["Set-Cookie: session=c00kie", "WWW-Authenticate: Basic s3cret", "X-Request-Id: Bearer abcdef0123456789"]
    error = read_from(sending(b"<html>", headers=[*secrets, "X-Proxy: squid"], content_type="text/html"), mode).error
    assert isinstance(error, StreamError)
    assert error.headers["X-Proxy"] == "squid"
    shown = f"{error.request_id} {error!r} {error} {dict(error.headers)} {pickle.dumps(error)!r}"
    assert [secret for secret in ("c00kie", "s3cret", "abcdef0123456789") if secret in shown] == []


@sync_and_async
@pytest.mark.parametrize("content_type", [None, "text/event-stream; charset=utf-8", "TEXT/Event-Stream"])
def test_content_type_variants_are_accepted(mode: str, content_type: str | None) -> None:
    events = sse({"type": "message.delta", "content": "a"}) + DONE
    assert read_from(sending(events, content_type=content_type), mode).text == "a"


@sync_and_async
def test_too_large_event_raises_stream_error_after_earlier_events(mode: str) -> None:
    too_large = b"data: " + b"x" * 17 * 2**20
    outcome = read_from(sending(sse({"type": "message.delta", "content": "a"}) + too_large), mode)
    assert len(outcome.connections) == 1
    assert isinstance(outcome.error, EventTooLargeError)
    assert outcome.text == "a"


@sync_and_async
@pytest.mark.parametrize("seed", range(40))
def test_any_bytes_of_a_server_raise_documented_errors_only(mode: str, seed: int) -> None:
    chance = random.Random(seed)
    pieces = [
        b"data: ", b"event: ", b"id: ", b"retry: ", b"\n", b"\n\n", b"\r", b":", b"\0", b"\xff", b"{", b"}", b"[", b"5",
        b'{"type": "', b"message.delta", b"error", b"done", b"workflow.halted", b'"}', b'"content": ',
        b'"presentation": ', b"null",
    ]  # fmt: skip
    heads = [
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-encoding: gzip\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 9\r\n\r\n",
        b"HTTP/1.1 999 \r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n",
        b"\xff\xfe\r\n\r\n",
        b"",
    ]  # fmt: skip

    def handler(connection: Connection) -> None:
        connection.send(chance.choice(heads))
        connection.send(b"".join(chance.choices(pieces, k=chance.randrange(200))))

    outcome = read_from(handler, mode, max_reconnects=3, timeout=1.0)
    assert outcome.error is None or isinstance(outcome.error, InteractorError)
