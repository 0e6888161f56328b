"""Hostile clients: malformed HTTP and JSON, requests and streams that never end, and much work in one request."""

from __future__ import annotations

import json
import logging
import socket
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from interactor_ext.sandbox import Sandbox
from tests.support import patient
from tests.support.sandbox_caller import Caller, fetch_token, listening, problem

pytest_plugins = ["tests.support.sandbox_fixtures"]


def dial(core_api_url: str) -> socket.socket:
    url = httpx.URL(core_api_url)
    return socket.create_connection((url.host, url.port or 80), timeout=30)


def request(method: str, path: str, *lines: str | bytes, body: bytes = b"", closes: bool = True) -> bytes:
    given = [line if isinstance(line, bytes) else line.encode() for line in lines]
    if body:
        given.append(b"Content-Type: application/json")
        given.append(b"Content-Length: %d" % len(body))
    if closes:
        given.append(b"Connection: close")
    return b"\r\n".join([f"{method} {path} HTTP/1.1".encode(), b"Host: a.local", *given, b"", body])


def exchange(sandbox: Sandbox, sent: bytes) -> tuple[int, bytes]:
    """The status and the body of the one answer."""
    with dial(sandbox.core_api_url) as sock:
        sock.sendall(sent)
        received = b"".join(iter(lambda: sock.recv(65536), b""))
    head, _, body = received.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


HOSTILE = {
    "no HTTP": b"\x16\x03\x01\x02\x00" + b"\x00" * 100,
    "no host": b"GET /api/v1/rooms HTTP/1.1\r\n\r\n",
    "a name of no machine here": b"GET /api/v1/rooms HTTP/1.1\r\nHost: evil.example.com\r\nConnection: close\r\n\r\n",
    "a path that is not ASCII": request("GET", "/api/v1/rooms/").replace(b"rooms/", b"rooms/\xff\xfe"),
    "a path beyond the root": request("GET", "/api/v1/../../etc/passwd"),
    "an absolute URL": request("GET", "http://evil.example.com/api/v1/rooms"),
    "a tunnel": request("CONNECT", "a:80"),
    "an asterisk": request("OPTIONS", "*"),
    "half an escape": request("GET", "/api/v1/rooms/%zz%"),
    "an id of no text": request("GET", "/_sandbox/page/rooms/%ff/stream"),
    "two tokens": request("GET", "/api/v1/rooms", "Authorization: Bearer a", "Authorization: Bearer b"),
    "two lengths": request("POST", "/api/v1/rooms", "Content-Length: 1", "Content-Length: 2"),
    "a length below zero": request("POST", "/api/v1/rooms", "Content-Length: -1"),
    "a length beyond all memory": request("POST", "/api/v1/rooms", f"Content-Length: {'9' * 30}"),
    "a broken chunk": request("POST", "/api/v1/rooms", "Transfer-Encoding: chunked") + b"zz\r\n",
    "a time of no number": request("POST", "/_sandbox/clock", body=b'{"advance": 1e400}'),
    "a time before all dates": request("POST", "/_sandbox/clock", body=b'{"advance": -1e300}'),
    "the last year": request("POST", "/_sandbox/clock", body=b'{"advance": 251000000000}'),
    "a list for an object": request("POST", "/_sandbox/deprecations", body=b"[]"),
    "an action without a body": request("POST", "/_sandbox/act"),
    "an action of odd ids": request(
        "POST", "/_sandbox/act", body=b'{"operation": "send_message", "namespace": "", "path": {"room_id": []}}'
    ),
    "an action of JSON without end": request("POST", "/_sandbox/act", body=b'{"a":' * 100_000),
    "a delivery that is null": request("POST", "/_sandbox/deliveries", body=b'{"what": null}'),
    "an origin of no URL": request("GET", "/_sandbox/page/state", "Origin: http://["),
}


def read_until(sock: socket.socket, text: bytes) -> None:
    received = b""
    while text not in received:
        more = sock.recv(65536)
        assert more, received
        received += more


@pytest.mark.parametrize("name", HOSTILE)
def test_malformed_requests_are_refused(sandbox: Sandbox, caplog: pytest.LogCaptureFixture, name: str) -> None:
    status, body = exchange(sandbox, HOSTILE[name])
    assert 400 <= status < 500
    if "Invalid HTTP" not in str(body):  # of the HTTP server itself
        error = json.loads(body)["error"]
        assert error["code"]
        assert error["request_id"].startswith("req_")
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
    with Caller(sandbox) as caller:
        assert caller.read("/rooms") == []


