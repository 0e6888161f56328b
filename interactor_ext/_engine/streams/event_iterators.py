"""The iterators of streams and chats. Unlike generators, they can go on after an invalid event."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from typing import NoReturn, TypeVar

from interactor_ext._engine.streams.events import Received

T = TypeVar("T")
Take = Callable[[object, Callable[[Received], T]], T]


class Events(Iterator[T]):
    """What `take` returns, until it raises StopIteration. `leave` is called when this object is dropped, after a `for`
    too. Both get an object that identifies the loop.
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
