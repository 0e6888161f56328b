"""The asynchronous iterator over events, of streams and chats."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


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
