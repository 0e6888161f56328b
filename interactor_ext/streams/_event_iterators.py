"""The iterators of streams and chats. Unlike generators, they can go on after an invalid event."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from typing import TypeVar

T = TypeVar("T")


class Events(Iterator[T]):
    """What `take` returns, until it raises StopIteration. `leave` is called when a loop ends, and when this is dropped,
    as a `for` does that is left.
    """

    def __init__(self, take: Callable[[], T], leave: Callable[[], None]) -> None:
        self._take = take
        self._leave = leave

    def __next__(self) -> T:
        try:
            return self._take()
        except StopIteration:
            self.close()
            raise

    def close(self) -> None:
        """Leave the loop."""
        self._take = iter(()).__next__
        self._leave()

    def __del__(self) -> None:
        self._leave()


class AsyncEvents(AsyncIterator[T]):
    """`Events` for asyncio. Its `anext` may be cancelled and called again, as for a time limit on each event, and no
    event is lost.
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
