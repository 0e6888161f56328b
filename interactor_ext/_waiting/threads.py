"""Daemon threads: pools for calls that may never return, and an event loop for coroutines of synchronous callers."""

from __future__ import annotations

import contextvars
import inspect
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from interactor_ext._errors import ConfigurationError
from interactor_ext._fork import after_fork_in_child, fork_safe_lock, notice_fork
from interactor_ext._lazy import LazyModule
from interactor_ext._waiting import start_thread
from interactor_ext.logs import logger

if TYPE_CHECKING:
    import asyncio
else:
    asyncio = LazyModule("asyncio")

P = ParamSpec("P")
T = TypeVar("T")

_MOST_THREADS = 8
# For pools whose callers bound the number of calls themselves.
UNBOUNDED = 1_000_000
# An abandoned thread may never end: beyond so many, one that hangs keeps its place among the others.
_MOST_ABANDONED = 256
_IDLE_SECONDS = 30.0
# For a coroutine to end once it is cancelled.
_CANCEL_SECONDS = 2.0
# Before an event loop that an error has ended runs again.
_PAUSE = 0.05


class DaemonThreads:
    """A pool of at most `most` threads, started as they are needed; one that is idle for `idle` seconds ends.

    Unlike those of a `ThreadPoolExecutor` they do not hold up the end of the interpreter, and unlike those of a loop's
    default executor not the end of `asyncio.run`: one that waits for a dead server is no obstacle.
    """

    def __init__(self, name: str, *, most: int = _MOST_THREADS, idle: float = _IDLE_SECONDS) -> None:
        self._name = name
        self._most = most
        self._idle_seconds = idle
        # `with self._lock`, not `with self._changed`: an interrupt can hit a caller inside of Condition.__enter__, and
        # would leave the lock taken. That of a lock of C is a single step.
        self._lock = fork_safe_lock()
        self._reset()
        after_fork_in_child(self._reset)

    def _reset(self) -> None:
        self._changed = threading.Condition(self._lock)
        self._calls: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._running: set[Future[Any]] = set()
        self._threads = 0
        self._idle = 0
        self._abandoned = 0

    def submit(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """The outcome of a call, made in a copy of the caller's context variables.

        Raises ConfigurationError where the system gives no thread.
        """
        notice_fork()
        future: Future[T] = Future()
        call = partial(contextvars.copy_context().run, function, *args, **kwargs)
        with self._lock:
            # Before the call is queued: without a thread it must not run later.
            try:
                self._start_if_needed(len(self._calls) + 1)
            except RuntimeError as error:
                raise _no_thread() from error
            self._calls.append((future, call))
            self._changed.notify()
        return future

    def call(self, function: Callable[[], T], timeout: float) -> T:
        """What a call returns. After `timeout` seconds it is abandoned, and TimeoutError raised."""
        future = self.submit(function)
        try:
            return future.result(timeout)
        except TimeoutError:
            if not future.done():
                raise timed_out(timeout) from None
            return future.result()  # or the function's own TimeoutError
        finally:
            self.abandon(future)

    def abandon(self, future: Future[Any]) -> None:
        """Drop a call that has not begun, or let another thread take the place of the one that it keeps."""
        if future.cancel():
            return
        with self._lock:
            if future in self._running and not future.done() and self._abandoned < _MOST_ABANDONED:
                self._running.remove(future)
                self._abandoned += 1
                self._threads -= 1
                with suppress(RuntimeError):  # no thread can be had; the next call tries again
                    self._start_if_needed(len(self._calls))

    @property
    def abandoned(self) -> int:
        """How many abandoned calls keep their threads."""
        return self._abandoned

    def _start_if_needed(self, calls: int) -> None:
        if calls > self._idle and self._threads < self._most:
            start_thread(self._work, self._name)
            self._threads += 1

    def _work(self) -> None:
        while (taken := self._next()) is not None:
            _run(*taken)
            if self._is_replaced(taken[0]):
                return
            del taken  # not kept until the next one comes

    def _next(self) -> tuple[Future[Any], Callable[[], Any]] | None:
        with self._lock:
            self._idle += 1
            self._changed.wait_for(lambda: self._calls, self._idle_seconds)
            self._idle -= 1
            if self._calls:
                taken = self._calls.popleft()
                self._running.add(taken[0])
                return taken
            self._threads -= 1
            return None

    def _is_replaced(self, future: Future[Any]) -> bool:
        with self._lock:
            if future in self._running:
                self._running.remove(future)
                return False
            self._abandoned -= 1
            return True


def _run(future: Future[Any], call: Callable[[], Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = call()
    except StopIteration:
        # Thrown into a generator or a coroutine that waits for it, it would mean something else.
        future.set_exception(RuntimeError("The function raised StopIteration."))
    except BaseException as error:
        future.set_exception(error)
        del future  # otherwise it and the traceback of its exception would hold each other
    else:
        future.set_result(result)


class LoopThread:
    """One event loop in a daemon thread, started when a synchronous caller first meets a coroutine.

    It outlives the call, so a pool of connections that a function keeps stays usable from one call to the next. Many
    callers share it, so it also outlives what ends other loops: SystemExit or KeyboardInterrupt in a task or a
    callback, and `loop.stop()`.
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
        """What an awaitable gives. After `timeout` seconds it is cancelled, and TimeoutError raised."""
        try:
            if self._thread is threading.current_thread():
                raise RuntimeError(
                    "A synchronous call in an asynchronous function waits for itself: await its twin there."
                )
            loop = self._running_loop()
        except BaseException:
            if inspect.iscoroutine(awaitable):
                awaitable.close()
            raise
        future = asyncio.run_coroutine_threadsafe(with_timeout(awaitable, timeout), loop)
        try:
            # A coroutine has a moment to end once it is cancelled; a loop that it blocks cancels nothing.
            return future.result(None if timeout is None else timeout + _CANCEL_SECONDS)
        except TimeoutError:
            if future.done():
                return future.result()
            self._replace(loop)
            raise timed_out(timeout or 0) from None
        finally:
            future.cancel()

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        notice_fork()
        with self._lock:
            if self._loop is None or self._loop.is_closed():
                loop = asyncio.new_event_loop()
                try:
                    # Waits for nothing: under gevent, another greenlet would start a second loop in the meantime.
                    start_thread(partial(self._run, loop), "interactor-async-functions")
                except RuntimeError as error:
                    loop.close()
                    raise _no_thread() from error
                self._loop = loop
            return self._loop

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        self._thread = threading.current_thread()
        while not loop.is_closed():
            try:
                loop.run_forever()
            except BaseException:
                # The caller that waits for the task gets the error as well.
                logger.exception("An asynchronous function raised an error that ends event loops. This one goes on.")
                # Under gevent, the loop of another greenlet may be in its way, and has to go on.
                time.sleep(_PAUSE)

    def _replace(self, loop: asyncio.AbstractEventLoop) -> None:
        """Leave a loop that a function blocks to those who wait in it; the next caller starts another."""
        logger.error("An asynchronous function blocks the event loop that runs it. The next one runs in another.")
        with self._lock:
            if self._loop is loop:
                self._loop = self._thread = None
                self.abandoned += 1

    def _forget_parent(self) -> None:
        # To close the parent's loop in a forked child would take down the selector that both share.
        _inherited.append(self._loop)
        self._reset()


async def with_timeout(awaitable: Awaitable[T], timeout: float | None) -> T:
    """Await, for so many seconds. Raises TimeoutError."""
    limit = asyncio.timeout(timeout)
    try:
        async with limit:
            return await awaitable
    except TimeoutError:
        if limit.expired():
            raise timed_out(timeout or 0) from None
        raise


def timed_out(timeout: float) -> TimeoutError:
    return TimeoutError(f"It did not end within {timeout:.3g} s.")


def remaining(timeout: float | None, began: float) -> float | None:
    """What is left of a time limit, in seconds, at least 0. `began` is an instant of `time.monotonic()`."""
    return None if timeout is None else max(0.0, timeout - (time.monotonic() - began))


def _no_thread() -> ConfigurationError:
    return ConfigurationError(
        "No thread could be started: the process has as many as it may have, or is about to end. "
        "Allow it more threads (`ulimit -u`, or the limit of processes of its container)."
    )


_inherited: list[asyncio.AbstractEventLoop | None] = []
loop_thread = LoopThread()
