"""Calls through squid (HTTP, CONNECT, TLS to the proxy), microsocks (SOCKS 5) and mitmproxy (decrypts TLS)."""

from __future__ import annotations

import re
import socket
import ssl
import traceback
from collections.abc import Iterator
from typing import Any, NamedTuple

import httpx
import pytest
import trustme

from interactor_ext import APIConnectionError, InteractorError
from interactor_ext.transports import AsyncTransport, Transport
from tests.support import modes
from tests.support.modes import sync_and_async
from tests.support.ports import needs_ipv6
from tests.support.programs import CREDENTIALS, USER, Proxy, microsocks, mitmproxy, squid
from tests.support.scripted_server import FaultServer, settings_of
from tests.support.waiting import eventually

pytestmark = pytest.mark.full  # starts other servers


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.fixture(scope="module")
def squids(authority: trustme.CA) -> Iterator[dict[str, Proxy]]:
    with squid(authority.issue_cert("127.0.0.1")) as (plain, secured):
        yield {"http": plain, "https": secured}


@pytest.fixture(scope="module")
def socks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Proxy]]:
    with microsocks(tmp_path_factory.mktemp("socks")) as server:
        yield dict.fromkeys(("socks5", "socks5h"), server)


@pytest.fixture(params=["http", "https", "socks5", "socks5h"])
def scheme(request: pytest.FixtureRequest) -> str:
    """Of the proxy."""
    return str(request.param)


@pytest.fixture
def proxy(scheme: str, request: pytest.FixtureRequest) -> Proxy:
    found: Proxy = request.getfixturevalue("socks" if "socks" in scheme else "squids")[scheme]
    return found


class Origin(NamedTuple):
    server: FaultServer
    url: str


@pytest.fixture(
    params=[
        *("http://localhost", "https://localhost"),
        *(pytest.param(f"{scheme}://[::1]", marks=needs_ipv6) for scheme in ("http", "https")),
    ]
)
def origin(request: pytest.FixtureRequest, authority: trustme.CA) -> Iterator[Origin]:
    scheme, _, host = request.param.partition("://")
    context = None
    if scheme == "https":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(host.strip("[]")).configure_cert(context)
    with FaultServer(tls=context, at=("::1" if host == "[::1]" else "127.0.0.1", 0)) as server:
        yield Origin(server, f"{request.param}:{server.address[1]}")


def call(mode: str, url: str, **options: Any) -> str:
    """The id of what a call gives, which asks for a token with a POST and for an assistant with a GET."""
    transport = (Transport if mode == "sync" else AsyncTransport)(**options)
    settings = settings_of(url, max_retries=0, timeout=60, transport=transport)
    found: str = modes.call(mode, settings, lambda client: client.assistants.get("asst_1")).id
    return found


def proxy_at(scheme: str, address: str, credentials: str, trusting: ssl.SSLContext) -> httpx.Proxy | str:
    if not credentials:
        return f"{scheme}://{address}"  # `verify` is for its certificate, too
    return httpx.Proxy(f"{scheme}://{credentials}{address}", ssl_context=trusting if scheme == "https" else None)


@sync_and_async
@pytest.mark.parametrize("credentials", ["", CREDENTIALS], ids=["open", "with credentials"])
def test_call_arrives_through_the_proxy(
    mode: str,
    credentials: str,
    scheme: str,
    proxy: Proxy,
    origin: Origin,
    trusting: ssl.SSLContext,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked_up: list[Any] = []
    look_up = socket.getaddrinfo

    def noting(host: Any, *args: Any, **options: Any) -> Any:
        looked_up.append(host)
        return look_up(host, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", noting)
    given = proxy_at(scheme, proxy.closed if credentials else proxy.open, credentials, trusting)
    assert call(mode, origin.url, proxy=given, verify=trusting) == "asst_1"
    asked_for = f":{origin.server.address[1]}"
    eventually(lambda: asked_for in proxy.log(), "the proxy has been asked for the server")
    assert scheme == "socks5" or "localhost" not in looked_up  # the proxy looks it up


@sync_and_async
@pytest.mark.parametrize("credentials", ["", f"{USER}:wr0ng@"], ids=["none", "wrong"])
def test_proxy_that_refuses_credentials_is_named(
    mode: str, credentials: str, scheme: str, proxy: Proxy, origin: Origin, trusting: ssl.SSLContext
) -> None:
    given = proxy_at(scheme, proxy.closed, credentials, trusting)
    with pytest.raises(InteractorError) as caught:
        call(mode, origin.url, proxy=given, verify=trusting)
    assert f"the proxy {scheme}://{proxy.closed} (proxy=)" in str(caught.value)
    assert "socks" in scheme or "407" in str(caught.value)
    assert not re.search(f"{USER}|wr0ng", "".join(traceback.format_exception(caught.value)))
    assert origin.server.seen == []


@sync_and_async
def test_proxy_with_an_unknown_certificate_is_named(mode: str, squids: dict[str, Proxy]) -> None:
    url = f"https://{squids['https'].open}"
    with pytest.raises(APIConnectionError, match=rf"the proxy {url} \(proxy=\).*certificate") as caught:
        call(mode, "https://localhost:9", proxy=url)
    assert not caught.value.sent


@pytest.fixture(scope="module")
def decrypting(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    with mitmproxy(tmp_path_factory.mktemp("mitmproxy"), authority) as found:
        yield found


@sync_and_async
def test_authority_of_a_proxy_that_decrypts_has_to_be_trusted(
    mode: str, authority: trustme.CA, decrypting: tuple[str, str]
) -> None:
    address, its_authority = decrypting
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    with FaultServer(tls=context) as server:
        assert call(mode, server.url, proxy=f"http://{address}", verify=its_authority) == "asst_1"
        with pytest.raises(APIConnectionError, match=r"isn't trusted here.*a proxy that decrypts traffic") as caught:
            call(mode, server.url, proxy=f"http://{address}")
    assert not caught.value.sent
