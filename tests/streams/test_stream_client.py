"""Streams of the real clients: token, namespace and deadline of every connection."""

from __future__ import annotations

import asyncio
import json
import time
import traceback
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from interactor_client.models import MessageDelta
from interactor_ext import (
    APIConnectionError,
    APITimeoutError,
    AuthenticationError,
    ConfigurationError,
    InteractorClient,
    NotFoundError,
)
from tests.support.modes import opened, sync_and_async
from tests.support.scripted_server import Connection, Handler, RawServer, settings_of
from tests.support.waiting import with_enough_time
from tests.support.wire import Wire


class Platform:
    """Hands out tokens t1, t2, ... and refuses those that are not the newest; `stream` serves the rest."""

    def __init__(self, stream: Handler) -> None:
        self.tokens = 0
        self.streams: list[Connection] = []
        self._stream = stream

    def __call__(self, connection: Connection) -> None:
        if connection.request.target.endswith("/oauth/token"):
            self.tokens += 1
            body = json.dumps({"data": {"access_token": f"t{self.tokens}", "token_type": "Bearer", "expires_in": 900}})
            connection.head(200, content_type="application/json")
            connection.send(body.encode())
        elif connection.request.headers.get("authorization") != f"Bearer t{self.tokens}".encode():
            connection.head(401, content_type="application/json")
            connection.send(b'{"error": {"code": "AUTH_ERROR", "message": "token expired"}}')
        else:
            self.streams.append(connection)
            self._stream(connection)


class ByURL:
    """A platform whose streams only take a token in the URL that it `accepts`, and have one event each. The account
    server narrows tokens, or does not.
    """

    def __init__(self, *, narrows: bool = True) -> None:
        self.narrows = narrows
        self.accepts: Callable[[str], bool] = lambda token: True
        self.silence = 0.0
        """Seconds before the event."""
        self.tokens: list[str] = []
        self.asked: list[tuple[str, str]] = []
        """Of each stream, where it had which token."""

    def __call__(self, connection: Connection) -> None:
        assert connection.request is not None
        target, headers = connection.request.target, connection.request.headers
        url = urlsplit(target)
        if url.path.endswith("/oauth/token"):
            scope = json.loads(connection.request.body).get("scope", "everything")
            self.tokens.append(f"{scope}-{len(self.tokens)}")
            granted = scope if self.narrows else "everything"
            answer = {"access_token": self.tokens[-1], "expires_in": 900, "scope": granted}
            connection.head(200, content_type="application/json")
            connection.send(json.dumps(answer).encode())
            return
        query = dict(parse_qsl(url.query))
        assert headers["x-namespace"] == "Zoë".encode()
        assert ("authorization" in headers, query.get("namespace")) in ((True, None), (False, "Zoë"))
        place = "header" if "authorization" in headers else "URL"
        token = headers.get("authorization", b"").decode().removeprefix("Bearer ") or query["token"]
        self.asked.append((place, token))
        if place == "header" or not self.accepts(token):
            connection.head(401, content_type=None)
        else:
            connection.head()
            time.sleep(self.silence)
            connection.send(delta(len(self.asked)) + b"event: done\ndata: {}\n\n")


async def open_stream(client: Any) -> int:
    """How many events it has."""
    async with client.namespace("Zoë").rooms.stream("room_1") as stream:
        return len([event async for event in stream])


@sync_and_async
def test_stream_with_its_token_in_the_url_may_be_silent_for_longer_than_the_timeout(mode: str) -> None:
    def attempt(seconds: float) -> None:
        platform = ByURL()
        platform.silence = 1.5 * seconds

        async def once() -> int:
            async with opened(mode, {**settings(server.url), "timeout": seconds}) as client:
                return await open_stream(client)

        with RawServer(platform) as server:
            assert asyncio.run(once()) == 1
        assert [place for place, _ in platform.asked] == ["header", "header", "URL"]

    with_enough_time(attempt, 0.5, 3, 15)


