"""Proxies, authorities and client certificates: httpx's settings, in all transports."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import logging
import re
import socket
import ssl
import time
import traceback
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme

from interactor_ext import (
    APIConnectionError,
    APITimeoutError,
    ConfigurationError,
    InteractorError,
)
from interactor_ext.transports import AsyncTransport, Transport
from tests.support import modes
from tests.support.proxy import Proxy
from tests.support.scripted_server import (
    Connection,
    FaultServer,
    Request,
    Server,
    fine,
    mute_url,
    refusing_url,
    send_and,
    settings_of,
    slow,
)
from tests.support.waiting import PATIENCE, collect_garbage, eventually_async, in_time, with_enough_time

TRANSPORTS = [Transport, AsyncTransport]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def tls_server(authority: trustme.CA, *, insist: bool = False) -> FaultServer:
    """A server that may insist on a certificate of its guests."""
    context = tls_context_of(authority)
    if insist:
        authority.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
    return FaultServer(tls=context)


def tls_context_of(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    return context


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with Proxy() as running:
        yield running


@pytest.fixture(autouse=True)
def _no_proxies_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def call(transport: Any, url: str, **options: Any) -> str:
    """The id of what a whole call through this transport gives."""
    mode = "sync" if isinstance(transport, httpx.BaseTransport) else "async"
    settings = settings_of(url, max_retries=0, transport=transport, **options)
    name: str = modes.call(mode, settings, lambda client: client.assistants.get("asst_1")).id
    return name


def outcome(transport: Any, url: str, **options: Any) -> Any:
    """The status, or the error, of a request of httpx over it."""

    async def over_async() -> Any:
        async with httpx.AsyncClient(transport=transport, timeout=PATIENCE) as client:
            return (await client.get(url, **options)).status_code

    try:
        if not isinstance(transport, httpx.BaseTransport):
            return asyncio.run(over_async())
        with httpx.Client(transport=transport, timeout=PATIENCE) as client:
            return client.get(url, **options).status_code
    except httpx.HTTPError as error:
        return error


@pytest.mark.parametrize("make", TRANSPORTS)
def test_verify_with_a_custom_authority(make: Any, authority: trustme.CA) -> None:
    with tls_server(authority) as server:
        assert call(make(verify=trusting(authority)), server.url) == "asst_1"


def self_signed(authority: trustme.CA) -> ssl.SSLContext:
    """The authority's own certificate as that of a server."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with authority.private_key_pem.tempfile() as key, authority.cert_pem.tempfile() as certificate:
        context.load_cert_chain(certificate, key)
    return context


@pytest.mark.parametrize("make", TRANSPORTS)
@pytest.mark.parametrize(
    ("case", "problem", "advice"),
    [
        ("unknown", "its certificate authority isn't trusted here", r"SSL_CERT_FILE.*verify=.*cafile=\"ca.pem\""),
        ("self-signed", "it is self-signed", r"SSL_CERT_FILE.*verify=.*cafile=\"server.pem\""),
        ("expired", "it has expired", "must renew it"),
        ("not yet valid", "it isn't valid yet", "clock"),
        ("other.example", "it belongs to another host", "Check the host in INTERACTOR_ACCOUNT_SERVER_URL"),
    ],
)
def test_rejected_certificate_is_told_with_the_reason_and_without_retry(
    make: Any, case: str, problem: str, advice: str, authority: trustme.CA
) -> None:
    day, now = timedelta(days=1), datetime.now(UTC)
    span = {"expired": (now - 2 * day, now - day), "not yet valid": (now + day, now + 2 * day)}.get(case, (None, None))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    host = case if case == "other.example" else "localhost"
    authority.issue_cert(host, not_before=span[0], not_after=span[1]).configure_cert(context)
    context = self_signed(authority) if case == "self-signed" else context
    verify = True if case in ("unknown", "self-signed") else trusting(authority)
    with FaultServer(tls=context) as server:
        with pytest.raises(APIConnectionError) as caught:
            call(make(verify=verify), server.url)
        assert server.seen == []
    assert caught.value.sent is False
    assert f"the server's certificate was rejected, because {problem} (" in str(caught.value)
    assert re.search(advice, str(caught.value))
    assert "sandbox" not in str(caught.value)


@pytest.mark.parametrize("make", TRANSPORTS)
def test_client_certificate_is_sent(make: Any, authority: trustme.CA, tmp_path: Path) -> None:
    ours = authority.issue_cert("client.example")
    ours.private_key_and_cert_chain_pem.write_to_path(tmp_path / "client.pem")
    with tls_server(authority, insist=True) as server:
        with pytest.raises(APIConnectionError):
            call(make(verify=trusting(authority)), server.url)
        context = trusting(authority)
        context.load_cert_chain(tmp_path / "client.pem")
        assert call(make(verify=context), server.url) == "asst_1"
        authority.cert_pem.write_to_path(tmp_path / "ca.pem")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            files = make(verify=str(tmp_path / "ca.pem"), cert=str(tmp_path / "client.pem"))
        assert call(files, server.url) == "asst_1"


