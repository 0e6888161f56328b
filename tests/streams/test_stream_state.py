"""StreamState: reconnects, backoff, deadline, duplicates and errors, without a socket, on a fake clock."""

from __future__ import annotations

import json

import pytest

from interactor_ext import APIConnectionError, CircuitOpenError, InteractorError
from interactor_ext._engine.streams.state import GIVE_UP_AFTER, MAX_WAIT, Backoff, End, StreamState
from interactor_ext._interactor.views.http import event_reader
from interactor_ext.retry import RetryPolicy

FULL = RetryPolicy(jitter=lambda: 1.0)
BROKEN = APIConnectionError("broken")


def state(
    *,
    last_event_id: str = "",
    max_reconnects: int | None = None,
    policy: RetryPolicy = FULL,
    deadline: float | None = None,
) -> StreamState:
    return StreamState(
        event_reader("StreamEvent"),
        request="GET /it",
        last_event_id=last_event_id,
        max_reconnects=max_reconnects,
        policy=policy,
        deadline=deadline,
    )


def event(number: int | None = None, **data: object) -> bytes:
    head = b"" if number is None else b"id: %d\n" % number
    return head + b"data: " + json.dumps({"type": "message.delta", "content": "x", **data}).encode() + b"\n\n"


def wait_of(stream: StreamState) -> float:
    assert isinstance(stream.action, Backoff), stream.action
    return stream.action.seconds


def error_of(stream: StreamState) -> InteractorError | None:
    assert isinstance(stream.action, End), stream.action
    return stream.action.error


def reconnect(stream: StreamState, now: float = 0.0) -> None:
    stream.woken()
    stream.connected(now)


def test_backoff_grows_with_failures_and_an_event_resets_it() -> None:
    stream = state()
    stream.connected(0.0)
    waits = []
    for _ in range(4):
        stream.failed(None, 0.0)
        waits.append(wait_of(stream))
        reconnect(stream)
    stream.received(b": a comment\n\n" + event(None, type="heartbeat"), 0.0)
    stream.failed(None, 0.0)
    waits.append(wait_of(stream))
    reconnect(stream)
    stream.received(event(1), 0.0)
    stream.failed(None, 0.0)
    waits.append(wait_of(stream))
    reconnect(stream)
    # A repetition does not count.
    stream.received(event(1), 0.0)
    stream.failed(None, 0.0)
    waits.append(wait_of(stream))
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 1.0, 2.0]


def test_healthy_connection_without_events_resets_the_backoff() -> None:
    stream = state()
    stream.connected(0.0)
    for _ in range(3 * GIVE_UP_AFTER):
        stream.received(b":\n\n", 30.0)
        stream.failed(None, 31.0)
        assert wait_of(stream) == 1.0
        reconnect(stream)


@pytest.mark.parametrize(
    ("retry", "expected"),
    [
        (b"2000", [4.0, 6.0, 10.0, 18.0, 32.0, 32.0]),
        (b"10", [0.02, 0.21, 0.41, 0.81, 1.61, 3.21]),
        (b"0", [0.0, 0.2, 0.4, 0.8, 1.6, 3.2]),
        (b"120000", [150.0] * 6),
        (b"9" * 30, [MAX_WAIT + 30] * 6),
        (b"9" * 10_000, [MAX_WAIT + 30] * 6),
    ],
)
def test_retry_field_is_minimum_and_step_of_the_backoff(retry: bytes, expected: list[float]) -> None:
    stream = state()
    stream.connected(0.0)
    stream.received(b"retry: " + retry + b"\n", 0.0)
    waits = []
    for _ in expected:
        stream.failed(None, 0.0)
        waits.append(wait_of(stream))
        reconnect(stream)
    assert waits == pytest.approx(expected)


def test_open_circuit_is_waited_for() -> None:
    stream = state()
    stream.failed(CircuitOpenError("open", retry_after=15.0), 0.0)
    assert wait_of(stream) == 16.5


def test_deadline_before_the_first_connection_keeps_the_connection_error() -> None:
    stream = state(deadline=0.5)
    stream.failed(BROKEN, 0.0)
    assert error_of(stream) is BROKEN


def test_remembered_event_ids_are_bounded() -> None:
    stream = state()
    stream.connected(0.0)
    many = 30_000
    for start in range(0, many, 1000):
        stream.received(b"".join(event(number) for number in range(start, start + 1000)), 0.0)
        stream.ready.clear()
    for _ in range(2):
        stream.failed(None, 0.0)
        reconnect(stream)
        stream.received(b"".join(event(number) for number in range(many - 8000, many)), 0.0)
        assert len(stream.ready) == 0
    stream.received(event(0), 0.0)
    assert len(stream.ready) == 1


def texts(stream: StreamState) -> str:
    text = "".join(received.payload["content"] for received in stream.ready if received.payload)
    stream.ready.clear()
    return text


def test_events_that_share_an_id_are_not_duplicates() -> None:
    """A server may send the id of a message with each of its deltas, and deltas of several messages in turn."""
    stream = state()
    stream.connected(0.0)
    stream.received(event(1, content="a") + event(1, content="b") + event(2, content="c") + event(1, content="d"), 0.0)
    assert texts(stream) == "abcd"
    for _ in range(2):
        stream.failed(None, 0.0)
        reconnect(stream)
        stream.received(event(1, content="a") + event(1, content="b") + event(2, content="c"), 0.0)
        assert texts(stream) == ""
    stream.received(event(1, content="d") + event(1, content="e") + event(None, content="f"), 0.0)
    assert texts(stream) == "ef"
