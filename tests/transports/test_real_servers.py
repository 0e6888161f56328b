"""Calls to uvicorn, hypercorn and gunicorn, and through nginx and HAProxy, which close idle connections."""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from interactor_ext.transports import AsyncTransport, Transport
from tests.support.modes import done, sync_and_async
from tests.support.plain_application import EVENT
from tests.support.programs import haproxy, nginx
from tests.support.served import GUNICORN, HYPERCORN, UVICORN, Served, needs
from tests.support.waiting import PATIENCE, eventually, eventually_async

pytestmark = pytest.mark.full  # starts other servers

ASGI, WSGI = (f"tests.support.plain_application:{name}" for name in ("asgi", "wsgi"))
SERVERS = {
    "uvicorn": [*UVICORN, ASGI],
    "hypercorn": [*HYPERCORN, ASGI],
    "gunicorn": [*GUNICORN, WSGI],  # closes each connection after its response
    "gunicorn, threads": [*GUNICORN, "--worker-class", "gthread", "--threads", "4", WSGI],
    "gunicorn, uvicorn worker": [*GUNICORN, "--worker-class", "uvicorn.workers.UvicornWorker", ASGI],
}
MEBIBYTE = bytes(2**20)


def behind_nginx(origin: str, folder: Path, settings: str = "") -> AbstractContextManager[str]:
    counting = "proxy_hide_header x-connection; add_header x-connection $remote_port;"
    location = f"location / {{ proxy_pass {origin}; proxy_http_version 1.1; proxy_buffering off; {counting} }}"
    return nginx(f"server {{ listen 80; client_max_body_size 1m; {settings} {location} }}", folder)


def behind_haproxy(origin: str, folder: Path, settings: str = "") -> AbstractContextManager[str]:
    counting = "http-response set-header x-connection %[src_port]"
    return haproxy(f"{counting}\n {settings}", origin.removeprefix("http://"), folder)


@contextmanager
def serving(command: list[str], folder: Path) -> Iterator[str]:
    needs([command[2]])
    server = Served(command, {}, folder)
    try:
        server.wait_until_it_answers("/")
        yield server.origin
    finally:
        server.close()


@pytest.fixture(scope="module")
def uvicorn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(SERVERS["uvicorn"], tmp_path_factory.mktemp("uvicorn")) as origin:
        yield origin


FRONTS = {"nginx": behind_nginx, "HAProxy": behind_haproxy}


@pytest.fixture(scope="module", params=[*SERVERS, *FRONTS])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The name and the origin of a server."""
    name, folder = request.param, tmp_path_factory.mktemp("server")
    if name in FRONTS:
        running = FRONTS[name](request.getfixturevalue("uvicorn"), folder)
    else:
        running = serving(SERVERS[name], folder)
    with running as origin:
        yield name, origin


@asynccontextmanager
async def client_of(mode: str, **options: Any) -> AsyncIterator[Any]:
    """A client of httpx over our transport."""
    if mode == "sync":
        with httpx.Client(transport=Transport(), timeout=PATIENCE, **options) as client:
            yield client
    else:
        async with httpx.AsyncClient(transport=AsyncTransport(), timeout=PATIENCE, **options) as async_client:
            yield async_client


async def chunks_of(response: httpx.Response) -> AsyncIterator[bytes]:
    if isinstance(response.stream, httpx.SyncByteStream):
        for chunk in response.iter_raw():
            yield chunk
    else:
        async for chunk in response.aiter_raw():
            yield chunk


async def read_events(client: Any, url: str, most: int) -> tuple[str, int]:
    """The connection of a stream, and how many events came. The stream is left as soon as there are `most`."""
    response = await done(client.send(client.build_request("GET", url), stream=True))
    came = b""
    async for chunk in chunks_of(response):
        came += chunk
        if came.count(EVENT) == most:
            break
    await done(response.close() if isinstance(client, httpx.Client) else response.aclose())
    return response.headers["x-connection"], came.count(EVENT)


@sync_and_async
async def test_calls_and_streams_of_a_server_share_a_connection(mode: str, server: tuple[str, str]) -> None:
    name, origin = server
    async with client_of(mode, base_url=origin) as client:
        connections = []
        for method, body in [("GET", b""), ("POST", MEBIBYTE), ("HEAD", b""), ("DELETE", b""), ("POST", b"{}")]:
            response = await done(client.request(method, "/", content=body))
            expected = hashlib.sha256(body).hexdigest() if method in ("GET", "POST") else ""
            assert (response.status_code, response.text) == (204 if method == "DELETE" else 200, expected)
            connections.append(response.headers["x-connection"])
        connection, count = await read_events(client, "/stream", most=4)
        assert count == 3
        last, count = await read_events(client, "/events", most=1)
        assert count == 1
        connections += [connection, last]
        assert len(set(connections)) == (len(connections) if name == "gunicorn" else 1)
        # A stream that was left takes its connection with it.
        response = await done(client.get("/"))
        assert response.headers["x-connection"] not in connections


@sync_and_async
async def test_early_refusal_of_a_large_body_is_the_response(mode: str, uvicorn: str, tmp_path: Path) -> None:
    with behind_nginx(uvicorn, tmp_path) as origin:
        async with client_of(mode, base_url=origin) as client:
            for _ in range(3):
                assert (await done(client.post("/", content=32 * MEBIBYTE))).status_code == 413
            assert (await done(client.get("/"))).status_code == 200


def is_established(connection: str, origin: str) -> bool:
    """Whether neither side has closed the connection from this port; one to another server may have the same port."""
    table = Path("/proc/net/tcp")
    if not table.exists():
        pytest.skip("needs /proc/net/tcp")
    ports = [f"{int(port):04X}" for port in (connection, origin.rpartition(":")[2])]
    return re.search(r" \w+:{} \w+:{} 01 ".format(*ports), table.read_text()) is not None


CLOSING = {
    "nginx, keepalive_timeout 0": (behind_nginx, "keepalive_timeout 0;"),
    "nginx, keepalive_timeout 500ms": (behind_nginx, "keepalive_timeout 500ms;"),
    "HAProxy, timeout http-keep-alive": (behind_haproxy, "timeout http-keep-alive 500ms"),
    "HAProxy, timeout client": (behind_haproxy, "timeout client 500ms"),
}


@pytest.mark.parametrize("mode", ["sync", "async", "async, its loop busy"])
@pytest.mark.parametrize("name", CLOSING)
async def test_idle_connection_that_the_server_closes_is_replaced(
    mode: str, name: str, uvicorn: str, tmp_path: Path
) -> None:
    front, settings = CLOSING[name]
    with front(uvicorn, tmp_path, settings) as origin:
        async with client_of(mode, base_url=origin) as client:
            connections = []
            for method in ("GET", "POST", "GET"):
                response = await done(client.request(method, "/"))
                assert response.status_code == 200
                connections.append(connection := response.headers["x-connection"])
                is_closed = lambda port=connection: not is_established(port, origin)  # noqa: E731
                if mode == "async":
                    await eventually_async(is_closed, "the end of the connection")
                else:
                    eventually(is_closed, "the end of the connection")
            assert len(set(connections)) == 3
