"""The iterators of streams and chats. Unlike generators, they can go on after an invalid event."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator, Iterator
from typing import TypeVar

from interactor_ext._errors import ResponseValidationError

R = TypeVar("R")
T = TypeVar("T")


class Events(Iterator[T]):
    """What `read` makes of the events of a loop. `refuse` gets the errors of invalid ones, and may raise them."""

    def __init__(
        self,
        loop: Generator[R, None, None],
        read: Callable[[R], T],
        refuse: Callable[[ResponseValidationError], object],
    ) -> None:
        self._loop = loop
        self._read = read
        self._refuse = refuse

    def __next__(self) -> T:
        for event in self._loop:
            try:
                return self._read(event)
            except ResponseValidationError as error:
                self._refuse(error)
        raise StopIteration

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