@sync_and_async
async def test_stream_that_refuses_a_new_token_in_its_header_gets_a_narrow_one_in_its_url(
    mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    platform = ByURL()
    with RawServer(platform) as server:
        async with opened(mode, settings(server.url)) as client:
            assert [await open_stream(client), await open_stream(client)] == [1, 1]
    tokens = ["everything-0", "everything-1", "rooms:read-2"]
    assert platform.tokens == tokens
    assert platform.asked == [*zip(["header", "header", "URL"], tokens, strict=True), ("URL", "rooms:read-2")]
    text = "\n".join(f"{record.getMessage()} {vars(record)}" for record in caplog.records)
    assert "200" in text
    assert not [token for token in (*tokens, "rooms%3Aread") if token in text]


@sync_and_async
async def test_token_in_a_url_that_is_refused_is_replaced_once_and_then_the_header_is_tried(mode: str) -> None:
    platform = ByURL()
    with RawServer(platform) as server:
        async with opened(mode, settings(server.url)) as client:
            await open_stream(client)
            platform.accepts = lambda token: token == "rooms:read-3"
            await open_stream(client)
            platform.accepts = lambda token: False
            for _ in range(2):
                with pytest.raises(AuthenticationError):
                    await open_stream(client)
    header_then_url = ["header", "header", "URL"]
    assert [place for place, _ in platform.asked] == [*header_then_url, "URL", "URL", "URL", "URL", *header_then_url]
    assert [token for place, token in platform.asked if place == "URL"][:5] == [
        *["rooms:read-2"] * 2, *["rooms:read-3"] * 2, "rooms:read-4",
    ]  # fmt: skip


@sync_and_async
async def test_token_in_a_url_is_in_no_traceback_with_local_variables(mode: str) -> None:
    platform = ByURL()

    def lose(token: str) -> bool:
        raise ConnectionError

    with RawServer(platform) as server:
        async with opened(mode, settings(server.url)) as client:
            await open_stream(client)
            platform.accepts = lose
            with pytest.raises(APIConnectionError) as caught:
                async with client.namespace("Zoë").rooms.stream("room_1", max_reconnects=0):
                    pass
    error = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    shown = "".join(error.format())
    assert platform.asked[-1] == ("URL", "rooms:read-2")
    assert "/rooms/room_1/stream" in shown
    assert not [token for token in (*platform.tokens, "rooms%3Aread") if token in shown]


@sync_and_async
async def test_token_with_all_rights_goes_into_no_url(mode: str, caplog: pytest.LogCaptureFixture) -> None:
    platform = ByURL(narrows=False)
    with RawServer(platform) as server:
        async with opened(mode, settings(server.url)) as client:
            with pytest.raises(AuthenticationError):
                await open_stream(client)
    assert [place for place, _ in platform.asked] == ["header", "header"]
    assert (
        "GET /rooms/{room_id}/stream refuses a new token in its header, and there isn't one for its URL" in caplog.text
    )


def delta(number: int) -> bytes:
    return b'id: %d\ndata: {"type":"message.delta","content":"%d"}\n\n' % (number, number)


def settings(url: str) -> dict[str, Any]:
    return settings_of(url, environment="sandbox")


def read(mode: str, url: str, *, options: dict[str, Any] | None = None, **stream_options: Any) -> list[Any]:
    async def main() -> list[Any]:
        async with opened(mode, settings(url)) as client:
            user = client.namespace("Zoë").with_options(**(options or {}))
            resource, its_id = (user.rooms, "room 1") if mode == "sync" else (user.workflow_instances, "wfi/1")
            async with resource.stream(its_id, **stream_options) as stream:
                return [event async for event in stream]

    return asyncio.run(main())


@sync_and_async
def test_token_that_expires_during_a_stream_is_replaced(mode: str) -> None:
    def stream(connection: Connection) -> None:
        connection.head()
        start = int(connection.last_event_id or b"0") + 1
        connection.send(b"retry: 1\n\n" + b"".join(delta(number) for number in range(start, start + 3)))
        if len(platform.streams) < 3:
            platform.tokens += 1  # from now on the token in use is refused
        else:
            connection.send(b"event: done\ndata: {}\n\n")

    platform = Platform(stream)
    with RawServer(platform) as server:
        events = read(mode, server.url)
    assert [event.content for event in events if isinstance(event, MessageDelta)] == list("123456789")
    assert [connection.last_event_id for connection in platform.streams] == [b"", b"3", b"6"]
    assert platform.tokens == 5
    for connection in platform.streams:
        assert connection.request.headers["x-namespace"] == "Zoë".encode()
        assert connection.request.headers["accept"] == b"text/event-stream"
        path = connection.request.target.removeprefix("/api/v1")
        assert path in ("/rooms/room%201/stream", "/workflow-instances/wfi%2F1/stream")


@sync_and_async
async def test_stream_of_a_mock_transport_has_its_events(mode: str) -> None:
    content = b"".join(map(delta, (1, 2))) + b"event: done\ndata: {}\n\n"
    wire = Wire(lambda request: httpx.Response(200, content=content, headers={"Content-Type": "text/event-stream"}))
    async with opened(mode, wire.settings) as client, client.rooms.stream("room_1") as stream:
        assert [event.content async for event in stream] == ["1", "2"]
    assert len(wire.requests) == 1


@sync_and_async
def test_token_that_is_refused_twice_raises_authentication_error(mode: str) -> None:
    def stream(connection: Connection) -> None:
        raise AssertionError

    platform = Platform(stream)

    def handler(connection: Connection) -> None:
        platform(connection)
        platform.tokens += 1

    with RawServer(handler) as server, pytest.raises(AuthenticationError):
        read(mode, server.url)


@sync_and_async
def test_entering_raises_the_error_of_the_response(mode: str) -> None:
    def stream(connection: Connection) -> None:
        connection.head(404, "X-Request-Id: req_1", content_type="text/plain")

    with RawServer(Platform(stream)) as server, pytest.raises(NotFoundError) as caught:
        read(mode, server.url)
    assert caught.value.request_id == "req_1"
    assert "s3cret" not in str(caught.value)


def test_interrupt_while_a_stream_opens_reaches_the_caller() -> None:
    def interrupt(request: httpx.Request) -> httpx.Response:
        raise KeyboardInterrupt

    with (
        InteractorClient(**Wire(interrupt).settings) as client,
        pytest.raises(KeyboardInterrupt),
        client.rooms.stream("room_1"),
    ):
        pass


@sync_and_async
def test_deadline_of_the_view_bounds_the_whole_stream(mode: str) -> None:
    def stream(connection: Connection) -> None:
        connection.head()
        connection.send(b"retry: 100\n\n" + delta(len(platform.streams)))

    def attempt(seconds: float) -> None:
        with RawServer(platform) as server, pytest.raises(APITimeoutError):
            read(mode, server.url, options={"deadline": seconds})
        assert len(platform.streams) > 1

    platform = Platform(stream)
    with_enough_time(attempt, 1.5, 15)


def test_deadline_ends_a_silent_stream_over_a_transport_that_wraps_httpx() -> None:
    class Wrapping(httpx.BaseTransport):
        def __init__(self) -> None:
            self._inner = httpx.HTTPTransport()

        def handle_request(self, request: httpx.Request) -> httpx.Response:
            return self._inner.handle_request(request)

    def stream(connection: Connection) -> None:
        connection.head()
        connection.send(delta(1))
        connection.wait_for_client_to_leave()

    def attempt(seconds: float) -> None:
        with (
            RawServer(Platform(stream)) as server,
            InteractorClient(**settings(server.url), deadline=seconds, transport=Wrapping()) as client,
            client.rooms.stream("room") as events,
            pytest.raises(APITimeoutError),
        ):
            list(events)

    with_enough_time(attempt, 1.5, 15)


@sync_and_async
@pytest.mark.parametrize("resource", ["rooms", "workflow_instances"])
async def test_iterating_without_entering_raises_configuration_error(mode: str, resource: str) -> None:
    def stream(connection: Connection) -> None:
        connection.head()
        connection.send(delta(1) + b"event: done\ndata: {}\n\n")

    platform = Platform(stream)
    words = r"inside `with .* as stream:`" if mode == "sync" else r"inside `async with .* as stream:`"
    with RawServer(platform) as server:
        async with opened(mode, settings(server.url)) as client:
            unentered = getattr(client, resource).stream("id_1")
            for read_it in (
                lambda: anext(unentered),
                lambda: anext(aiter(unentered)),
                lambda: anext(aiter(unentered.raw())),
            ):
                with pytest.raises(ConfigurationError, match=words):
                    await read_it()
            assert platform.tokens == 0
            async with unentered:
                assert [event.content async for event in unentered] == ["1"]
            assert [event async for event in unentered] == []