@pytest.mark.parametrize(("order", "status"), [({"kind": "clock_skew", "skew": 3e9}, 200), ({"latency": 1e-320}, 200)])
def test_faults_accept_extreme_numbers(sandbox: Sandbox, caller: Caller, order: dict[str, object], status: int) -> None:
    levers = sandbox.core_api_url.replace("/api/v1", "/_sandbox/faults")
    assert patient.post(levers, json={"operation": "list_rooms", **order}).status_code == 201
    assert caller.get("/rooms").status_code == status
    assert caller.get("/rooms").status_code == 200


def test_every_reachable_clock_time_is_representable(sandbox: Sandbox) -> None:
    for seconds in (220e9, -221e9):
        try:
            sandbox.clock.advance(seconds)
        except ValueError:
            continue
        with Caller(sandbox) as caller:
            credential = sandbox.add_credential("google", namespace="user_1")
            caller.read(f"/credentials/{credential['id']}/token")
            caller.make("/oauth/initiate", provider="google", redirect_uri="https://app.test")
            caller.room()
    with pytest.raises(ValueError, match="1970 to 8999"):
        sandbox.clock.advance(-1e11)


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /api/v1/rooms HT",
        request("POST", "/api/v1/rooms", "Content-Length: 100", closes=False) + b"{",
        request("POST", "/_sandbox/faults", "Transfer-Encoding: chunked", closes=False) + b"1\r\n{\r\n",
        request("GET", "/api/v1/rooms/{room}", "Authorization: Bearer {token}", "X-Namespace: user_1", closes=False),
        request("GET", "/api/v1/rooms/{room}/stream?token={token}&namespace=user_1", closes=False),
    ],
    ids=["half a head", "half a body", "half the chunks", "an answer not read", "a stream not read"],
)
def test_sandbox_stops_silently_with_open_client_connections(sent: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    with ExitStack() as later, Sandbox().run() as sandbox, Caller(sandbox) as caller:
        room = caller.room()["id"]
        caller.patch(f"/rooms/{room}", json={"metadata": {"text": "x" * 8_000_000}})
        sock = later.enter_context(dial(sandbox.core_api_url))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.sendall(sent.replace(b"{room}", room.encode()).replace(b"{token}", fetch_token(sandbox).encode()))
        if b"stream?" in sent:
            read_until(sock, b": connected")
            for _ in range(40):
                sandbox.emit(room, {"type": "message.delta", "content": "x" * 200_000})
        elif b"{token}" in sent:
            sock.recv(100)
        caller.read("/tools")
    assert capfd.readouterr().err == ""


BOT = {"name": "B", "model": "m", "system_prompt": ""}


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/assistants", {**BOT, "tools": [1] * 20_000}, "tools[0]"),
        ("/assistants", {**BOT, **{f"key_{number}": 1 for number in range(20_000)}}, "key_0"),
        ("/webhooks", {"url": "https://a.test", "events": ["credential.expired"] * 10_000}, "events"),
        ("/workflows", {"name": "W", "initial_state": "a", "states": [{}] * 20_000}, "states[0].name"),
    ],
)
def test_body_with_many_errors_returns_422_with_short_error(caller: Caller, path: str, body: Any, field: str) -> None:
    refused = caller.post(path, json=body, timeout=60)
    found = problem(refused, 422, "VALIDATION_ERROR")
    assert field in found
    assert len(found) <= 50
    assert len(refused.content) < 20_000


@pytest.mark.parametrize("content", ["a " * 300_000, "\n" * 600_000])
def test_long_message_is_streamed_in_at_most_1000_pieces(caller: Caller, content: str) -> None:
    room = f"/rooms/{caller.room()['id']}"
    with listening(caller, f"{room}/stream") as stream:
        answer = caller.make(f"{room}/messages", content=content)
        events = stream.until("message.complete")
    words = [event["content"] for event in events if event["type"] == "message.delta"]
    assert len(words) <= 1000
    assert "".join(words) == answer["content"] == f"Bot here. You said: {content}"
