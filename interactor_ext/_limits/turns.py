"""Waiting in line, for threads and for coroutines of any loop in the same line."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Hashable, Iterator
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager

from interactor_ext._fork import after_fork_in_child


class Turns:
    """One turn for each key at a time, first come, first served. Who is cancelled or gives up while waiting leaves the
    line.
    """

    def __init__(self) -> None:
        self._start_afresh()
        after_fork_in_child(self._start_afresh)

    def _start_afresh(self) -> None:
        self._lock = threading.Lock()
        self._lines: dict[Hashable, deque[Future[None]]] = {}

    def has_line(self, key: Hashable) -> bool:
        return key in self._lines

    @contextmanager
    def wait(self, key: Hashable, timeout: float | None) -> Iterator[None]:
        """Hold the turn. TimeoutError if it does not come within `timeout` seconds."""
        place = self._join(key)
        if place is not None:
            try:
                place.result(timeout)
            except BaseException:
                self._give_up(key, place)
                raise
        try:
            yield
        finally:
            self._leave(key)

    @asynccontextmanager
    async def wait_async(self, key: Hashable, timeout: float | None) -> AsyncIterator[None]:
        place = self._join(key)
        if place is not None:
            try:
                async with asyncio.timeout(timeout):
                    await asyncio.wrap_future(place)
            except BaseException:
                self._give_up(key, place)
                raise
        try:
            yield
        finally:
            self._leave(key)

    def _join(self, key: Hashable) -> Future[None] | None:
        with self._lock:
            line = self._lines.get(key)
            if line is None:
                self._lines[key] = deque()
                return None
            place: Future[None] = Future()
            line.append(place)
            return place

    def _leave(self, key: Hashable) -> None:
        with self._lock:
            line = self._lines.get(key)
            while line:
                place = line.popleft()
                if place.set_running_or_notify_cancel():
                    place.set_result(None)
                    return
            self._lines.pop(key, None)

    def _give_up(self, key: Hashable, place: Future[None]) -> None:
        if not place.cancel() and not place.cancelled():
            self._leave(key)  # the turn had just come
