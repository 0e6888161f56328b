"""WebhookRouter as an ASGI and as a WSGI application, called without a server."""

from __future__ import annotations

from typing import Any

import pytest

from interactor_ext.webhooks import WebhookRouter
from tests.support.telemetry import Recorded
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


def body_in_chunks(body: bytes, size: int) -> list[dict[str, Any]]:
    chunks = [body[start : start + size] for start in range(0, len(body), size)]
    return [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]


@pytest.mark.parametrize(
    ("scope", "messages", "answers", "unread"),
    [
        ({}, body_in_chunks(b"x" * 540, 60), [413, None], 7),
        ({"method": "GET"}, [{"type": "http.request"}], [405, None], 1),
        ({}, [{"type": "http.disconnect"}], [], 0),
        (
            {"type": "lifespan"},
            [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}],
            ["lifespan.startup.complete", "lifespan.shutdown.complete"],
            0,
        ),
        ({"type": "websocket"}, [], ["websocket.close"], 0),
    ],
    ids=["too large", "another method", "gone", "lifespan", "websocket"],
)
async def test_asgi_answers_what_is_no_delivery(
    scope: dict[str, Any], messages: list[dict[str, Any]], answers: list[Any], unread: int
) -> None:
    messages = list(messages)
    sent = await ask_asgi(make(max_body=100), messages, **scope)
    assert [each.get("status") if "http" in each["type"] else each["type"] for each in sent] == answers
    assert len(messages) == unread


class Input:
    """A WSGI input that gives out a few bytes a read, and notes how many were asked for; None breaks off."""

    def __init__(self, body: bytes | None) -> None:
        self.body = body
        self.asked = 0

    def read(self, size: int) -> bytes:
        self.asked += size
        if self.body is None:
            raise ConnectionResetError
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


@pytest.mark.parametrize("is_chunked", [False, True])
def test_wsgi_joins_short_reads(is_chunked: bool) -> None:
    router, got = make(), []
    router.on("*")(lambda event: got.append(event.id))
    body, headers = delivery()
    length: dict[str, Any] = {"wsgi.input_terminated": True} if is_chunked else {"CONTENT_LENGTH": str(len(body))}
    line, answered, content = ask_wsgi(router, Input(body), **length, **environ_of(headers))
    assert (line, content) == ("200 OK", b'{"status": "handled"}')
    assert answered["Content-Type"] == "application/json"
    assert got == ["evt_idem_1"]


REFUSED_BY_WSGI: dict[str, tuple[dict[str, Any], bytes | None, int]] = {
    **{
        f"Content-Length {length!r}": ({"CONTENT_LENGTH": length}, b"x" * 100, 411)
        for length in ("", "-1", "1_0", "\u0661", "x")
    },
    "chunks that its server does not end": ({"HTTP_TRANSFER_ENCODING": "chunked"}, b"x" * 100, 411),
    "101 bytes": ({"CONTENT_LENGTH": "101"}, b"x" * 200, 413),
    "9999... bytes": ({"CONTENT_LENGTH": "9" * 5000}, b"x" * 200, 413),
    "connection that breaks": ({"CONTENT_LENGTH": "5"}, None, 400),
    "another method": ({"REQUEST_METHOD": "GET"}, b"x" * 100, 405),
}


@pytest.mark.parametrize(("environ", "body", "answer"), REFUSED_BY_WSGI.values(), ids=REFUSED_BY_WSGI)
def test_wsgi_refuses_unread_what_is_no_delivery_and_records_it(
    environ: dict[str, Any], body: bytes | None, answer: int
) -> None:
    stream, telemetry = Input(body), Recorded()
    line, headers, content = ask_wsgi(make(max_body=100, telemetry=telemetry), stream, **environ)
    assert int(line.split()[0]) == answer
    assert stream.asked == 0 or body is None
    assert headers.get("Allow") == ("POST" if answer == 405 else None)
    assert b"Content-Length" in content or answer != 411
    assert [(event.event, event.status) for event in telemetry.events] == (
        [] if answer == 405 else [("unknown", "refused")]
    )


async def test_telemetry_records_a_body_that_asgi_refuses() -> None:
    telemetry = Recorded()
    await ask_asgi(make(max_body=100, telemetry=telemetry), body_in_chunks(b"x" * 101, 101))
    assert [(event.event, event.status) for event in telemetry.events] == [("unknown", "refused")]


def test_wsgi_and_asgi_treat_repeated_timestamp_header_alike(handle: Handle) -> None:
    body, headers = delivery()
    pairs = [*headers.items(), ("X-Interactor-Timestamp", headers["X-Interactor-Timestamp"])]
    assert status(handle(make(), body, pairs)) == (200, "ignored")
    environ = environ_of(headers)
    environ["HTTP_X_INTERACTOR_TIMESTAMP"] += "," + environ["HTTP_X_INTERACTOR_TIMESTAMP"]
    assert ask_wsgi(make(), Input(body), CONTENT_LENGTH=str(len(body)), **environ)[0] == "200 OK"
