"""Settings and environments in which no call can work raise errors of our own, with advice."""

from __future__ import annotations

import _thread
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import certifi
import httpx
import pytest

import interactor_ext._engine.network.resolver as resolver
from interactor_ext import (
    APIConnectionError,
    AsyncInteractorClient,
    ConfigurationError,
    InteractorClient,
    StreamError,
)
from interactor_ext._engine.waiting.threads import DaemonThreads
from interactor_ext.transports import AsyncTransport, Transport
from tests.support.modes import call, sync_and_async
from tests.support.scripted_server import ASSISTANT, Connection, FaultServer, js, send_and, settings_of
from tests.support.waiting import collect_garbage, refuse_threads

SETTINGS = settings_of("http://localhost:9", max_retries=0)
EVENT = b'data: {"type": "message.delta", "content": "x"}\n\n'
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE"])
@pytest.mark.parametrize("content", [None, "no certificate"], ids=["missing", "bad"])
@pytest.mark.parametrize("make", [Transport, AsyncTransport, InteractorClient, AsyncInteractorClient])
def test_unreadable_ca_file_raises_configuration_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str, content: str | None, make: Any
) -> None:
    path = tmp_path / "authorities.pem"
    if content is not None:
        path.write_text(content)
    monkeypatch.setenv(variable, str(path))
    with pytest.raises(ConfigurationError, match=f"{variable}={path}.*Unset the variable"):
        make(**(SETTINGS if "Interactor" in make.__name__ else {}))


@pytest.mark.parametrize("make", [Transport, AsyncTransport, InteractorClient, AsyncInteractorClient])
def test_key_log_that_cannot_be_written_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, make: Any) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", certifi.where())
    for path in (tmp_path, tmp_path / "missing" / "keys.log"):
        monkeypatch.setenv("SSLKEYLOGFILE", str(path))
        with pytest.raises(ConfigurationError, match=f"SSLKEYLOGFILE={path}.*Unset the variable") as caught:
            make(**(SETTINGS if "Interactor" in make.__name__ else {}))
        assert "SSL_CERT_FILE" not in str(caught.value)


def test_unreadable_file_of_an_argument_is_blamed_on_no_variable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", certifi.where())
    for argument in ("cert", "verify"):
        with pytest.raises(ConfigurationError, match=f"{argument}=") as caught:
            Transport(**{argument: str(tmp_path / "client.pem")})
        assert "Unset" not in str(caught.value)


@pytest.mark.parametrize("make", [InteractorClient, AsyncInteractorClient])
@pytest.mark.parametrize("value", [None, 7, b"7"])
def test_last_event_id_that_is_no_string_is_refused(make: Any, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=r'last_event_id must be a string.*or "" to start'):
        make(**SETTINGS).rooms.stream("room", last_event_id=value)


@pytest.mark.parametrize("make", [Transport, AsyncTransport])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("verify", value) for value in (None, "", 0, b"ca.pem", [])),
        *(("cert", value) for value in (0, b"client.pem", [])),
        *((name, value) for name in ("max_connections", "max_streams") for value in (0, 0.5, -1, None, "5")),
        *(("keepalive_expiry", value) for value in (-1, None, "5", float("nan"))),
    ],
)
def test_argument_of_a_transport_that_cannot_work_is_refused(make: Any, name: str, value: Any) -> None:
    """With verify=None, httpx has no TLS context, so a request to an https URL would go out as plain HTTP."""
    with pytest.raises(ConfigurationError, match=f"{name}="):
        make(**{name: value})


@sync_and_async
@pytest.mark.parametrize(
    ("value", "kind"),
    [
        *((value, APIConnectionError) for value in ("a\r\nX-Other: b", "a\r\nb", "a\nb", "a ", b"a\r\nX-Other: b")),
        *(("\ud800", ValueError), (5, TypeError)),
    ],
    ids=ascii,
)
def test_header_that_cannot_be_sent_is_named(server: FaultServer, mode: str, value: Any, kind: type[Exception]) -> None:
    with pytest.raises(kind, match="the header X-Foo "):
        call(mode, settings_of(server.url), lambda client: client._http.get("/things", headers={"X-Foo": value}))
    assert server.calls() == []


OUT_OF_FILES = """
import asyncio, os, resource, sys
from interactor_ext import APIConnectionError, AsyncInteractorClient, InteractorClient

urls = dict.fromkeys(("core_api_url", "account_server_url"), sys.argv[2])
settings = {"client_id": "a", "client_secret": "b", "max_retries": 0, "timeout": 60, **urls}
files = []
resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))

def use_up():
    try:
        while True:
            files.append(open(os.devnull))
    except OSError:
        pass

def sync():
    with InteractorClient(**settings) as client:
        client.assistants.get("asst_1")
        use_up()
        client.assistants.get("asst_1")

async def asynchronous():
    async with AsyncInteractorClient(**settings) as client:
        await client.assistants.get("asst_1")
        await asyncio.sleep(0)  # the loop closes the connection
        use_up()
        await client.assistants.get("asst_1")

try:
    sync() if sys.argv[1] == "sync" else asyncio.run(asynchronous())
except APIConnectionError as error:
    files.clear()
    print(error.sent, error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="this system has no such limit")
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("over", ["sync", "async"])
def test_too_many_open_files_are_named(over: str, host: str) -> None:
    """Also by the first failure of a process, which can't import a module any more."""
    with FaultServer([send_and(js(200, {"data": ASSISTANT}, "Connection: close"))]) as server:
        url = server.url.replace("127.0.0.1", host)
        command = [sys.executable, "-c", OUT_OF_FILES, over, url]
        run = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert run.stdout.startswith("False GET /assistants/{assistant_id}"), run.stdout + run.stderr
    assert "too many open files" in run.stdout
    assert "INTERACTOR_" not in run.stdout


