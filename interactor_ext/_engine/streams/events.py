"""Parses server-sent events (the type, JSON and model of each), and defines the iterators of streams and chats."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Mapping
from typing import Any, NamedTuple, NoReturn, TypeVar

from interactor_client.errors import DecodeError
from interactor_ext._engine.errors import ResponseValidationError
from interactor_ext._engine.redaction import clean_text
from interactor_ext._engine.responses import status_error
from interactor_ext._engine.sse import ServerSentEvent

T = TypeVar("T")

CONTROL = frozenset({"done", "heartbeat", "ping"})
"""Event types that control the stream and aren't returned to the caller."""

# Takes half the time of json.loads, which skips white space with regular expressions.
_decode_json = json.JSONDecoder().raw_decode


class Received(NamedTuple):
    """An event and its type; `payload` is None if the data isn't a JSON object."""

    type: str
    payload: dict[str, Any] | None
    sent: ServerSentEvent


class EventReader:
    """Reads the events of one family. `builders` has the function that makes each type's model; the one under "" makes
    the others'."""

    def __init__(self, builders: Mapping[str, Callable[[dict[str, Any]], Any]]) -> None:
        self._builders = builders
        self._unknown = builders[""]
        self._known = CONTROL.union(builders) - {""}

    def read(self, sent: ServerSentEvent) -> Received:
        """Find an event's type, in the JSON or the `event` field: the first known one counts, otherwise the JSON's."""
        text = sent.data.strip(" \t\r\n")
        try:
            payload, end = _decode_json(text)
        except (ValueError, RecursionError):
            payload, end = None, 0
        if end != len(text) or type(payload) is not dict:
            return Received(sent.event, None, sent)
        event_type = payload.get("type")
        if type(event_type) is str and (event_type in self._known or (event_type and sent.event not in self._known)):
            return Received(event_type, payload, sent)
        return Received(sent.event, payload, sent)

    def model(self, event: Received) -> Any:
        """Return the typed event, or the family's unknown event for a type without a model or data that isn't a JSON
        object.

        Raises:
            ResponseValidationError: the data lacks what its model needs. Its `item` is the JSON, with the type.
        """
        event_type, payload, sent = event
        build = self._builders.get(event_type, self._unknown)
        if payload is None:
            payload = {"data": sent.data}
            if event_type != "error":
                build = self._unknown
        if payload.get("type") != event_type:
            payload = {**payload, "type": event_type}
        try:
            return build(payload)
        except DecodeError as error:
            if event_type == "error" and build is not self._unknown:
                return build({**payload, "error": _readable_error(sent.data)})
            raise ResponseValidationError(
                f"A {clean_text(event_type)} event doesn't fit its model: {error}",
                model=error.model,
                field=error.field,
                path=error.path,
                item=payload,
            ) from error


def _readable_error(data: str) -> dict[str, str] | str:
    """Return the message of an `error` event, in any form of an error response."""
    body = status_error.read_error_body(data.encode())
    said = {"code": body.code, "message": body.message}
    return {name: text for name, text in said.items() if text} or ({} if data.lstrip().startswith("{") else data)


Take = Callable[[object, Callable[[Received], T]], T]


class Events(Iterator[T]):
    """Yields what `take` returns, until it raises StopIteration. Calls `leave` when this object is dropped, including
    after a `for`. Both get an object that identifies the loop.
    """

    def __init__(self, take: Take[T], leave: Callable[[object], None], decode: Callable[[Received], T]) -> None:
        # Not a partial of `take`, which makes each event 30 ns slower.
        self._take, self._decode = take, decode
        self._leave, self._loop = leave, object()

    def __next__(self) -> T:
        return self._take(self._loop, self._decode)

    def close(self) -> None:
        """Leave the loop."""
        self._take = _no_more
        self._leave(self._loop)

    __del__ = close


def _no_more(*_: object) -> NoReturn:
    raise StopIteration


class AsyncEvents(AsyncIterator[T]):
    """`Events` for asyncio. Its `anext` may be cancelled and called again, for example for a time limit on each event,
    without losing an event.
    """

    def __init__(self, take: Callable[[], Awaitable[T]], guard: AsyncGenerator[None, None]) -> None:
        self._take = take  # raises StopAsyncIteration at the end
        self._guard = guard

    async def __anext__(self) -> T:
        await anext(self._guard)
        try:
            return await self._take()
        except StopAsyncIteration:
            await self.aclose()
            raise

    async def aclose(self) -> None:
        """Leave the loop."""
        await self._guard.aclose()
