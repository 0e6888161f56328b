"""Reconnects of a stream: every event once and in order, sync and async, however the server fails."""

from __future__ import annotations

import functools
import itertools
import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from interactor_ext import (
    APIConnectionError,
    APITimeoutError,
    AuthenticationError,
    GoneError,
    NotFoundError,
    RateLimitError,
    ServerError,
    StreamError,
)
from interactor_ext._engine.streams import state
from interactor_ext.retry import RetryPolicy
from tests.support.modes import sync_and_async
from tests.support.scripted_server import Connection, RawServer, refusing_url, sending
from tests.support.stream_reader import collect, read_from
from tests.support.waiting import with_enough_time

DONE = b'data: {"type":"done"}\n\n'


def delta(number: int, text: str | None = None) -> bytes:
    event = json.dumps({"type": "message.delta", "content": text or f"{number} "})
    return f"id: {number}\ndata: {event}\n\n".encode()


def text_of(count: int) -> str:
    return "".join(f"{number} " for number in range(1, count + 1))


def after(connection: Connection, count: int) -> bytes:
    """What a server that can resume sends: everything after the Last-Event-ID."""
    start = int(connection.last_event_id or b"0") + 1
    return b"".join(delta(number) for number in range(start, count + 1)) + DONE


def how_it_breaks() -> dict[str, Callable[[Connection, bytes], None]]:
    """Ways to send some bytes and disconnect."""

    def ends(connection: Connection, data: bytes) -> None:
        connection.head()
        connection.send(data)

    def is_cut(connection: Connection, data: bytes) -> None:
        connection.head(200, "Transfer-Encoding: chunked")
        if data:
            connection.chunk(data)

    def is_reset(connection: Connection, data: bytes) -> None:
        ends(connection, data)
        connection.reset()

    return {"ends": ends, "is cut": is_cut, "is reset": is_reset}


BREAKS = how_it_breaks()


@sync_and_async
def test_disconnect_at_every_byte_loses_and_repeats_no_event(mode: str) -> None:
    count = 2
    whole = b"".join(delta(number) for number in range(1, count + 1)) + DONE
    offset = 0

    def handler(connection: Connection) -> None:
        is_first = connection.number % 2 == 0
        BREAKS["ends"](connection, whole[:offset] if is_first else after(connection, count))

    with RawServer(handler) as server:
        for offset in range(len(whole)):
            outcome = collect(mode, server.url)
            assert (outcome.error, outcome.text, outcome.reconnects) == (None, text_of(count), 1), offset


@sync_and_async
@pytest.mark.parametrize("breaks", BREAKS.values(), ids=BREAKS)
@pytest.mark.parametrize(("every", "count"), [(61, 50), (250, 200), (4096, 200)])
def test_repeated_disconnects_lose_and_repeat_no_event(
    mode: str, breaks: Callable[[Connection, bytes], None], every: int, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # After so many that brought few events, the pauses would grow to seconds.
    monkeypatch.setattr(state, "_SHORT_CONNECTIONS", 1000)

    def handler(connection: Connection) -> None:
        breaks(connection, after(connection, count)[:every])

    # A reset may discard bytes that had arrived, so that a connection brings nothing.
    outcome = read_from(handler, mode, policy=RetryPolicy(base_delay=0.001))
    assert (outcome.error, outcome.text) == (None, text_of(count))
    assert outcome.reconnects == len(outcome.connections) - 1 >= len(after(outcome.connections[0], count)) // every
    assert outcome.waits == [(number, pytest.approx(0.01, abs=0.05)) for number in range(1, outcome.reconnects + 1)]


@sync_and_async
def test_repeated_events_of_a_server_without_resume_are_dropped(mode: str) -> None:
    bodies = [b"".join(delta(number) for number in range(1, newest + 1)) for newest in (10, 20, 30, 40, 50)]
    outcome = read_from(sending(*bodies[:-1], bodies[-1] + DONE), mode)
    assert (outcome.error, outcome.text) == (None, text_of(50))
    assert [connection.last_event_id for connection in outcome.connections] == [b"", b"10", b"20", b"30", b"40"]


@pytest.mark.parametrize("retry", [b"retry: 0\n\n", b""], ids=["retry 0", "no retry"])
@sync_and_async
def test_server_that_ends_after_each_event_is_not_asked_at_once_again_and_again(mode: str, retry: bytes) -> None:
    """docs/how-to/streams.md: the pauses grow."""
    bodies = [retry + delta(number) for number in range(1, 15)]
    outcome = read_from(sending(*bodies[:-1], bodies[-1] + DONE), mode, policy=RetryPolicy(jitter=lambda: 0.0))
    assert (outcome.error, outcome.text) == (None, text_of(14))
    assert [seconds for _, seconds in outcome.waits] == [0.0] * 10 + [0.1, 0.2, 0.4]


@sync_and_async
def test_events_without_own_ids_are_never_dropped_as_duplicates(mode: str) -> None:
    plain = b'data: {"type":"message.delta","content":"x"}\n\n'
    body = plain * 2 + delta(1, "1") + plain * 2
    outcome = read_from(sending(body, body + DONE), mode)
    # Those after id 1 are the same two as before, and those before any id could be anything.
    assert outcome.text == "xx1xx" + "xx"


@sync_and_async
def test_last_event_id_is_sent_as_utf_8(mode: str) -> None:
    outcome = read_from(sending("id: …é😀\ndata: {}\n\n".encode(), DONE), mode)
    assert (outcome.error, outcome.last_event_id) == (None, "…é😀")
    assert outcome.connections[1].last_event_id == "…é😀".encode()


@sync_and_async
@pytest.mark.parametrize("event_id", [b" padded\t ", b"a\x0bb", b"\x7f", b"\x01", b"\xff"], ids=repr)
def test_id_that_no_header_can_carry_does_not_end_the_stream(mode: str, event_id: bytes) -> None:
    outcome = read_from(sending(b"id: " + event_id + b"\ndata: {}\n\n", DONE), mode)
    assert outcome.error is None
    assert outcome.connections[1].last_event_id in (b"", b"padded", "\ufffd".encode())


@sync_and_async
def test_last_event_id_of_the_caller_is_sent_first(mode: str) -> None:
    outcome = read_from(sending(lambda connection: after(connection, 5)), mode, last_event_id="3")
    assert (outcome.text, outcome.last_event_id) == ("4 5 ", "5")


def test_silence_reconnects_and_a_comment_resets_the_idle_timeout() -> None:
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(comment_and_fall_silent, ("sync", "async")))


