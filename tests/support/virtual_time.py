"""Virtual clocks: an event loop on which waits take no real time, and calls no virtual time."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

import httpx

from interactor_ext.sandbox.clock import Clock

T = TypeVar("T")


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """When every task waits for a timer, its clock jumps to the first one. It stops while a request through
    `VirtualTimeTransport` is in progress, so the order of events doesn't depend on the machine's speed.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self.requests_in_flight = 0
        super().__init__(_Selector(self))

    def time(self) -> float:
        return self.now


class StillClock(Clock):
    """A sandbox's clock that only advances with `advance`."""

    def __init__(self) -> None:
        super().__init__()
        self.set(1.8e9)
        self.freeze()


class _Selector(selectors.DefaultSelector):
    def __init__(self, loop: VirtualTimeLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        if self._loop.requests_in_flight:
            return super().select(None)
        ready = super().select(0)
        if not ready:
            self._loop.now += timeout
        return ready


class VirtualTimeTransport(httpx.AsyncBaseTransport):
    """Stops the clock of a `VirtualTimeLoop` from a request to the last byte of its response."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        loop.requests_in_flight += 1
        try:
            response = await self._inner.handle_async_request(request)
            body = await response.aread()
            await response.aclose()
        finally:
            loop.requests_in_flight -= 1
        return httpx.Response(response.status_code, headers=response.headers, content=body)

    async def aclose(self) -> None:
        await self._inner.aclose()


def run_in_virtual_time(main: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)
