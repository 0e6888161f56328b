"""A small pool of daemon threads for calls that may never return: stores, and Redis."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import suppress
from typing import Any, ParamSpec, TypeVar

from interactor_ext._fork import after_fork_in_child
from interactor_ext.tokens._latch import start_thread

P = ParamSpec("P")
T = TypeVar("T")

_MOST_THREADS = 8
# An abandoned thread may never end: beyond so many, one that hangs keeps its place among the others.
_MOST_ABANDONED = 256
_IDLE_SECONDS = 30.0


class DaemonThreads(Executor):
    """At most `most` threads, started as they are needed and ended when they are not.

    Unlike those of a `ThreadPoolExecutor` they do not hold up the end of the interpreter, and unlike those of a loop's
    default executor not the end of `asyncio.run`: one that waits for a dead server is no obstacle.
    """

    def __init__(self, name: str, *, most: int = _MOST_THREADS) -> None:
        self._name = name
        self._most = most
        self._start_afresh()
        after_fork_in_child(self._start_afresh)

    def _start_afresh(self) -> None:
        # `with self._lock`, not `with self._changed`: an interrupt can hit a caller inside of Condition.__enter__, and
        # would leave the lock taken. That of a lock of C is a single step.
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._calls: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._running: set[Future[Any]] = set()
        self._threads = 0
        self._idle = 0
        self._abandoned = 0

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: Future[T] = Future()
        with self._lock:
            # Before the call is in line: where no thread can be had, nobody may come upon it later.
            self._start_if_needed(len(self._calls) + 1)
            self._calls.append((future, lambda: fn(*args, **kwargs)))
            self._changed.notify()
        return future

    def abandon(self, future: Future[Any]) -> None:
        """Drop a call, or let another thread take the place of the one that it keeps."""
        if future.cancel():
            return
        with self._lock:
            if future in self._running and self._abandoned < _MOST_ABANDONED:
                self._running.remove(future)
                self._abandoned += 1
                self._threads -= 1
                with suppress(RuntimeError):  # no thread can be had; the next call tries again
                    self._start_if_needed(len(self._calls))

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
            self._changed.wait_for(lambda: self._calls, _IDLE_SECONDS)
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
    if future.set_running_or_notify_cancel():
        try:
            future.set_result(call())
        except BaseException as error:
            future.set_exception(error)
