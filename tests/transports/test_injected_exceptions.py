"""Exceptions that another thread injects into one that makes calls, as the time limits of RQ and stopit do: they reach
the caller unchanged, and nothing is sent again.
"""

from __future__ import annotations

import ctypes
import socket
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from interactor_ext import APIConnectionError, CircuitBreaker, InteractorClient, RetryPolicy
from interactor_ext.transports import AsyncTransport, Transport
from tests.support.modes import call, sync_and_async
from tests.support.scripted_server import GOOD_BODY, Action, Connection, FaultServer, Request, fine, http, reply


class Limit(Exception):
    """As RQ's, it has a text of its own."""

    def __init__(self) -> None:
        super().__init__("too long")


class LimitAsTimeout(TimeoutError):
    pass


class LimitAsOSError(OSError):
    pass


LIMITS = [Limit, LimitAsTimeout, LimitAsOSError, TimeoutError]


def inject(limit: type[Exception], thread: int) -> None:
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(limit))


class Injection:
    """What the server does at some point of a call: raises the exception in the thread that makes it."""

    def __init__(self, limit: type[Exception]) -> None:
        self.thread = 0
        self._limit = limit

    def _inject(self) -> None:
        # Under a tracer, as coverage is, Python 3.11 enters no function while an exception waits for another thread.
        sys.settrace(None)
        inject(self._limit, self.thread)

    def before(self, then: Action) -> Action:
        def act(connection: Connection, request: Request) -> bool:
            self._inject()
            return then(connection, request)

        return act

    def within(self, response: bytes) -> Action:
        """Amid the body."""

        def act(connection: Connection, request: Request) -> bool:
            connection.send(response[:-9])
            self._inject()
            connection.send(response[-9:])
            return True

        return act


BUSY = http(503, GOOD_BODY)
PHASES: dict[str, Callable[[Injection], tuple[list[Action], list[Action]]]] = {
    "token": lambda injection: ([fine], [injection.before(fine)]),
    "response": lambda injection: ([injection.before(fine)], [fine]),
    "no response": lambda injection: ([injection.before(lambda connection, request: False)], [fine]),
    "body": lambda injection: ([injection.within(http(200, GOOD_BODY))], [fine]),
    "error's body": lambda injection: ([injection.within(BUSY)], [fine]),
    "retry": lambda injection: ([injection.before(reply(429, retry_after="0")), fine], [fine]),
}


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("phase", PHASES)
def test_injected_exception_reaches_the_caller_unchanged(limit: type[Exception], phase: str) -> None:
    injection = Injection(limit)
    script, token_script = PHASES[phase](injection)
    with FaultServer(script, token_script) as server, ThreadPoolExecutor(1) as threads:
        settings = {
            "client_id": "client_x",
            "client_secret": "s3cret",
            "core_api_url": f"{server.url}/core",
            "account_server_url": f"{server.url}/account",
            "retry_policy": RetryPolicy(jitter=lambda: 0.0),
            "circuit_breaker": CircuitBreaker(failures=1),
        }

        def work() -> None:
            injection.thread = threading.get_ident()
            with InteractorClient(**settings) as client:
                client.assistants.get("a")

        error = threads.submit(work).exception(60)
        assert type(error) is limit, error
        assert len(server.calls()) <= 1


@sync_and_async
def test_exception_on_the_way_to_a_proxy_is_not_its_own_cause(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise Limit

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    transport = (AsyncTransport if mode == "async" else Transport)(proxy="http://proxy.example:3128")
    with pytest.raises(APIConnectionError) as caught:
        call(
            mode,
            {"client_id": "client_x", "client_secret": "s3cret", "transport": transport, "max_retries": 0},
            lambda client: client.assistants.list(),
        )
    chain = [error := caught.value]
    while (error := error.__cause__) is not None and error not in chain:
        chain.append(error)
    assert isinstance(chain[-1], Limit)
