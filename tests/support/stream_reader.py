"""Reads a stream to its end, sync or async, over the SDK's own transports, and reports the outcome."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass, field
from typing import Any

import httpx

from interactor_client.api.rooms import stream_room
from interactor_client.models import MessageDelta
from interactor_ext._errors import InteractorError
from interactor_ext.retry import RetryPolicy
from interactor_ext.streams._stream import AsyncStream, Stream
from interactor_ext.transports import AsyncTransport, Transport
from interactor_ext.transports._attempts import Rules
from interactor_ext.transports._retrying import AsyncCallTransport, CallTransport

RULES = Rules(RetryPolicy())
# To make one takes longer than most of what is tested here.
CONTEXT = ssl.create_default_context()

MODES = ("sync", "async")
# Waits of nothing: what is tested is that the stream reconnects; how long it waits is tested apart.
AT_ONCE = RetryPolicy(base_delay=0.0)
KWARGS = stream_room._get_kwargs("room_1")


@dataclass
class Outcome:
    events: list[Any] = field(default_factory=list)
    error: BaseException | None = None
    reconnects: int = 0
    last_event_id: str = ""
    waits: list[tuple[int, float]] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(event.content for event in self.events if isinstance(event, MessageDelta))


def collect(mode: str, url: str, *, raw: bool = False, timeout: float = 60.0, **options: Any) -> Outcome:
    """Every event up to the end or an InteractorError; any other exception is raised."""
    outcome = Outcome()
    options = {
        "policy": AT_ONCE,
        "on_reconnect": lambda number, seconds: outcome.waits.append((number, seconds)),
        **options,
    }
    if mode == "sync":
        _collect(outcome, url, raw, timeout, options)
    else:
        asyncio.run(_collect_async(outcome, url, raw, timeout, options))
    return outcome


def _collect(outcome: Outcome, url: str, raw: bool, timeout: float, options: dict[str, Any]) -> None:
    transport = CallTransport(Transport(trust_env=False, verify=CONTEXT), RULES)
    with httpx.Client(base_url=url, transport=transport, timeout=timeout) as client:
        stream: Stream[Any] = Stream(client, KWARGS, "StreamEvent", **options)
        try:
            with stream:
                for event in stream.raw() if raw else stream:
                    outcome.events.append(event)
        except InteractorError as error:
            outcome.error = error
        outcome.reconnects, outcome.last_event_id = stream.reconnects, stream.last_event_id


async def _collect_async(outcome: Outcome, url: str, raw: bool, timeout: float, options: dict[str, Any]) -> None:
    transport = AsyncCallTransport(AsyncTransport(trust_env=False, verify=CONTEXT), RULES)
    async with httpx.AsyncClient(base_url=url, transport=transport, timeout=timeout) as client:
        stream: AsyncStream[Any] = AsyncStream(client, KWARGS, "StreamEvent", **options)
        try:
            async with stream:
                async for event in stream.raw() if raw else stream:
                    outcome.events.append(event)
        except InteractorError as error:
            outcome.error = error
        outcome.reconnects, outcome.last_event_id = stream.reconnects, stream.last_event_id
