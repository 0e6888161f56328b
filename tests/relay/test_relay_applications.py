"""The relay as an ASGI and as a WSGI application, with servers that behave as few do."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from interactor_ext.relay import Relay
from interactor_ext.sandbox import Sandbox
from tests.support.relay_server import authorize, cookie_for
from tests.support.waiting import eventually, eventually_async

pytest_plugins = ["tests.support.sandbox_fixtures", "tests.support.relay_fixtures"]

NewRoom = Callable[..., str]
BODY = {"type": "http.request", "body": b'{"content": "Hi"}', "more_body": False}


@pytest.fixture
async def app(sandbox: Sandbox) -> AsyncIterator[Relay]:
    async with sandbox.async_client() as client:
        relay = Relay(client, authorize=authorize, grace=0)
        yield relay
        await relay.aclose()


def scope(path: str, method: str = "GET", *headers: tuple[bytes, bytes], **more: Any) -> dict[str, Any]:
    known = [(b"host", b"app.example"), (b"cookie", cookie_for("user_1").encode())]
    return {"type": "http", "method": method, "path": path, "headers": [*known, *headers], **more}


WRITE = ((b"content-type", b"application/json"), (b"origin", b"https://app.example"))


async def answer(
    app: Relay, scope: dict[str, Any], *messages: dict[str, Any], sent: list[Any] | None = None
) -> list[Any]:
    """What is sent for a request, whose browser stays connected."""
    sent = [] if sent is None else sent
    waiting = list(messages)

    async def receive() -> Any:
        return waiting.pop(0) if waiting else await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent


@pytest.mark.parametrize(
    ("path", "more"),
    [
        ("/interactor/rooms/{}/messages", {"root_path": "/interactor", "raw_path": b"/interactor/rooms/x/messages"}),
        ("/a/b/rooms/{}/messages", {"root_path": "/a/b/"}),
        ("/rooms/{}/messages", {"root_path": "/interactor"}),
        ("/rooms/{}/messages", {"root_path": "", "raw_path": None}),
        ("/rooms/{}/messages", {}),
    ],
)
async def test_relay_is_found_below_any_mount(app: Relay, new_room: NewRoom, path: str, more: dict[str, Any]) -> None:
    start, body = await answer(app, scope(path.format(new_room()), **more))
    assert start["status"] == 200
    assert body["body"].startswith(b'{"data":[]')


async def test_path_beside_the_mount_gets_404(app: Relay) -> None:
    start, _ = await answer(app, scope("/interactors/rooms/r/messages", root_path="/interactor"))
    assert start["status"] == 404


async def test_browser_that_goes_before_its_body_is_complete_sends_nothing_upstream(
    app: Relay, sandbox: Sandbox, new_room: NewRoom
) -> None:
    room = new_room()
    before = len(sandbox.requests)
    first = {"type": "http.request", "body": b'{"content"', "more_body": True}
    sent = await answer(app, scope(f"/rooms/{room}/messages", "POST", *WRITE), first, {"type": "http.disconnect"})
    assert sent == []
    assert len(sandbox.requests) == before


async def test_stream_whose_server_says_that_the_browser_has_gone_closes_upstream(
    app: Relay, sandbox: Sandbox, new_room: NewRoom
) -> None:
    async def receive() -> Any:
        await asyncio.Event().wait()

    async def send(message: Any) -> None:
        raise OSError

    await app(scope(f"/rooms/{new_room()}/stream"), receive, send)
    await eventually_async(lambda: sandbox.open_streams == 0)


async def test_task_that_is_cancelled_closes_upstream(app: Relay, sandbox: Sandbox, new_room: NewRoom) -> None:
    task = asyncio.create_task(answer(app, scope(f"/rooms/{new_room()}/stream")))
    await eventually_async(lambda: sandbox.open_streams == 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await eventually_async(lambda: sandbox.open_streams == 0)


async def test_lifespan_shutdown_closes_all_streams(app: Relay, sandbox: Sandbox, new_room: NewRoom) -> None:
    begun: list[Any] = []
    stream = asyncio.create_task(answer(app, scope(f"/rooms/{new_room()}/stream"), sent=begun))
    await eventually_async(lambda: len(begun) > 1)
    sent = await answer(app, {"type": "lifespan"}, {"type": "lifespan.startup"}, {"type": "lifespan.shutdown"})
    assert [message["type"] for message in sent] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert (await stream)[-1] == {"type": "http.response.body", "body": b""}
    await eventually_async(lambda: sandbox.open_streams == 0)
    start, _ = await answer(app, scope("/rooms/room_1/stream"))
    assert start["status"] == 503


async def test_websocket_is_closed(app: Relay) -> None:
    connect = {"type": "websocket.connect"}
    sent = await answer(app, {"type": "websocket", "path": "/rooms/room_1/stream"}, connect)
    assert sent == [{"type": "websocket.close", "code": 1000}]


NONE, OWN, ALLOWED, FOREIGN = "not said", "the page's own", "allowed", "foreign"


@pytest.mark.parametrize(
    ("origin", "host", "scheme", "found"),
    [
        (None, "app.example", "https", NONE),
        ("https://app.example", "app.example", "https", OWN),
        ("https://APP.example", "app.example:443", "https", OWN),
        ("https://app.example:443", "app.example", "https", OWN),
        ("https://app.example", "app.example", "http", OWN),
        ("http://app.example", "app.example:80", "http", OWN),
        ("http://127.0.0.1:8000", "127.0.0.1:8000", "http", OWN),
        ("http://[::1]:8000", "[::1]:8000", "http", OWN),
        ("http://app.example", "app.example", "https", FOREIGN),
        ("https://app.example:8443", "app.example", "https", FOREIGN),
        ("https://app.example.evil", "app.example", "https", FOREIGN),
        ("https://evil@app.example", "app.example", "https", FOREIGN),
        ("https://app.example, https://app.example", "app.example", "https", FOREIGN),
        ("null", "null", "https", FOREIGN),
        ("", "", "https", FOREIGN),
        ("https://", "", "https", FOREIGN),
        ("https://other.example", "app.example", "https", ALLOWED),
        ("http://other.example", "app.example", "https", FOREIGN),
    ],
)
async def test_origin_is_own_allowed_or_foreign(
    sandbox: Sandbox, origin: str | None, host: str, scheme: str, found: str
) -> None:
    headers = [(b"host", host.encode()), (b"cookie", cookie_for("user_1").encode())]
    headers += [] if origin is None else [(b"origin", origin.encode())]
    async with sandbox.async_client() as client:
        relay = Relay(client, authorize=authorize, allowed_origins=["https://other.example"])
        request = {"scheme": scheme, "path": "/rooms/none/messages", "headers": headers}
        read, write = [(await answer(relay, scope("", method) | request))[0] for method in ("GET", "POST")]
        await relay.aclose()
    assert (read["status"], write["status"]) == {NONE: (404, 403), FOREIGN: (403, 403)}.get(found, (404, 415))
    assert (b"access-control-allow-origin" in dict(read["headers"])) is (found == ALLOWED)


@pytest.mark.parametrize("name", ["room_4Kd9", "7", "0b1c-4f", "a.b", "a~b:c", "a" * 128])
async def test_plain_id_is_asked_for_upstream(app: Relay, sandbox: Sandbox, name: str) -> None:
    await answer(app, scope(f"/rooms/{name}/messages"))
    assert [each.path for each in sandbox.requests if name in each.path] != []


def test_stream_is_closed_if_its_server_takes_no_headers(sandbox: Sandbox, new_room: Callable[..., str]) -> None:
    relay = Relay(sandbox.async_client(), authorize=authorize, grace=0, streams_per_namespace=1)
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": f"/rooms/{new_room()}/stream",
        "HTTP_HOST": "app.example",
        "HTTP_COOKIE": cookie_for("user_1"),
        "wsgi.input": io.BytesIO(),
    }

    def start_response(status: str, headers: Any) -> None:
        assert status.startswith("200")
        raise ConnectionAbortedError

    for _ in range(2):
        with pytest.raises(ConnectionAbortedError):
            relay.wsgi(environ, start_response)
    eventually(lambda: sandbox.open_streams == 0)