TRIO = """
import trio
from interactor_ext import APIConnectionError, AsyncInteractorClient, ConfigurationError, with_retry
from interactor_ext.limits import RateLimiter

client = AsyncInteractorClient(
    client_id="a", client_secret="b", core_api_url="http://localhost:9/a", account_server_url="http://localhost:9/a"
)

async def enter():
    async with client:
        pass

async def stream():
    async with client.rooms.stream("room"):
        pass

async def iterate():
    async for _ in client.assistants.iterate(prefetch=2):
        pass

async def chat():
    async with client.chat("room", "Hello"):
        pass

@with_retry
async def fail():
    raise APIConnectionError("down")

async def main():
    for use in (
        enter, stream, iterate, chat, fail, lambda: RateLimiter().wait_async([("client", "a")]),
        client.get_access_token, client.aclose,
        lambda: client.assistants.get("a"), lambda: client.wait_for_oauth("flow"),
    ):
        try:
            await use()
        except ConfigurationError as error:
            assert "trio.to_thread.run_sync" in str(error), error
            print("refused")

trio.run(main)
"""


def test_async_client_under_trio_raises_configuration_error() -> None:
    run = subprocess.run([sys.executable, "-W", "error", "-c", TRIO], capture_output=True, text=True, timeout=120)
    assert (run.stdout.split(), run.returncode) == (["refused"] * 10, 0), run.stderr


def test_no_thread_for_the_resolver_raises_configuration_error(monkeypatch: pytest.MonkeyPatch) -> None:
    # The pool of the process may have an idle thread of another test.
    monkeypatch.setattr(resolver, "RESOLVERS", DaemonThreads("interactor-resolver"))
    monkeypatch.setattr(_thread, "start_new_thread", refuse_threads)
    settings = {**SETTINGS, "account_server_url": "http://somewhere.internal/api", "allow_insecure_http": True}
    with (
        InteractorClient(**settings) as client,
        pytest.raises(ConfigurationError, match=r"Couldn't start a thread.*Raise the limit"),
    ):
        client.assistants.get("a")


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        yield running


def test_stream_works_when_the_closer_thread_cannot_start(server: FaultServer, monkeypatch: pytest.MonkeyPatch) -> None:
    from interactor_ext._engine.waiting import closer

    base = f"{server.url}/api/v1"
    server.script = [send_and(HEAD + EVENT, lambda connection: connection.stall())]
    client = InteractorClient(**{**SETTINGS, "core_api_url": base, "account_server_url": base})
    client.get_access_token()
    own = closer._Closer()
    monkeypatch.setattr(closer, "closer", own)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse_threads)
        with client.rooms.stream("room") as stream:
            assert next(stream).content == "x"  # type: ignore[union-attr]
    client.close()


def test_second_thread_reading_a_stream_raises_stream_error(server: FaultServer) -> None:
    base = f"{server.url}/api/v1"
    go_on = threading.Event()

    def then(connection: Connection) -> None:
        go_on.wait(30)
        connection.send(EVENT)
        connection.stall()

    server.script = [send_and(HEAD + EVENT, then)]
    with (
        InteractorClient(**{**SETTINGS, "core_api_url": base, "account_server_url": base}) as client,
        client.rooms.stream("room") as stream,
    ):
        next(stream)
        read: list[Any] = []
        reader = threading.Thread(target=lambda: read.append(next(stream)))
        reader.start()
        while stream._reader_thread != reader.ident:  # type: ignore[attr-defined]
            assert reader.is_alive()
        with pytest.raises(StreamError, match=r"one reader at a time.*queue\.Queue"):
            next(stream)
        go_on.set()
        reader.join(30)
        assert [event.content for event in read] == ["x"]  # the first reader has lost nothing


class Locked(httpx.SyncByteStream):
    """A body that takes a lock to close, and notes which thread closes it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.closed = threading.Event()
        self.closed_by = ""

    def __iter__(self) -> Iterator[bytes]:
        try:
            while True:
                yield EVENT
        finally:
            self.close()

    def close(self) -> None:
        if not self.closed.is_set():
            self.closed_by = threading.current_thread().name
            if self.lock.acquire(timeout=60):
                self.lock.release()
            self.closed.set()


class Streams(httpx.BaseTransport):
    def __init__(self) -> None:
        self.body = Locked()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/oauth/token"):
            return httpx.Response(200, json={"data": {"access_token": "t", "token_type": "Bearer", "expires_in": 900}})
        return httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=self.body)


@pytest.mark.parametrize("how", ["a loop", "a block", "a cycle"])
def test_dropped_stream_is_closed_by_the_closer_thread(how: str) -> None:
    """As the collector may drop it, while this very thread holds the lock that closing takes."""
    transport = Streams()
    client = InteractorClient(**SETTINGS, transport=transport)

    def words() -> Iterator[Any]:
        with client.rooms.stream("room") as stream:
            yield from stream

    held: Any = words() if how == "a block" else iter(client.rooms.stream("room").__enter__())
    next(held)
    if how == "a cycle":
        held = [held]
        held.append(held)
    with transport.body.lock:
        del held
        collect_garbage()
        assert not transport.body.closed.is_set()
    assert transport.body.closed.wait(30)
    assert transport.body.closed_by == "interactor-closer"
