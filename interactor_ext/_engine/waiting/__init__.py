"""Events for threads and for tasks of any event loop, and a thread start, that no interrupt can leave half done.

Ctrl-C, or a signal handler that raises, can hit a thread in any line of Python. Within `threading.Event`, `Condition`
or `concurrent.futures.Future` it can leave their only lock taken, and everybody else waits forever. A plain lock is
written in C, where no handler runs, and each waiter has its own.
"""

from __future__ import annotations

import _thread
import contextlib
import threading
from collections.abc import Callable
from typing import NoReturn, Protocol

from interactor_ext._engine.errors import ConfigurationError

TRANSPORT_CLOSED = "the transport is closed, by close() or because the program is ending: create a new one"


def require_asyncio() -> None:
    """Raise ConfigurationError if no asyncio event loop is running, as under trio."""
    import asyncio

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        raise ConfigurationError(
            "This needs a running asyncio event loop, and there is none. Under trio, use "
            "InteractorClient in threads (trio.to_thread.run_sync), or run this part with trio-asyncio "
            "or asyncio.run."
        ) from None


class WrongWithError(TypeError, AttributeError):
    """`with` and `async with` were mistaken for one another."""


class NoContextManager:
    """Replaces `__aenter__` of a sync class and `__enter__` of an async one. Looking it up raises an error.

    A descriptor makes `hasattr` return False. Frameworks use `hasattr` to tell the two apart.
    """

    def __init__(self, advice: str) -> None:
        self._advice = advice

    def __get__(self, instance: object, owner: type) -> NoReturn:
        raise WrongWithError(self._advice.format(owner.__name__))


NO_ASYNC_WITH = NoContextManager("{} is sync: write `with`, not `async with`, or use AsyncInteractorClient")
NO_WITH = NoContextManager("{} is async: write `async with`, not `with`, or use InteractorClient")


class Waiter(Protocol):
    def wake(self) -> None:
        """Wake the waiter. May be called from any thread, any number of times. Neither waits nor takes a lock."""


class ThreadWaiter:
    """Lets one thread sleep until another wakes it.

    Not a SimpleQueue: if its wait is over before it has started, or a signal handler takes longer, `get` in Python 3.11
    and 3.12 treats the remaining time, negative by then, as no limit.
    """

    __slots__ = ("_asleep",)

    def __init__(self) -> None:
        self._asleep = _thread.allocate_lock()
        self._asleep.acquire()

    def wake(self) -> None:
        with contextlib.suppress(RuntimeError):  # already woken
            self._asleep.release()

    def wait(self, seconds: float) -> bool:
        """Return when it is woken, at once if it was already, and after `seconds` at the latest. True if it was
        woken."""
        return self._asleep.acquire(timeout=max(0.0, min(seconds, threading.TIMEOUT_MAX)))


class TaskWaiter:
    """Lets one task sleep until another task or thread wakes it. Made in the task's event loop."""

    __slots__ = ("_event", "_loop")

    def __init__(self) -> None:
        import asyncio

        require_asyncio()
        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()

    def wake(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._event.set)

    async def wait(self, seconds: float | None) -> None:
        import asyncio

        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._event.wait()
        self._event.clear()


class Latch:
    """An event that is set once, for any number of threads and tasks."""

    def __init__(self) -> None:
        self.is_set: bool = False
        self._waiters: set[Waiter] = set()

    def set(self) -> None:
        """Takes no lock."""
        self.is_set = True
        for waiter in list(self._waiters):
            waiter.wake()

    def wait(self, seconds: float, waiter: ThreadWaiter | None = None) -> bool:
        """Return when it is set, when somebody wakes `waiter`, or after this many seconds. True if it is set."""
        waiter = waiter or ThreadWaiter()
        self._waiters.add(waiter)
        try:
            if not self.is_set:  # checked after the waiter was added, otherwise neither side might see the other
                waiter.wait(seconds)
        finally:
            self._waiters.discard(waiter)
        return self.is_set

    async def wait_async(self, seconds: float, waiter: TaskWaiter | None = None) -> bool:
        waiter = waiter or TaskWaiter()
        self._waiters.add(waiter)
        try:
            if not self.is_set:
                await waiter.wait(seconds)
        finally:
            self._waiters.discard(waiter)
        return self.is_set


def closed(by: str) -> ConfigurationError:
    """Make the error of a call to a client that was closed, by `by` if that is known."""
    who = f", by {by}" if by else ""
    return ConfigurationError(f"The client is closed{who}. Create a new one, or close it only when you're done.")


def no_thread() -> ConfigurationError:
    return ConfigurationError(
        "Couldn't start a thread: the process has reached its limit of threads, or is ending. Raise "
        "the limit (`ulimit -u`, or the container's limit of processes)."
    )


class Closing(Latch):
    """Whether a client was closed. Its pending calls then stop waiting and end with a ConfigurationError."""

    def __init__(self) -> None:
        super().__init__()
        self.by: str = ""

    def announce(self, by: str) -> None:
        """Record who is about to close it. Errors of later calls mention it."""
        if not self.is_set:
            self.by = by

    def check(self) -> None:
        if self.is_set:
            raise closed(self.by)

    def pause(self, seconds: float) -> None:
        self.wait(seconds)
        self.check()

    async def pause_async(self, seconds: float) -> None:
        await self.wait_async(seconds)
        self.check()


def start_thread(target: Callable[[], object], name: str) -> None:
    """Start a daemon thread. RuntimeError if the system refuses one.

    `Thread.start` waits for the new thread in Python: an interrupt there can end that wait before the thread gets to
    `target`. So another thread does it, whose own start is a single step of C.
    """

    def start() -> None:
        try:
            threading.Thread(target=target, name=name, daemon=True).start()
        except RuntimeError:
            target()  # the system refuses another thread, so this one runs it

    _thread.start_new_thread(start, ())