@pytest.mark.parametrize("make", TRANSPORTS)
def test_context_that_offers_http_2_to_a_server_that_has_it_is_told_of(make: Any, authority: trustme.CA) -> None:
    chosen = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(chosen)
    chosen.set_alpn_protocols(["h2", "http/1.1"])
    offered = trusting(authority)
    offered.set_alpn_protocols(["h2", "http/1.1"])
    with FaultServer(tls=chosen) as server:
        with pytest.raises(ConfigurationError, match=r"chose 'h2'.*set_alpn_protocols"):
            call(make(verify=offered), server.url)
        assert call(make(verify=trusting(authority)), server.url) == "asst_1"


def test_connection_that_is_ready_when_its_time_is_over_is_a_timeout(authority: trustme.CA) -> None:
    class Slow(ssl.SSLObject):
        def selected_alpn_protocol(self) -> str | None:
            time.sleep(0.6)  # longer than the call's timeout
            return super().selected_alpn_protocol()

    context = trusting(authority)
    context.sslobject_class = Slow
    with tls_server(authority) as server:
        with pytest.raises(APITimeoutError) as caught:
            call(Transport(verify=context), server.url, timeout=0.5)
        assert server.seen == []
    assert caught.value.sent is False


def test_httpx_transport_with_its_own_tls_settings(authority: trustme.CA, proxy: Proxy) -> None:
    with tls_server(authority) as server:
        context = trusting(authority)
        assert call(httpx.HTTPTransport(verify=context, proxy=proxy.url), server.url) == "asst_1"
        assert call(httpx.AsyncHTTPTransport(verify=context, proxy=proxy.url), server.url) == "asst_1"
        assert {line.partition(" ")[0] for line in proxy.asked} == {"CONNECT"}


@pytest.mark.parametrize("make", TRANSPORTS)
@pytest.mark.parametrize(("written", "meant"), [("pass", b"pass"), ("p%23a%2F%40", b"p#a/@")])
def test_calls_go_through_the_given_proxy(
    make: Any, written: str, meant: bytes, authority: trustme.CA, proxy: Proxy
) -> None:
    with tls_server(authority) as server:
        transport = make(verify=trusting(authority), proxy=proxy.url.replace("//", f"//user:{written}@"))
        assert call(transport, server.url) == "asst_1"
        port = server.url.rpartition(":")[2]
    assert set(proxy.asked) == {f"CONNECT localhost:{port}"}
    assert set(proxy.credentials) == {"Basic " + base64.b64encode(b"user:" + meant).decode()}


@pytest.mark.parametrize("make", TRANSPORTS)
def test_proxy_from_environment_for_http(make: Any, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy.url.removeprefix("http://"))
    with FaultServer() as server:
        assert call(make(), server.url) == "asst_1"
        assert proxy.asked[0] == f"POST {server.url}/auth/api/v1/oauth/token"


