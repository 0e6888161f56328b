"""One object per event loop: a loop's connections and futures must not be used in another."""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, Generic, TypeVar

from interactor_ext._engine.errors import ConfigurationError
from interactor_ext._engine.fork import after_fork_in_child, fork_safe_lock, notice_fork
from interactor_ext._engine.waiting import TRANSPORT_CLOSED

T = TypeVar("T")

# The parent's loops don't run in a forked child. If their objects were finalized here, they would wake the parent
# through a pipe that both processes share.
_inherited: list[Any] = []


class PerLoop(Generic[T]):
    """A `T` for each event loop: created on first use; closed with the loop, by `aclose()`, or with this object.

    The only thing that `asyncio.run` does for libraries when it ends is to close async generators. So each `T` is
    closed by an async generator in its own loop, without "Event loop is closed" and without a ResourceWarning.
    """

    def __init__(
        self,
        make: Callable[[], T],
        close: Callable[[T], Awaitable[None]],
        *,
        after_fork: Callable[[T], None] | None = None,
    ) -> None:
        self._make = make
        self._close = close
        self._after_fork = after_fork
        self._closed = False
        self._lock = fork_safe_lock()
        self._entries: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Entry[T]] = weakref.WeakKeyDictionary()
        after_fork_in_child(self._forget_parent)

    def get(self) -> T:
        """Returns the object of the running loop. Raises ConfigurationError after `aclose()`."""
        if self._closed:
            raise ConfigurationError(TRANSPORT_CLOSED)
        notice_fork()
        loop = asyncio.get_running_loop()
        entry = self._entries.get(loop)
        if entry is None or entry.closed:
            entry = self._add(loop)
        return entry.value

    async def aclose(self) -> None:
        """Close the running loop's object, and have the other loops close theirs."""
        self._closed = True
        running = asyncio.get_running_loop()
        for loop, entry in self._items():
            if loop is running:
                await entry.aclose()
            else:  # doesn't wait, because that loop's thread may be waiting for this one
                _close_in(loop, entry)

    def __del__(self) -> None:
        close_in = globals()["_close_in"]  # None when the interpreter ends: it clears modules before objects
        for loop, entry in list(self._entries.items()) if close_in else ():
            close_in(loop, entry)

    def values(self) -> list[T]:
        """The objects of all loops."""
        return [entry.value for _, entry in self._items() if not entry.closed]

    def _items(self) -> list[tuple[asyncio.AbstractEventLoop, _Entry[T]]]:
        with self._lock:
            return list(self._entries.items())

    def _add(self, loop: asyncio.AbstractEventLoop) -> _Entry[T]:
        entry = _Entry(self._make(), self._close)
        with self._lock:
            for other in [other for other in self._entries if other.is_closed()]:
                del self._entries[other]
            self._entries[loop] = entry
        return entry

    def _forget_parent(self) -> None:
        entries = list(self._entries.items())
        self._entries = weakref.WeakKeyDictionary()
        _inherited.extend(entries)
        if self._after_fork is not None:
            for _, entry in entries:
                self._after_fork(entry.value)


class _Entry(Generic[T]):
    def __init__(self, value: T, close: Callable[[T], Awaitable[None]]) -> None:
        self.value = value
        self._closing: asyncio.Task[None] | None = None
        self._close = close
        self._guard: AsyncGenerator[None, None] | None = _hold_until_shutdown(value, close, weakref.ref(self))
        # The first step registers the generator with the loop. It never suspends, so a single `send` completes it.
        with contextlib.suppress(StopIteration):
            self._guard.__anext__().send(None)

    @property
    def closed(self) -> bool:
        return self._guard is None

    def forget(self) -> asyncio.Task[None] | None:
        """Drop the references to the generator and the closing task, which keep the loop alive. Returns the task."""
        task, self._guard, self._closing = self._closing, None, None
        return task

    async def aclose(self) -> None:
        if self._guard is None:
            return
        # If this is cancelled, for example because the loop ends, the guard can still close it.
        await self._close(self.value)
        if self._guard is not None:
            await self._guard.aclose()

    def start_closing(self) -> None:
        if self._guard is not None:  # otherwise the loop is about to end and wouldn't run another task
            self._closing = asyncio.get_running_loop().create_task(self.aclose())


def _close_in(loop: asyncio.AbstractEventLoop, entry: _Entry[Any]) -> None:
    """Have a loop close its object when it next runs, at the latest when it ends. It keeps the entry until then: a
    dropped generator would be closed in a task that a loop's end doesn't wait for.
    """
    with contextlib.suppress(RuntimeError):  # it has ended
        loop.call_soon_threadsafe(entry.start_closing)


async def _hold_until_shutdown(
    value: T, close: Callable[[T], Awaitable[None]], entry: weakref.ref[_Entry[T]]
) -> AsyncGenerator[None, None]:
    try:
        yield
    finally:
        try:
            current = asyncio.current_task()
        except (RuntimeError, AttributeError):
            pass  # the interpreter ends with an open loop, as under nest_asyncio
        else:
            holder = entry()
            task = None if holder is None else holder.forget()
            if task is not None and task is not current:
                await asyncio.wait([task])
            await close(value)  # calling it twice is harmless
