"""The iterators over events, of streams and chats. Unlike generators, they go on after an event that can't be read."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator, Iterator
from typing import TypeVar

R = TypeVar("R")
T = TypeVar("T")


class Events(Iterator[T]):
    """What `read` makes of the events of a loop, without those of which it makes None."""

    def __init__(self, loop: Generator[R, None, None], read: Callable[[R], T | None]) -> None:
        self._loop = loop
        self._read = read

    def __next__(self) -> T:
        while True:
            event = self._read(next(self._loop))
            if event is not None:
                return event

    def close(self) -> None:
        """Leave the loop."""
        self._loop.close()


class AsyncEvents(AsyncIterator[T]):
    """Its `anext` may be cancelled and called again, as for a time limit on each event, and no event is lost.

    A generator would end. But asyncio closes those that are dropped, or left when a loop ends: `guard` is one, which
    yields before each event until it is closed.
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
