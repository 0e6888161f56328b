"""WebhookRouter as an ASGI and as a WSGI application, called without a server."""

from __future__ import annotations

import socket
import threading
import wsgiref.simple_server
from typing import Any, cast

import pytest

from interactor_ext.webhooks import (
    WebhookRouter,
)
from tests.support.webhook_deliveries import delivery
from tests.support.webhook_routers import Handle, make, status

pytest_plugins = ["tests.support.webhook_fixtures"]


async def ask_asgi(router: WebhookRouter, messages: list[dict[str, Any]], **scope: Any) -> list[Any]:
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    await router.asgi({"type": "http", "method": "POST", "headers": []} | scope, receive, send)
    return sent


async def test_asgi_joins_body_chunks() -> None:
    router, got = make(), []
    router.on("*")(lambda event: got.append(event.id))
    body, headers = delivery()
    chunks = [{"type": "http.request", "body": body[i : i + 7], "more_body": True} for i in range(0, len(body), 7)]
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    start, content = await ask_asgi(router, [*chunks, {"type": "http.request"}], headers=raw)
    assert (start["status"], content["body"]) == (200, b'{"status": "handled"}')
    assert (b"content-type", b"application/json") in start["headers"]
    assert got == ["evt_idem_1"]


async def test_asgi_stops_reading_at_max_body() -> None:
    messages = [{"type": "http.request", "body": b"x" * 60, "more_body": True} for _ in range(9)]
    start, _ = await ask_asgi(make(max_body=100), messages)
    assert start["status"] == 413
    assert len(messages) == 7


async def test_asgi_sends_nothing_after_disconnect() -> None:
    assert await ask_asgi(make(), [{"type": "http.disconnect"}]) == []


async def test_asgi_returns_405_without_reading_body() -> None:
    start, _ = await ask_asgi(make(), [], method="GET")
    assert start["status"] == 405


async def test_asgi_handles_lifespan() -> None:
    sent = await ask_asgi(make(), [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}], type="lifespan")
    assert [message["type"] for message in sent] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


async def test_asgi_closes_websocket() -> None:
    assert await ask_asgi(make(), [], type="websocket") == [{"type": "websocket.close", "code": 1000}]


class Input:
    """A WSGI input that gives out a few bytes a read, and notes how many were asked for."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.asked = 0

    def read(self, size: int) -> bytes:
        self.asked += size
        chunk, self.body = self.body[: min(size, 10)], self.body[min(size, 10) :]
        return chunk


def ask_wsgi(router: WebhookRouter, stream: Any, **environ: Any) -> tuple[str, dict[str, str], bytes]:
    started: list[Any] = []
    body = b"".join(
        router.wsgi(
            {"REQUEST_METHOD": "POST", "wsgi.input": stream} | environ,
            lambda status, headers: started.append((status, dict(headers))),
        )
    )
    [(line, headers)] = started
    return line, headers, body


def environ_of(headers: dict[str, str]) -> dict[str, str]:
    return {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()}


def test_wsgi_joins_short_reads() -> None:
    router, got = make(), []
    router.on("*")(lambda event: got.append(event.id))
    body, headers = delivery()
    line, answered, content = ask_wsgi(router, Input(body), CONTENT_LENGTH=str(len(body)), **environ_of(headers))
    assert (line, content) == ("200 OK", b'{"status": "handled"}')
    assert answered["Content-Type"] == "application/json"
    assert got == ["evt_idem_1"]


def test_wsgi_reads_chunked_body_with_input_terminated() -> None:
    body, headers = delivery()
    line, _, _ = ask_wsgi(make(), Input(body), **{"wsgi.input_terminated": True}, **environ_of(headers))
    assert line == "200 OK"


@pytest.mark.parametrize("length", ["", "-1", "1_0", "\u0661", "x"])
def test_wsgi_without_content_length_returns_411_unread(length: str) -> None:
    stream = Input(b"x" * 100)
    line, _, content = ask_wsgi(make(), stream, CONTENT_LENGTH=length)
    assert line == "411 Length Required"
    assert b"Content-Length" in content
    assert stream.asked == 0


def test_wsgi_chunked_body_without_input_terminated_returns_411() -> None:
    class Quiet(wsgiref.simple_server.WSGIRequestHandler):
        def log_message(self, *args: Any) -> None: ...

    app = cast("Any", make().wsgi)
    with wsgiref.simple_server.make_server("127.0.0.1", 0, app, handler_class=Quiet) as server:
        serving = threading.Thread(target=server.handle_request)
        serving.start()
        with socket.create_connection(server.server_address[:2], timeout=60) as client:
            # The body would follow: nothing waits for it.
            client.sendall(b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
            answer = b"".join(iter(lambda: client.recv(4096), b""))
        serving.join(60)
    assert answer.startswith(b"HTTP/1.0 411 ")


def test_wsgi_and_asgi_treat_repeated_timestamp_header_alike(handle: Handle) -> None:
    body, headers = delivery()
    pairs = [*headers.items(), ("X-Interactor-Timestamp", headers["X-Interactor-Timestamp"])]
    assert status(handle(make(), body, pairs)) == (200, "ignored")
    environ = environ_of(headers)
    environ["HTTP_X_INTERACTOR_TIMESTAMP"] += "," + environ["HTTP_X_INTERACTOR_TIMESTAMP"]
    assert ask_wsgi(make(), Input(body), CONTENT_LENGTH=str(len(body)), **environ)[0] == "200 OK"


class Recording:
    """A Telemetry that records events."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    def sending(self, request: Any) -> None: ...

    def record(self, event: Any) -> None:
        self.events.append(event)


async def test_telemetry_records_deliveries_refused_unread() -> None:
    class Breaks:
        def read(self, size: int) -> bytes:
            raise ConnectionResetError

    telemetry = Recording()
    router = make(max_body=100, telemetry=telemetry)
    assert (await ask_asgi(router, [{"type": "http.request", "body": b"x" * 101}]))[0]["status"] == 413
    assert ask_wsgi(router, Input(b""), CONTENT_LENGTH="101")[0].startswith("413 ")
    assert ask_wsgi(router, Input(b""))[0].startswith("411 ")
    assert ask_wsgi(router, Breaks(), CONTENT_LENGTH="5")[0].startswith("400 ")
    assert ask_wsgi(router, None, REQUEST_METHOD="GET")[0].startswith("405 ")
    assert [(event.event, event.status) for event in telemetry.events] == [("unknown", "failed")] * 4


@pytest.mark.parametrize("length", ["101", "9" * 5000])
def test_wsgi_content_length_over_limit_returns_413_unread(length: str) -> None:
    stream = Input(b"x" * 200)
    assert ask_wsgi(make(max_body=100), stream, CONTENT_LENGTH=length)[0].startswith("413 ")
    assert stream.asked == 0


def test_wsgi_broken_connection_returns_400() -> None:
    class Breaks:
        def read(self, size: int) -> bytes:
            raise ConnectionResetError

    assert ask_wsgi(make(), Breaks(), CONTENT_LENGTH="5")[0] == "400 Bad Request"


def test_wsgi_returns_405_without_reading_body() -> None:
    line, headers, _ = ask_wsgi(make(), None, REQUEST_METHOD="GET")
    assert (line, headers["Allow"]) == ("405 Method Not Allowed", "POST")
