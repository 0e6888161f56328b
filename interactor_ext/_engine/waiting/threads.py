"""Daemon threads: pools for calls that may never return."""

from __future__ import annotations

import contextvars
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import Any, ParamSpec, TypeVar

from interactor_ext._engine.fork import after_fork_in_child, fork_safe_lock, notice_fork
from interactor_ext._engine.waiting import no_thread, start_thread

P = ParamSpec("P")
T = TypeVar("T")

_MAX_THREADS = 8
# For pools whose callers bound the number of calls themselves.
UNBOUNDED = 1_000_000
# An abandoned thread may never end. Beyond this many, a thread that hangs keeps its place in the pool.
_MAX_ABANDONED = 256
_IDLE_SECONDS = 30.0


class DaemonThreads:
    """A pool of at most `max_threads` threads, started when needed. One that is idle for `idle` seconds ends.

    Unlike a `ThreadPoolExecutor`'s threads, they don't delay the end of the interpreter, and unlike the threads of a
    loop's default executor, they don't delay the end of `asyncio.run`, even if one is waiting for a dead server.
    """

    def __init__(self, name: str, *, max_threads: int = _MAX_THREADS, idle: float = _IDLE_SECONDS) -> None:
        self._name = name
        self._max_threads = max_threads
        self._idle_seconds = idle
        # `with self._lock` rather than `with self._changed`: an interrupt can hit a caller inside Condition.__enter__
        # and leave the lock taken. Entering a lock of C is a single step.
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
        """Make a call in a copy of the caller's context variables, and return its future.

        Raises ConfigurationError if the system refuses a thread.
        """
        notice_fork()
        future: Future[T] = Future()
        call = partial(contextvars.copy_context().run, function, *args, **kwargs)
        with self._lock:
            # Before the call is queued, because without a thread it must not run later.
            try:
                self._start_if_needed(len(self._calls) + 1)
            except RuntimeError as error:
                raise no_thread() from error
            self._calls.append((future, call))
            self._changed.notify()
        return future

    def call(self, function: Callable[[], T], timeout: float) -> T:
        """Make a call and return its result. After `timeout` seconds it is abandoned, and TimeoutError raised."""
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
        """Drop a call that hasn't started, or let another thread replace the one that it blocks."""
        if future.cancel():
            return
        with self._lock:
            if future in self._running and not future.done() and self._abandoned < _MAX_ABANDONED:
                self._running.remove(future)
                self._abandoned += 1
                self._threads -= 1
                with suppress(RuntimeError):  # the system refuses a thread; the next call tries again
                    self._start_if_needed(len(self._calls))

    @property
    def abandoned(self) -> int:
        """How many abandoned calls still keep their threads."""
        return self._abandoned

    @property
    def is_exhausted(self) -> bool:
        """Whether calls that hang keep every thread."""
        with self._lock:
            return self._abandoned >= _MAX_ABANDONED and len(self._running) >= self._max_threads

    def _start_if_needed(self, calls: int) -> None:
        if calls > self._idle and self._threads < self._max_threads:
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
        # In a generator or coroutine that waits for it, this exception would mean something else.
        future.set_exception(RuntimeError("The function raised StopIteration."))
    except BaseException as error:
        future.set_exception(error)
        del future  # otherwise it and its exception's traceback would reference each other
    else:
        future.set_result(result)


class NoThreadFreeError(Exception):
    """All threads of a pool are busy, and stayed busy."""


class OutOfTimeError(TimeoutError):
    """The call didn't end in time."""


def timed_out(timeout: float) -> OutOfTimeError:
    return OutOfTimeError(f"It didn't end within {timeout:.3g} s.")
