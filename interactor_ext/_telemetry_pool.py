"""How many connections httpx's own pool has open, idle, and wanting: worked out from what passes through it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx

from interactor_ext._telemetry_events import ConnectionsChanged


class WatchedTransport(httpx.BaseTransport):
    """A transport of httpx, each connection of which serves one request at a time."""

    def __init__(self, inner: httpx.HTTPTransport, report: Callable[[ConnectionsChanged], None]) -> None:
        self._inner = inner
        self._pool: Any = inner._pool
        self._report = report
        self._lock = threading.Lock()
        self._in_flight = 0
        self._told = (0, 0, 0)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.count(1)
        try:
            response = self._inner.handle_request(request)
        except BaseException:
            self.count(-1)
            raise
        if self._told[2]:
            self.count(0)  # it was waiting, for a connection that there is now
        response.stream = _Body(response.stream, self)
        return response

    def close(self) -> None:
        self._inner.close()
        self.count(0)

    def count(self, change: int) -> None:
        """So many requests more are in flight; tell what else has changed since the last time."""
        with self._lock:
            self._in_flight += change
            connections = len(self._pool.connections)
            used = min(connections, self._in_flight)
            numbers = (connections, connections - used, self._in_flight - used)
            opened, idle, waiting = (now - before for now, before in zip(numbers, self._told, strict=True))
            self._told = numbers
        if opened or idle or waiting:
            self._report(ConnectionsChanged(opened, idle, waiting))


class _Body(httpx.SyncByteStream):
    """The body of a response, which holds its connection until it is closed."""

    def __init__(self, body: Any, transport: WatchedTransport) -> None:
        self._body = body
        self._transport: WatchedTransport | None = transport

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._body)

    def close(self) -> None:
        transport, self._transport = self._transport, None
        try:
            self._body.close()
        finally:
            if transport is not None:
                transport.count(-1)
