"""Reads streams, sync or async, over the SDK's own transports."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from interactor_client.api.rooms import stream_room
from interactor_client.models import MessageDelta
from interactor_ext import InteractorError, RetryPolicy
from interactor_ext._engine.calls.attempts import Rules
from interactor_ext._engine.calls.retrying import AsyncRetryingTransport, RetryingTransport
from interactor_ext._engine.streams.stream import AsyncStream, Stream
from interactor_ext._engine.telemetry_events import Reporter
from interactor_ext._engine.waiting import Closing
from interactor_ext._interactor.views.http import event_reader
from interactor_ext.transports import AsyncTransport, Transport
from tests.support.modes import Awaited
from tests.support.scripted_server import Connection, Handler, RawServer

RULES = Rules(RetryPolicy())
# Making one takes longer than most of the tests here.
CONTEXT = ssl.create_default_context()

# Zero waits: these tests check that the stream reconnects; its waits are tested elsewhere.
AT_ONCE = RetryPolicy(base_delay=0.0)
KWARGS = stream_room._get_kwargs("room_1")


class StreamClient(httpx.Client):
    closing = Closing()
    reporter: Reporter | None = None


class AsyncStreamClient(httpx.AsyncClient):
    closing = Closing()
    reporter: Reporter | None = None


@dataclass
class Outcome:
    events: list[Any] = field(default_factory=list)
    error: BaseException | None = None
    reconnects: int = 0
    last_event_id: str = ""
    waits: list[tuple[int, float]] = field(default_factory=list)
    connections: list[Connection] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(event.content for event in self.events if isinstance(event, MessageDelta))


@asynccontextmanager
async def connected(mode: str, url: str, timeout: float = 60.0) -> AsyncIterator[Any]:
    """The client that reads streams."""
    if mode == "sync":
        transport = RetryingTransport(Transport(trust_env=False, verify=CONTEXT), RULES)
        with StreamClient(base_url=url, transport=transport, timeout=timeout) as client:
            yield client
    else:
        async_transport = AsyncRetryingTransport(AsyncTransport(trust_env=False, verify=CONTEXT), RULES)
        async with AsyncStreamClient(base_url=url, transport=async_transport, timeout=timeout) as async_client:
            yield async_client


def stream_of(client: Any, **options: Any) -> Any:
    """A stream to enter, used like an async one."""
    options = {"policy": AT_ONCE, **options}
    if isinstance(client, StreamClient):
        return Awaited(Stream(client, KWARGS, event_reader("StreamEvent"), **options))
    return AsyncStream(client, KWARGS, event_reader("StreamEvent"), **options)


@asynccontextmanager
async def streaming(mode: str, url: str, **options: Any) -> AsyncIterator[Any]:
    async with connected(mode, url) as client:
        yield stream_of(client, **options)


def collect(mode: str, url: str, *, raw: bool = False, timeout: float = 60.0, **options: Any) -> Outcome:
    """Every event up to the end or an InteractorError; any other exception is raised."""
    outcome = Outcome()

    async def main() -> None:
        async with connected(mode, url, timeout) as client:
            options.setdefault("on_reconnect", lambda number, seconds: outcome.waits.append((number, seconds)))
            stream = stream_of(client, **options)
            try:
                async with stream:
                    async for event in stream.raw() if raw else stream:
                        outcome.events.append(event)
            except InteractorError as error:
                outcome.error = error
            outcome.reconnects, outcome.last_event_id = stream.reconnects, stream.last_event_id

    asyncio.run(main())
    return outcome


def read_from(handler: Handler, mode: str, **options: Any) -> Outcome:
    """Like `collect`, from a separate server."""
    with RawServer(handler) as server:
        outcome = collect(mode, server.url, **options)
    outcome.connections = server.connections
    return outcome
