"""The body of a stream over a transport that isn't the SDK's own."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import httpx

from interactor_ext._engine.waiting.closer import close_when_dropped, forget, start_closer


class ForeignStream(httpx.SyncByteStream):
    """The body of a stream over a foreign transport. The closer thread closes it if its reader drops it.

    httpx's generators close themselves when they are garbage-collected, and take locks that the same thread may already
    hold. So the closer thread keeps a reference to them.
    """

    def __init__(self, stream: Any) -> None:
        start_closer()
        self._stream = stream
        self._chunks: list[Iterator[bytes]] = []
        self._watch = close_when_dropped(self, functools.partial(_close_held, stream, self._chunks))

    def __iter__(self) -> Iterator[bytes]:
        self._chunks[:] = [iter(self._stream)]
        return self

    def __next__(self) -> bytes:
        return next(self._chunks[0])

    def close(self) -> None:
        forget(self._watch)
        self._stream.close()


def _close_held(stream: Any, chunks: list[Iterator[bytes]]) -> None:
    stream.close()
    chunks.clear()
