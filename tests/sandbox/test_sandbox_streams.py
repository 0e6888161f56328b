"""Event streams: ids, resumption, keepalives, ends, and disconnected subscribers."""

from __future__ import annotations

from typing import Any

import pytest

from interactor_ext.sandbox import Sandbox
from tests.support.sandbox_caller import Caller, Listener, listening, problem
from tests.support.waiting import eventually

pytest_plugins = ["tests.support.sandbox_fixtures"]


@pytest.fixture
def room(caller: Caller) -> dict[str, Any]:
    return caller.room()


def say(sandbox: Sandbox, room: dict[str, Any], *words: str) -> None:
    for word in words:
        sandbox.emit(room["id"], {"type": "message.delta", "content": word})


def words(listener: Listener) -> list[str]:
    return [event.get("content", event["type"]) for event in listener.events]


def test_new_subscriber_gets_only_later_events(sandbox: Sandbox, caller: Caller, room: dict[str, Any]) -> None:
    say(sandbox, room, "before")
    with (
        listening(caller, f"/rooms/{room['id']}/stream") as one,
        listening(caller, f"/rooms/{room['id']}/stream") as two,
    ):
        say(sandbox, room, "a", "b", "\u00e9\n")
        for listener in (one, two):
            eventually(lambda listener=listener: len(listener.events) == 3)  # type: ignore[misc]
            assert words(listener) == ["a", "b", "\u00e9\n"]
            assert listener.ids == [1, 2, 3, 4]


def test_stream_response_has_sse_headers(caller: Caller, room: dict[str, Any]) -> None:
    with caller.stream("GET", f"/rooms/{room['id']}/stream") as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["cache-control"] == "no-cache"
        assert response.headers["x-ratelimit-scope"] == "streaming"
        lines = response.iter_lines()
        assert [next(lines), next(lines)] == ["id: 0", ": connected"]


@pytest.mark.parametrize(
    ("last_event_id", "missed"),
    [("", ""), ("3", ""), ("2", "c"), ("0", "abc"), ("7", "abc"), ("seven", "abc"), ("-1", "abc")],
)
def test_last_event_id_resumes_stream(
    sandbox: Sandbox, caller: Caller, room: dict[str, Any], last_event_id: str, missed: str
) -> None:
    say(sandbox, room, "a", "b", "c")
    headers = {b"last-event-id": last_event_id.encode()}
    with listening(caller, f"/rooms/{room['id']}/stream", headers=headers) as stream:
        say(sandbox, room, "d")
        eventually(lambda: "d" in words(stream))
        assert words(stream) == [*missed, "d"]


def test_non_utf8_last_event_id_returns_422(caller: Caller, room: dict[str, Any]) -> None:
    response = caller.get(f"/rooms/{room['id']}/stream", headers={b"last-event-id": b"\xff"})
    problem(response, 422, "VALIDATION_ERROR")


def test_silent_stream_sends_keepalives() -> None:
    with Sandbox(keepalive=0.02).run() as sandbox, Caller(sandbox) as caller:
        room = caller.room()
        with listening(caller, f"/rooms/{room['id']}/stream") as stream:
            stream.until_line(": keepalive")
            assert stream.events == []
            say(sandbox, room, "a")
            stream.until("message.delta")


def test_disconnected_subscriber_is_removed_at_once(sandbox: Sandbox, caller: Caller, room: dict[str, Any]) -> None:
    path = f"/rooms/{room['id']}/stream"
    listeners = [Listener(caller, path) for _ in range(20)]
    assert sandbox.open_streams == 20
    for listener in listeners:
        listener.close()
    eventually(lambda: sandbox.open_streams == 0)
    say(sandbox, room, "a")
    problem(caller.get("/rooms/room_no/stream"), 404, "NOT_FOUND")


def test_workflow_stream_ends_with_done(caller: Caller) -> None:
    path = f"/workflow-instances/{caller.start()['id']}"
    with listening(caller, f"{path}/stream") as stream:
        caller.make(f"{path}/input", answer=1)
        assert [event["type"] for event in stream.end()] == ["workflow.state_changed", "done"]
        assert stream.events[0]["context"] == {"answer": 1}
    with listening(caller, f"{path}/stream", headers={"last-event-id": "1"}) as late:
        assert [event["type"] for event in late.end()] == ["workflow.halted", "workflow.state_changed", "done"]


def test_burst_larger_than_replay_reaches_subscriber() -> None:
    with Sandbox(replay=1).run() as sandbox, Caller(sandbox) as caller:
        room = caller.room()
        with listening(caller, f"/rooms/{room['id']}/stream") as stream:
            caller.make(f"/rooms/{room['id']}/messages", content="1 2 3 4 5 6 7")
            stream.until("message.complete")
            assert stream.ids == list(range(13))


def test_events_beyond_replay_are_forgotten() -> None:
    with Sandbox(replay=2).run() as sandbox, Caller(sandbox) as caller:
        room = caller.room()
        say(sandbox, room, *"abcdefghij")
        with listening(caller, f"/rooms/{room['id']}/stream", headers={"last-event-id": "0"}) as stream:
            say(sandbox, room, "end")
            eventually(lambda: "end" in words(stream))
        assert words(stream) == ["i", "j", "end"]