def comment_and_fall_silent(mode: str) -> None:
    def attempt(idle_timeout: float) -> None:
        def handler(connection: Connection) -> None:
            connection.head()
            if connection.number == 0:
                connection.send(delta(1))
                for _ in range(4):
                    time.sleep(idle_timeout / 3.6)
                    connection.send(b":\n")
                connection.send(delta(2))
                assert connection.wait_for_client_to_leave()
            else:
                connection.send(after(connection, 3))

        outcome = read_from(handler, mode, idle_timeout=idle_timeout)
        assert (outcome.error, outcome.text, outcome.reconnects) == (None, "1 2 3 ", 1)

    with_enough_time(attempt, 0.4, 4, 16)


def test_missing_response_is_waited_for_no_longer_than_the_timeout() -> None:
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(wait_for_a_response, ("sync", "async")))


def wait_for_a_response(mode: str) -> None:
    def handler(connection: Connection) -> None:
        if connection.number == 0:
            assert connection.wait_for_client_to_leave()
        else:
            connection.head()
            connection.send(DONE)

    def attempt(timeout: float) -> None:
        outcome = read_from(handler, mode, timeout=timeout)
        assert (outcome.error, outcome.reconnects) == (None, 1)

    with_enough_time(attempt, 0.3, 4, 16)


@sync_and_async
def test_retry_field_sets_the_reconnect_wait(mode: str) -> None:
    bodies = [b"retry: 20\n\n" + body for body in (*map(delta, range(5)), DONE)]
    outcome = read_from(sending(*bodies), mode, policy=RetryPolicy())
    assert (outcome.error, len(outcome.waits)) == (None, 5)
    assert all(0.02 <= seconds <= 0.04 for _, seconds in outcome.waits[1:])


@sync_and_async
def test_backoff_grows_while_no_event_comes(mode: str) -> None:
    policy = RetryPolicy(base_delay=0.001, max_delay=0.01, jitter=lambda: 1.0)
    outcome = read_from(sending(*[b""] * 6, DONE), mode, policy=policy)
    assert outcome.waits == [(1, 0.001), (2, 0.002), (3, 0.004), (4, 0.008), (5, 0.01), (6, 0.01)]


FINAL = {401: AuthenticationError, 404: NotFoundError, 410: GoneError}


@sync_and_async
@pytest.mark.parametrize("status", FINAL)
@pytest.mark.parametrize("first", [True, False], ids=["at first", "on a reconnect"])
def test_final_status_ends_the_stream(mode: str, status: int, first: bool) -> None:
    def handler(connection: Connection) -> None:
        if connection.number == 0 and not first:
            connection.head()
            connection.send(delta(1))
        else:
            connection.head(status, content_type="application/json")
            connection.send(b'{"error": {"code": "NO", "message": "not this", "request_id": "req_7"}}')

    outcome = read_from(handler, mode)
    assert type(outcome.error) is FINAL[status]
    assert (outcome.error.code, outcome.error.request_id) == ("NO", "req_7")
    assert len(outcome.connections) == (1 if first else 2)
    assert outcome.text == ("" if first else "1 ")


