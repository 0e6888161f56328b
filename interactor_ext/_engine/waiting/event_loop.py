"""An event loop in a daemon thread, for coroutines of synchronous callers."""

from __future__ import annotations

import inspect
import threading
import time
from collections.abc import Awaitable
from concurrent.futures import Future
from functools import partial
from typing import TypeVar

from interactor_ext._engine.fork import after_fork_in_child, fork_safe_lock, notice_fork
from interactor_ext._engine.lazy import asyncio
from interactor_ext._engine.logs import logger
from interactor_ext._engine.waiting import no_thread, start_thread
from interactor_ext._engine.waiting.threads import timed_out

T = TypeVar("T")

# How long a coroutine may take to end once it is cancelled.
_CANCEL_SECONDS = 2.0
# How long to wait before running an event loop again that an error has ended.
_PAUSE = 0.05


class LoopThread:
    """One event loop in a daemon thread, started when a synchronous caller first runs a coroutine.

    It outlives the call, so a connection pool that a function keeps stays usable for the next one. Many callers share
    it, so it also survives what ends other loops: SystemExit or KeyboardInterrupt in a task or a callback, and
    `loop.stop()`.
    """

    def __init__(self) -> None:
        self._lock = fork_safe_lock()
        self._reset()
        after_fork_in_child(self._forget_parent)

    def _reset(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self.abandoned = 0

    def result_of(self, awaitable: Awaitable[T], timeout: float | None = None) -> T:
        """Return the result of an awaitable. After `timeout` seconds it is cancelled, and TimeoutError raised."""
        loop, future = self._started(awaitable, timeout, waits=True)
        try:
            # A coroutine has a moment to end once it is cancelled; if it blocks the loop, nothing is cancelled.
            return future.result(None if timeout is None else timeout + _CANCEL_SECONDS)
        except TimeoutError:
            if future.done():
                return future.result()
            self._replace(loop)
            raise timed_out(timeout or 0) from None
        finally:
            future.cancel()

    def start(self, awaitable: Awaitable[T]) -> Future[T]:
        """Return the future of an awaitable. Doesn't wait, so a finaliser in any thread may call it."""
        return self._started(awaitable, None, waits=False)[1]

    def _started(
        self, awaitable: Awaitable[T], timeout: float | None, *, waits: bool
    ) -> tuple[asyncio.AbstractEventLoop, Future[T]]:
        try:
            if waits and self._thread is threading.current_thread():
                raise RuntimeError(
                    "A synchronous call in an asynchronous function would wait for itself. Await the "
                    "asynchronous version there."
                )
            loop = self._running_loop()
        except BaseException:
            if inspect.iscoroutine(awaitable):
                awaitable.close()
            raise
        return loop, asyncio.run_coroutine_threadsafe(with_timeout(awaitable, timeout), loop)

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        notice_fork()
        with self._lock:
            if self._loop is None or self._loop.is_closed():
                loop = asyncio.new_event_loop()
                try:
                    # Doesn't wait: under gevent, another greenlet would start a second loop in the meantime.
                    start_thread(partial(self._run, loop), "interactor-async-functions")
                except RuntimeError as error:
                    loop.close()
                    raise no_thread() from error
                self._loop = loop
            return self._loop

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        self._thread = threading.current_thread()
        while not loop.is_closed():
            try:
                loop.run_forever()
            except BaseException:
                # The caller that waits for the task gets the error as well.
                logger.exception(
                    "An asynchronous function raised an error that would end the event loop. The loop goes on."
                )
                # Under gevent, another greenlet's loop may be in the way, and must continue.
                time.sleep(_PAUSE)

    def _replace(self, loop: asyncio.AbstractEventLoop) -> None:
        """Leave a loop that a function blocks to the callers waiting in it; the next caller starts another."""
        logger.error("An asynchronous function is blocking its event loop. The next one runs in another loop.")
        with self._lock:
            if self._loop is loop:
                self._loop = self._thread = None
                self.abandoned += 1

    def _forget_parent(self) -> None:
        # Closing the parent's loop in a forked child would break the selector that both share.
        _inherited.append(self._loop)
        self._reset()


async def with_timeout(awaitable: Awaitable[T], timeout: float | None) -> T:
    """Await something for at most this many seconds. Raises TimeoutError."""
    limit = asyncio.timeout(timeout)
    try:
        async with limit:
            return await awaitable
    except TimeoutError:
        if limit.expired():
            raise timed_out(timeout or 0) from None
        raise


_inherited: list[asyncio.AbstractEventLoop | None] = []
loop_thread = LoopThread()