@pytest.mark.parametrize("make", TRANSPORTS)
def test_proxy_from_environment_for_https(
    make: Any, authority: trustme.CA, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", proxy.url)
    with tls_server(authority) as server:
        assert call(make(verify=trusting(authority)), server.url) == "asst_1"
    assert proxy.asked[0].startswith("CONNECT localhost:")


@pytest.mark.parametrize("make", TRANSPORTS)
@pytest.mark.parametrize("exempt", ["no_proxy", "trust_env"])
def test_no_proxy_exempts_hosts(make: Any, exempt: str, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    if exempt == "no_proxy":
        monkeypatch.setenv("NO_PROXY", "example.com, 127.0.0.1")
    with FaultServer() as server:
        assert call(make(trust_env=exempt == "no_proxy"), server.url) == "asst_1"
    assert proxy.asked == []


@pytest.mark.parametrize("make", TRANSPORTS)
def test_names_below_localhost_need_no_proxy(make: Any, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    with pytest.raises(APIConnectionError):
        call(make(), "http://nowhere.localhost:9")
    assert proxy.asked == []


USER, PASSWORD = "bobby", "hunter2"
ODD_PROXIES = [
    *(f"http://{USER}:{PASSWORD}{character}more@127.0.0.1:9" for character in "#/?[]\\\x01"),
    f"http://{USER}:{PASSWORD}@",
    f"http://{USER}:{PASSWORD}@:3128",
    f"http://{USER}:{PASSWORD}@127.0.0.1:99999",
    f"http://{USER}:{PASSWORD}@[::1",
    f"http://{USER}:{PASSWORD}@a..b:1",
    f"http://{USER}:{PASSWORD}@xn--a.test:1",
    f"http://{USER}#{PASSWORD}@127.0.0.1:9",
    f"http://{USER}/{PASSWORD}@127.0.0.1:9",
    f"http:/{USER}:{PASSWORD}@127.0.0.1:9",
    f"http:{USER}:{PASSWORD}@127.0.0.1:9",
    f"//{USER}:{PASSWORD}@127.0.0.1:9",
    f"gopher://{USER}:{PASSWORD}@127.0.0.1:9",
    f"socks5://{USER}:{PASSWORD}@127.0.0.1:9",
    f"https://{USER}:{PASSWORD}@127.0.0.1:9",
    f"{USER}:{PASSWORD}@127.0.0.1:9",
    f"{USER}:{PASSWORD}#more@127.0.0.1:9",
    f"{USER}:{PASSWORD}",
]


@pytest.mark.parametrize("given", ["HTTPS_PROXY", "ALL_PROXY", "argument"])
@pytest.mark.parametrize("make", TRANSPORTS)
def test_proxy_credentials_appear_in_no_error_and_no_log(
    make: Any, given: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for url in ODD_PROXIES:
        if given != "argument":
            monkeypatch.setenv(given, url)
        with pytest.raises(InteractorError) as caught:
            call(make(proxy=url) if given == "argument" else make(), "https://127.0.0.1:9")
        told = "".join(traceback.format_exception(caught.value)) + caplog.text
        assert USER not in told, url
        assert PASSWORD not in told, url


@pytest.mark.parametrize("make", TRANSPORTS)
@pytest.mark.parametrize("character", "#/?")
def test_unescaped_password_in_proxy_variable_raises_configuration_error_with_advice(
    make: Any, character: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"http://{USER}:{PASSWORD}{character}@127.0.0.1:9"
    monkeypatch.setenv("https_proxy", url)
    with pytest.raises(ConfigurationError, match=r"HTTPS_PROXY can't be used.*percent-encoded"):
        call(make(), "https://127.0.0.1:9")
    with pytest.raises(ConfigurationError, match=r"^proxy can't be used.*percent-encoded"):
        make(proxy=url)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with pytest.raises(APIConnectionError):
        call(make(), "https://127.0.0.1:9")


@pytest.mark.parametrize("given", ["HTTPS_PROXY", "ALL_PROXY", "proxy="])
@pytest.mark.parametrize("make", TRANSPORTS)
def test_dead_proxy_is_named_with_where_it_is_set(make: Any, given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with refusing_url() as url:
        for address in (url.removeprefix("http://"), "no-such-host.invalid:9"):
            proxy = f"http://{USER}:{PASSWORD}@{address}"
            if given != "proxy=":
                monkeypatch.setenv(given, proxy)
            with pytest.raises(APIConnectionError) as caught:
                call(make(proxy=proxy) if given == "proxy=" else make(), "https://127.0.0.1:9")
            assert f"the proxy http://{address} ({given}) can't be used: " in str(caught.value)
            assert "INTERACTOR_" not in str(caught.value)
            assert not caught.value.sent
    monkeypatch.setenv("HTTPS_PROXY", "not a URL")
    with pytest.raises(InteractorError, match="HTTPS_PROXY"):
        call(make(), "https://127.0.0.1:9")


@pytest.mark.parametrize("make", TRANSPORTS)
def test_proxy_that_hangs_up_has_sent_nothing(make: Any) -> None:
    class HangsUp(Server):
        def respond(self, connection: Connection, request: Request) -> bool:
            return False

    with HangsUp() as server, pytest.raises(APIConnectionError, match="the proxy http://") as caught:
        call(make(proxy=server.url), "https://127.0.0.1:9")
    assert not caught.value.sent


UNASKED = "it sent bytes before the server got a request"


@pytest.mark.parametrize(
    ("proxy", "replies", "problem"),
    [
        ("http://", [b"HTTP/1.1 200 Connected\r\n\r\nmore"], UNASKED),
        ("socks5://", [b"\x05\x00", b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x09more"], UNASKED),
        ("http://", [b"HTTP/1.1 407 Login\r\nContent-Length: 0\r\n\r\n"], "it responded with status 407"),
        ("socks5://", [b"\x04\x00"], "it doesn't speak SOCKS 5"),
        ("socks5://", [b"\x05\xff"], "it requires a user name and password"),
        ("socks5://user:word@", [b"\x05\xff"], "it requires another login"),
        ("socks5://user:word@", [b"\x05\x02", b"\x01\x01"], "it rejected the user name or password"),
        ("socks5://", [b"\x05\x00", b"\x05\x05\x00\x01"], "it can't connect: connection refused"),
        ("socks5://", [b"\x05\x00", b"\x05\x63\x00\x01"], "it can't connect: error 99"),
    ],
)
@pytest.mark.parametrize("make", [Transport, AsyncTransport])
def test_answer_of_a_proxy_that_leads_nowhere_is_told(
    make: Any, proxy: str, replies: list[bytes], problem: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as threads:

        def serve() -> None:
            with listener.accept()[0] as sock:
                for reply in replies:
                    sock.recv(65536)
                    sock.sendall(reply)

        threads.submit(serve)
        error = outcome(make(proxy=f"{proxy}127.0.0.1:{listener.getsockname()[1]}"), "https://127.0.0.1:9")
    assert isinstance(error, httpx.ProxyError)
    assert problem in str(error)


HOSTS = ["a..b", ".b", "b" * 64, ".".join(["b" * 60] * 5), "127.0.0.1:65536"]


@pytest.mark.parametrize("scheme", ["http", "socks5"])
@pytest.mark.parametrize("host", HOSTS, ids=range(len(HOSTS)))
@pytest.mark.parametrize("make", TRANSPORTS)
def test_impossible_address_is_told_before_a_proxy_is_asked_for_it(make: Any, host: str, scheme: str) -> None:
    with refusing_url() as url:
        transport = make(proxy=url.replace("http", scheme, 1))
        assert isinstance(outcome(transport, f"https://{host}/"), httpx.UnsupportedProtocol)


@pytest.mark.parametrize("make", TRANSPORTS)
def test_server_that_hangs_up_during_the_tls_handshake_is_a_connect_error(make: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as threads:

        def hang_up() -> None:
            with listener.accept()[0] as sock:
                sock.recv(65536)  # the whole hello: otherwise closing would reset the connection

        threads.submit(hang_up)
        assert isinstance(outcome(make(), f"https://127.0.0.1:{listener.getsockname()[1]}"), httpx.ConnectError)


@pytest.mark.parametrize("make", TRANSPORTS)
def test_server_that_switches_to_another_protocol_is_a_protocol_error(make: Any) -> None:
    switch = send_and(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n")
    with FaultServer([switch]) as server:
        headers = {"upgrade": "websocket", "connection": "upgrade"}
        assert isinstance(in_time(lambda: outcome(make(), server.url, headers=headers)), httpx.RemoteProtocolError)


@pytest.mark.parametrize("make", TRANSPORTS)
def test_answer_through_a_proxy_may_take_longer_than_connecting(
    make: Any, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    def attempt(seconds: float) -> None:
        monkeypatch.setattr("interactor_ext._interactor.views.http._CONNECT_TIMEOUT", seconds)
        with FaultServer([slow(1.5 * seconds, fine)]) as server:
            assert call(make(proxy=proxy.url), server.url, timeout=60) == "asst_1"

    with_enough_time(attempt, 0.3, 2, 10)


@pytest.mark.parametrize("make", TRANSPORTS)
def test_silent_server_behind_a_proxy_ends_the_call_at_its_timeout(make: Any, proxy: Proxy) -> None:
    def attempt(seconds: float) -> None:
        with pytest.raises(APITimeoutError, match="no response within"):
            in_time(lambda: call(make(proxy=proxy.url), server.url, timeout=seconds))

    with FaultServer([slow(PATIENCE, fine)]) as server:
        with_enough_time(attempt, 0.5, 15)


@pytest.mark.parametrize("make", TRANSPORTS)
def test_silent_socks_proxy_ends_a_call_at_its_timeout(make: Any) -> None:
    """A call of our client, and one of httpx's."""
    with mute_url() as url:
        proxy, server = url.replace("https://", "socks5://"), "https://127.0.0.1:9"
        with pytest.raises(APITimeoutError, match="no connection through the proxy socks5://") as caught:
            in_time(lambda: call(make(proxy=proxy), server, timeout=0.5))
        assert not caught.value.sent
        assert isinstance(in_time(lambda: outcome(make(proxy=proxy), server, timeout=0.5)), httpx.ConnectTimeout)


@pytest.mark.parametrize("make", TRANSPORTS)
def test_invalid_proxy_raises_configuration_error(make: Any) -> None:
    for proxy in (5, b"http://127.0.0.1:9", object()):
        with pytest.raises(ConfigurationError, match="proxy can't be used"):
            make(proxy=proxy)


async def test_call_cancelled_during_the_tls_handshake_leaves_no_socket_open(authority: trustme.CA) -> None:
    with tls_server(authority) as server:
        transport = AsyncTransport(verify=trusting(authority))
        client = httpx.AsyncClient(transport=transport)
        for step in range(60):
            task = asyncio.create_task(client.get(f"{server.url}/api/v1/assistants/asst_1"))
            for _ in range(step % 20):
                await asyncio.sleep(0)
            await asyncio.sleep(0.0002 * (step // 3))
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await transport.aclose()
        collect_garbage()
        await eventually_async(lambda: not server.open_connections)