@sync_and_async
@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 520])
@pytest.mark.parametrize("first", [True, False], ids=["at first", "on a reconnect"])
def test_transient_status_is_retried(mode: str, status: int, first: bool) -> None:
    def handler(connection: Connection) -> None:
        if connection.number == (0 if first else 1):
            connection.head(status, "Retry-After: 0.05", content_type="text/html")
            connection.send(b"<html>come back later</html>")
        else:
            connection.head()
            connection.send(delta(1) if connection.number == 0 else after(connection, 2))

    outcome = read_from(handler, mode)
    assert (outcome.error, outcome.text) == (None, "1 2 ")
    assert 0.05 <= outcome.waits[-1][1] <= 0.055


@sync_and_async
def test_204_ends_the_stream_without_an_error(mode: str) -> None:
    def handler(connection: Connection) -> None:
        if connection.number == 0:
            connection.head()
            connection.send(delta(1))
        else:
            connection.head(204, content_type=None)

    outcome = read_from(handler, mode)
    assert (outcome.error, outcome.text, outcome.reconnects) == (None, "1 ", 1)


@sync_and_async
def test_too_long_retry_after_ends_the_stream_at_once(mode: str) -> None:
    outcome = read_from(sending(b"", status=429, headers=["Retry-After: 3600"]), mode)
    assert isinstance(outcome.error, RateLimitError)
    assert outcome.error.retry_after == 3600
    assert len(outcome.connections) == 1


@sync_and_async
@pytest.mark.parametrize("most", [0, 1, 3])
def test_max_reconnects_ends_a_stream_that_keeps_breaking(mode: str, most: int) -> None:
    outcome = read_from(sending(*map(delta, range(1, most + 2))), mode, max_reconnects=most)
    assert isinstance(outcome.error, StreamError)
    assert "GET /rooms/{room_id}/stream" in str(outcome.error)
    assert len(outcome.connections) == most + 1
    assert (outcome.reconnects, outcome.text) == (most, text_of(most + 1))


@sync_and_async
@pytest.mark.parametrize(("max_reconnects", "attempts"), [(None, 3), (0, 1), (1, 2)])
def test_stream_that_never_opened_raises_the_error_of_its_last_attempt(
    mode: str, max_reconnects: int | None, attempts: int
) -> None:
    policy = RetryPolicy(max_retries=2, base_delay=0.0)
    outcome = read_from(sending(b"", status=503, content_type=None), mode, policy=policy, max_reconnects=max_reconnects)
    assert isinstance(outcome.error, ServerError)
    assert len(outcome.connections) == attempts


@sync_and_async
def test_refused_connection_is_retried_then_raised(mode: str) -> None:
    with refusing_url() as url:
        outcome = collect(mode, url)
    assert isinstance(outcome.error, APIConnectionError)
    assert outcome.reconnects == 3


@sync_and_async
def test_stream_without_events_ends_after_20_reconnects(mode: str) -> None:
    outcome = read_from(sending(delta(1), b""), mode)
    assert isinstance(outcome.error, StreamError)
    assert outcome.reconnects == 20


@sync_and_async
def test_deadline_ends_the_stream_whatever_the_server_does(mode: str) -> None:
    """All kinds of servers at once, as each takes real time."""
    nuisances = ["silence", "comments", "events", "breaks", "503"]
    with ThreadPoolExecutor(len(nuisances)) as threads:
        attempts = [functools.partial(reach_the_deadline, mode, nuisance) for nuisance in nuisances]
        list(threads.map(lambda attempt: with_enough_time(attempt, 1.5, 15), attempts))


def reach_the_deadline(mode: str, nuisance: str, seconds: float) -> None:
    over = threading.Event()

    def handler(connection: Connection) -> None:
        if nuisance == "503" and connection.number:
            connection.head(503, content_type=None)
            return
        connection.head()
        connection.send(delta(connection.number + 1))
        for number in itertools.count(1000):
            if nuisance in ("breaks", "503"):
                return
            if over.wait(0.03):
                return
            if nuisance == "comments":
                connection.send(b":")
            elif nuisance == "events":
                connection.send(delta(number))

    with RawServer(handler) as server:
        started = time.monotonic()
        policy = RetryPolicy(base_delay=seconds / 15, max_delay=seconds / 15, jitter=lambda: 1.0)
        outcome = collect(mode, server.url, deadline=started + seconds, policy=policy)
        took = time.monotonic() - started
        over.set()
    assert isinstance(outcome.error, APITimeoutError), nuisance
    assert outcome.text, nuisance
    # Before its deadline where the next pause would outlast it: after breaks, pauses grow.
    assert seconds * 2 / 3 < took < 60, nuisance
