"""Reads a success while it arrives: lines of JSON, server-sent events, or bytes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Generic, TypeVar

import httpx

from interactor_ext.sse import SSEDecoder

from .client import Client
from .errors import DecodeError

T = TypeVar("T")
Parse = Callable[[httpx.Response], T]


class _Parts(Generic[T]):
    """`kind` is lines, events or bytes. Each part is parsed like the body of a response of its own."""

    def __init__(self, client: Client, response: httpx.Response, kind: str, parse: Parse[T]) -> None:
        if _is_other(response, kind):
            raise DecodeError("response", "", "isn't an event stream")
        self._client, self._response, self._kind, self._parse = client, response, kind, parse
        self._events, self._rest = SSEDecoder(), list[bytes]()

    def read(self, chunk: bytes) -> Iterator[T]:
        """The parts that end in this chunk. An empty chunk ends the last line."""
        for part in self._split(chunk):
            whole = httpx.Response(self._response.status_code, content=part, request=self._response.request)
            yield self._client.read(whole, self._parse)

    def _split(self, chunk: bytes) -> list[bytes]:
        if self._kind == "events":
            return [each.data.encode() for each in self._events.feed(chunk)]
        if self._kind == "bytes":
            return [chunk] if chunk else []
        first, *others = chunk.split(b"\n")
        self._rest.append(first)
        if chunk and not others:
            return []
        lines, self._rest = [b"".join(self._rest), *others[:-1]], others[-1:]
        return [each for each in lines if each.strip()]


def _is_other(response: httpx.Response, kind: str) -> bool:
    media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind == "events" and media_type not in ("", "text/event-stream")


@contextmanager
def opened(client: Client, kwargs: dict[str, Any], kind: str, parse: Parse[T]) -> Generator[Iterator[T], None, None]:
    def items(response: httpx.Response) -> Iterator[T]:
        parts = _Parts(client, response, kind, parse)
        return (item for chunks in (response.iter_bytes(), (b"",)) for chunk in chunks for item in parts.read(chunk))

    with client.get_httpx_client().stream(**kwargs) as response:
        if not response.is_success or _is_other(response, kind):
            response.read()
        yield client.read(response, items)


@asynccontextmanager
async def opened_async(
    client: Client, kwargs: dict[str, Any], kind: str, parse: Parse[T]
) -> AsyncGenerator[AsyncIterator[T], None]:
    async def items(parts: _Parts[T], response: httpx.Response) -> AsyncIterator[T]:
        async for chunk in response.aiter_bytes():
            for item in parts.read(chunk):
                yield item
        for item in parts.read(b""):
            yield item

    async with client.get_async_httpx_client().stream(**kwargs) as response:
        if not response.is_success or _is_other(response, kind):
            await response.aread()
        yield client.read(response, lambda each: items(_Parts(client, each, kind, parse), each))


__all__ = ["opened", "opened_async"]
