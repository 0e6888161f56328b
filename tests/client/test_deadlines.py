"""Deadlines: what their errors say, that they open no circuit, and slow resolvers, transports and bodies."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from interactor_ext import (
    APIConnectionError,
    APITimeoutError,
    CircuitBreaker,
    ConfigurationError,
    InteractorClient,
    ServerError,
)
from interactor_ext._engine.calls.attempts import Rules
from interactor_ext._engine.calls.circuit_breaker import Permit
from interactor_ext._engine.calls.retrying import RetryingTransport
from interactor_ext.retry import RetryPolicy
from tests.support.modes import call, sync_and_async
from tests.support.scripted_server import FaultServer, error, fine, refusing_url, send_and, settings_of
from tests.support.waiting import with_enough_time


def get(mode: str, url: str, **options: Any) -> Any:
    return call(mode, settings_of(url, **options), lambda client: client.assistants.get("asst_1"))


def silence() -> Any:
    return send_and(b"", lambda connection: connection.stall())


@sync_and_async
def test_deadline_before_timeout_raises_error_that_names_the_deadline(mode: str) -> None:
    def attempt(deadline: float) -> None:
        with FaultServer([silence()]) as server:
            what = r"GET /assistants/\{assistant_id\} had no response when its deadline came\. It may have arrived"
            with pytest.raises(APITimeoutError, match=what) as caught:
                get(mode, server.url, deadline=deadline)
            assert caught.value.sent

    with_enough_time(attempt, 0.2, 5, 25)


@sync_and_async
def test_missed_deadlines_do_not_open_the_circuit(mode: str) -> None:
    breaker = CircuitBreaker(failures=1, cool_down=60)
    with FaultServer([silence()]) as server:
        with pytest.raises(APITimeoutError):
            get(mode, server.url, deadline=0.1, circuit_breaker=breaker)
        assert isinstance(breaker.enter(server.url.removeprefix("http://")), Permit)


@sync_and_async
def test_retry_pause_longer_than_deadline_raises_at_once(mode: str) -> None:
    with FaultServer([error(503, retry_after="30")]) as server:
        started = time.monotonic()
        with pytest.raises(ServerError) as caught:
            get(mode, server.url, deadline=25)
        assert time.monotonic() - started < 20
        assert caught.value.retry_after == 30
        assert len(server.calls()) == 1


@sync_and_async
@pytest.mark.parametrize(("timeout", "most"), [(30, 5), (4, 4)])
def test_connecting_takes_five_seconds_of_the_timeout_at_most(mode: str, timeout: float, most: float) -> None:
    seconds: list[float] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seconds.append(request.extensions["timeout"]["connect"])
        return httpx.Response(503)

    options = settings_of("http://dead.internal", timeout=timeout, max_retries=0, transport=httpx.MockTransport(answer))
    with pytest.raises(ServerError):
        call(mode, options, lambda client: client.get_access_token())
    assert most - 3 < seconds[0] <= most


class Trickling(httpx.BaseTransport):
    """A custom transport that ignores deadlines, and is slow with each chunk of a body."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        class Body(httpx.SyncByteStream):
            def __iter__(self) -> Any:
                while True:
                    time.sleep(0.02)
                    yield b" "

        return httpx.Response(200, stream=Body())


def test_slow_body_over_a_custom_transport_is_cut_between_chunks() -> None:
    client = httpx.Client(transport=RetryingTransport(Trickling(), Rules(RetryPolicy(max_retries=0))), timeout=0.1)
    started = time.monotonic()
    with pytest.raises(httpx.ReadTimeout):
        client.get("http://anywhere.example/")
    assert time.monotonic() - started < 30


def test_request_with_generator_body_is_not_retried() -> None:
    with FaultServer([error(503), fine]) as server:
        client = httpx.Client(transport=RetryingTransport(httpx.HTTPTransport(), Rules(RetryPolicy(base_delay=0.01))))
        body = (part for part in [b"a", b"b"])
        response = client.put(f"{server.url}/api/v1/x", content=body, headers={"content-length": "2"})
        assert response.status_code == 503
        assert len(server.calls()) == 1
        client.close()


def test_request_repeated_with_new_token_keeps_its_timeouts() -> None:
    """As after a 401: the second attempt must not get the remaining time of the first."""
    with FaultServer() as server:
        client = httpx.Client(transport=RetryingTransport(httpx.HTTPTransport(), Rules(RetryPolicy())), timeout=60)
        request = client.build_request("GET", f"{server.url}/api/v1/x")
        timeouts = dict(request.extensions["timeout"])
        for _ in range(2):
            response = client.send(request)
            assert request.extensions["timeout"] == timeouts
            assert 0 < response.elapsed.total_seconds() < 60
        client.close()


@sync_and_async
@pytest.mark.parametrize("fault", [error(503), send_and(b"", lambda connection: connection.reset())])
def test_open_circuit_before_a_retry_raises_the_error_of_the_last_attempt(mode: str, fault: Any) -> None:
    breaker = CircuitBreaker(failures=1, cool_down=60)
    policy = RetryPolicy(base_delay=0.01)
    with FaultServer([fault]) as server:
        with pytest.raises((ServerError, APIConnectionError)) as caught:
            get(mode, server.url, circuit_breaker=breaker, retry_policy=policy)
        assert len(server.calls()) == 1
    assert (caught.value.status == 503) == isinstance(caught.value, ServerError)


def test_httpx_transports_with_unix_socket_or_retries_keep_deadlines(tmp_path: Path) -> None:
    """A Unix socket, and the connection retries of httpcore: both use the deadlines of our network backend."""
    path = str(tmp_path / "s")
    with FaultServer() as server, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    guest, _ = listener.accept()
                    server.serve(guest)

        threading.Thread(target=serve, daemon=True).start()
        with InteractorClient(transport=httpx.HTTPTransport(uds=path), **settings_of("http://local")) as client:
            assert client.assistants.get("asst_1").id == "asst_1"
        listener.shutdown(socket.SHUT_RDWR)
    with refusing_url() as url:
        transport = httpx.HTTPTransport(retries=2)
        with (
            InteractorClient(transport=transport, max_retries=0, **settings_of(url)) as client,
            pytest.raises(APIConnectionError),
        ):
            client.assistants.get("asst_1")


@sync_and_async
def test_unsupported_proxy_of_the_environment_raises_configuration_error(
    mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "gopher://proxy.example")
    with FaultServer() as server, pytest.raises(ConfigurationError, match=r"HTTP_PROXY"):
        get(mode, server.url, max_retries=0)
