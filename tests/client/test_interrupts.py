"""Exceptions of signal handlers during a call reach the caller unchanged, and nothing is retried."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from interactor_ext import APIConnectionError, CircuitBreaker, InteractorClient, get_client, reset_clients
from interactor_ext.telemetry import RequestEnded
from interactor_ext.webhooks import MemoryEventStore
from tests.support.scripted_server import settings_of, token_answer
from tests.support.telemetry import Recorded
from tests.support.waiting import in_time

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="this system has no such signal")


class SoftTimeLimit(Exception):
    """Like the soft time limit of a task queue."""


def ring(signum: int, frame: object) -> None:
    raise SoftTimeLimit("too long")


def ring_as_a_timeout(signum: int, frame: object) -> None:
    raise TimeoutError("too long")


@pytest.fixture(params=[ring, ring_as_a_timeout], ids=["an Exception", "a TimeoutError"])
def handler(request: pytest.FixtureRequest) -> Iterator[type[Exception]]:
    before = signal.signal(signal.SIGUSR1, request.param)
    yield SoftTimeLimit if request.param is ring else TimeoutError
    signal.signal(signal.SIGUSR1, before)


class Interrupted(httpx.BaseTransport):
    """A transport that is interrupted during a call or a stream; it may wrap the exception in one of its own."""

    def __init__(self, *, translates: bool) -> None:
        self.calls = 0
        self._translates = translates

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/oauth/token"):
            return httpx.Response(200, content=token_answer("t").partition(b"\r\n\r\n")[2])
        self.calls += 1
        if request.url.path.endswith("/stream"):
            return httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=Words(self._interrupt))
        self._interrupt()
        raise AssertionError

    def _interrupt(self) -> None:
        try:
            signal.raise_signal(signal.SIGUSR1)
        except Exception as error:
            if self._translates:
                raise httpx.ReadError("broken") from error
            raise


class Words(httpx.SyncByteStream):
    def __init__(self, interrupt: Any) -> None:
        self._interrupt = interrupt

    def __iter__(self) -> Iterator[bytes]:
        yield b'data: {"type": "message.delta", "content": "x"}\n\n'
        self._interrupt()


SETTINGS = settings_of("http://localhost")


@pytest.mark.parametrize("translates", [False, True])
def test_exception_of_signal_handler_during_a_stream_ends_it_without_reconnect(
    handler: type[Exception], translates: bool
) -> None:
    transport = Interrupted(translates=translates)
    with InteractorClient(**SETTINGS, transport=transport) as client, client.rooms.stream("room") as stream:
        events = iter(stream)
        next(events)
        with pytest.raises(handler, match="too long"):
            next(events)
    assert transport.calls == 1


@pytest.mark.parametrize("translates", [False, True])
def test_exception_of_signal_handler_during_a_call_is_raised_unchanged_and_does_not_open_the_circuit(
    handler: type[Exception], translates: bool
) -> None:
    breaker = CircuitBreaker(failures=1)
    transport = Interrupted(translates=translates)
    with InteractorClient(**SETTINGS, transport=transport, circuit_breaker=breaker) as client:
        for _ in range(2):
            with pytest.raises(handler, match="too long"):
                client.assistants.get("a")
    assert transport.calls == 2


@pytest.mark.usefixtures("handler")
def test_causes_that_form_a_cycle_are_followed_once() -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        error, other = httpx.ConnectError("refused"), ValueError("other")
        error.__cause__, other.__context__ = other, error
        raise error

    settings = {**settings_of("http://127.0.0.1:9"), "transport": httpx.MockTransport(fail), "max_retries": 0}
    with InteractorClient(**settings) as client, pytest.raises(APIConnectionError):
        client.request("GET", "/rooms")


@pytest.mark.parametrize("translates", [False, True])
def test_telemetry_counts_a_call_that_a_signal_handler_ends_as_cancelled(
    handler: type[Exception], translates: bool
) -> None:
    transport, telemetry = Interrupted(translates=translates), Recorded()
    with InteractorClient(**SETTINGS, transport=transport, telemetry=telemetry) as client, pytest.raises(handler):
        client.assistants.get("a")
    assert [event.error for event in telemetry.of(RequestEnded)] == [None, "cancelled"]


EVENTS = MemoryEventStore()


@pytest.mark.full
@pytest.mark.parametrize(
    "call", [lambda: get_client(**SETTINGS), lambda: EVENTS.release("k", "t")], ids=["client", "store"]
)
def test_no_instant_of_an_exception_of_a_signal_handler_leaves_a_lock_taken(call: Callable[[], object]) -> None:
    """Python 3.14 handles signals even after a `with` has taken its lock, before its block begins."""

    def call_until_the_timer_ends() -> None:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0.000_2)
        while True:
            call()

    in_time(call)  # what it imports does not survive interrupts
    before = signal.signal(signal.SIGVTALRM, ring)
    try:
        for _ in range(200):
            with pytest.raises(SoftTimeLimit):
                call_until_the_timer_ends()
    finally:
        signal.signal(signal.SIGVTALRM, before)
    in_time(call)
    reset_clients()
