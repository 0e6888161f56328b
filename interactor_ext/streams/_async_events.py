"""The asynchronous iterator over events, of streams and chats."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


class AsyncEvents(AsyncIterator[T]):
    """Its `anext` may be cancelled and called again, as for a time limit on each event, and no event is lost.

    That ends an async generator, so this is none. But asyncio closes generators that are dropped, and those that are
    left when a loop ends: `guard` is one, which begins with the first event and is closed with this.
    """

    def __init__(self, take: Callable[[], Awaitable[T]], guard: AsyncGenerator[None, None] | None = None) -> None:
        self._take = take  # raises StopAsyncIteration at the end
        self._guard = guard
        self._has_begun = self._is_over = False

    async def __anext__(self) -> T:
        if self._is_over:
            raise StopAsyncIteration
        if self._guard is not None and not self._has_begun:
            self._has_begun = True
            await anext(self._guard)
        try:
            return await self._take()
        except StopAsyncIteration:
            await self.aclose()
            raise

    async def aclose(self) -> None:
        """Leave the loop."""
        self._is_over = True
        if self._guard is not None:
            await self._guard.aclose()
