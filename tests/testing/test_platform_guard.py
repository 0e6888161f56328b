"""PlatformGuard: which hosts it refuses, to which clients, and that it restores what it patched."""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import ssl
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from interactor_ext import APIConnectionError, AsyncInteractorClient, InteractorClient
from interactor_ext.testing import PlatformGuard, PlatformRefused
from interactor_ext.testing.guard import HOSTS
from interactor_ext.transports import AsyncTransport
from tests.support.scripted_server import Connection, RawServer

CREDENTIALS = {"client_id": "client_x", "client_secret": "secret_x"}


class LookedUp(Exception):
    """The request reached the resolver."""


class Proxy(RawServer):
    """A proxy that accepts CONNECT, and expects nothing more."""

    def __init__(self) -> None:
        super().__init__(self._accept_tunnel)

    def _accept_tunnel(self, connection: Connection) -> None:
        connection.send(b"HTTP/1.1 200 OK\r\n\r\n")
        assert connection.wait_for_client_to_leave()

    @property
    def seen(self) -> list[str]:
        return [f"{each.request.method} {each.request.target}" for each in self.connections]


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with Proxy() as proxy:
        yield proxy


@pytest.fixture
def own_guard(monkeypatch: pytest.MonkeyPatch) -> Iterator[PlatformGuard]:
    """An active guard in front of a resolver that raises."""

    def look_up(*args: object, **kwargs: object) -> None:
        raise LookedUp

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    guard = PlatformGuard()
    guard.up()
    yield guard
    guard.down()


# This run has the plugin, so the guard is up.
@pytest.mark.parametrize("host", sorted(HOSTS))
def test_platform_host_raises_platform_refused(host: str) -> None:
    for spelling in (host, host.upper(), f"{host}.", host.encode()):
        with pytest.raises(PlatformRefused, match="Mark the test `live`") as refusal:
            socket.getaddrinfo(spelling, 443)
        assert refusal.value.host.lower().rstrip(".") == host
    with ThreadPoolExecutor(1) as thread, pytest.raises(PlatformRefused):
        thread.submit(socket.getaddrinfo, host, 443).result()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", b"127.0.0.1", None])
def test_other_hosts_pass(host: str | bytes | None) -> None:
    assert socket.getaddrinfo(host, 80)


@pytest.mark.parametrize("environment", ["production", "sandbox"])
def test_client_call_to_platform_raises_at_once(environment: str) -> None:
    with (
        InteractorClient(**CREDENTIALS, environment=environment) as client,
        pytest.raises(APIConnectionError, match="belongs to the real platform"),
    ):
        client.assistants.list()


def test_other_http_clients_are_refused() -> None:
    with pytest.raises(PlatformRefused):
        httpx.get("https://core.interactor.com/api/v1/assistants")
    with pytest.raises(PlatformRefused):
        urllib.request.urlopen("https://core.interactor.com/api/v1/assistants")


@pytest.mark.parametrize(
    "way",
    [
        lambda: socket.gethostbyname("core.interactor.com"),
        lambda: socket.gethostbyname_ex("core.interactor.com"),
        lambda: socket.gethostbyaddr("core.interactor.com"),
        lambda: socket.create_connection(("core.interactor.com", 443)),
        lambda: over_a_socket(lambda sock: sock.connect(("core.interactor.com", 443))),
        lambda: over_a_socket(lambda sock: sock.connect_ex(("core.interactor.com", 443))),
    ],
)
def test_every_resolver_function_is_guarded(way: Callable[[], object]) -> None:
    with pytest.raises(PlatformRefused):
        way()


def test_client_reaches_only_the_proxy(proxy: Proxy) -> None:
    with (
        InteractorClient(**CREDENTIALS, transport=httpx.HTTPTransport(proxy=proxy.url), max_retries=0) as client,
        pytest.raises(APIConnectionError, match="belongs to the real platform"),
    ):
        client.assistants.list()
    with pytest.raises(PlatformRefused):
        httpx.get("https://core.interactor.com/api/v1/assistants", proxy=proxy.url)
    assert proxy.seen == ["CONNECT auth.interactor.com:443", "CONNECT core.interactor.com:443"]


async def test_async_client_reaches_only_the_proxy(proxy: Proxy) -> None:
    transport = AsyncTransport(proxy=proxy.url)
    async with AsyncInteractorClient(**CREDENTIALS, transport=transport, max_retries=0) as client:
        with pytest.raises(APIConnectionError, match="belongs to the real platform"):
            await client.assistants.list()
    assert proxy.seen == ["CONNECT auth.interactor.com:443"]


def test_other_clients_do_not_reach_platform_through_proxy(proxy: Proxy) -> None:
    connection = http.client.HTTPSConnection("127.0.0.1", proxy.address[1], timeout=60)
    connection.set_tunnel("core.interactor.com", 443)
    with contextlib.closing(connection), pytest.raises(PlatformRefused):
        connection.request("GET", "/api/v1/assistants")
    assert proxy.seen == ["CONNECT core.interactor.com:443"]


def test_tls_to_platform_is_refused_over_any_socket() -> None:
    context = ssl.create_default_context()
    with pytest.raises(PlatformRefused):
        context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="core.interactor.com")
    with pytest.raises(PlatformRefused):
        context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), False, "core.interactor.com")
    assert context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="example.com")
    assert context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), False, "example.com")


def test_guard_removal_keeps_later_patches(own_guard: PlatformGuard, monkeypatch: pytest.MonkeyPatch) -> None:
    guarded = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: guarded(*args, **kwargs))
    own_guard.down()
    with pytest.raises(LookedUp):
        socket.getaddrinfo("core.interactor.com", 443)
    own_guard.up()
    with pytest.raises(PlatformRefused):
        socket.getaddrinfo("core.interactor.com", 443)
    with pytest.raises(LookedUp):
        socket.getaddrinfo("example.com", 443)
    own_guard.down()


def test_guard_restores_patched_functions(own_guard: PlatformGuard) -> None:
    environment = dict(os.environ)
    own_guard.down()
    before = functions()
    own_guard.up()
    assert all(now is not then for now, then in zip(functions(), before, strict=True))
    own_guard.down()
    assert all(now is then for now, then in zip(functions(), before, strict=True))
    assert dict(os.environ) == environment


def functions() -> list[object]:
    return [
        *(getattr(socket, name) for name in ("getaddrinfo", "gethostbyname", "gethostbyname_ex", "gethostbyaddr")),
        *(getattr(socket.socket, name) for name in ("connect", "connect_ex")),
        *(getattr(ssl.SSLContext, name) for name in ("wrap_socket", "wrap_bio")),
    ]


def over_a_socket(use: Callable[[socket.socket], object]) -> None:
    with socket.socket() as sock:
        use(sock)
