"""Tasks that run in an event loop alongside the relay's requests: streams and replies, until the server stops."""

from __future__ import annotations

import asyncio
import atexit
import os
import signal
import weakref
from collections.abc import Callable, Collection, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from interactor_ext._engine.logs import relay_logger as logger
from interactor_ext.relay._http import log_failure, relay_closed

T = TypeVar("T")
Room = tuple[str, str]
"""A namespace, and the id of a room in it."""
Work = Collection[asyncio.Task[Any]]

# How often to check whether the server is shutting down.
_CHECK_SECONDS = 0.25
# How long a cancelled task may take to end.
_CANCEL_SECONDS = 1.0


class Background:
    """The tasks of one event loop. At shutdown, streams end at once; other tasks are cancelled and logged after
    `seconds`.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        # Each task with a function that names it for the log; None for a stream.
        self._tasks: dict[asyncio.Task[Any], Callable[[], str] | None] = {}
        self._rooms: dict[asyncio.Task[Any], Room] = {}
        self._watch: asyncio.Task[None] | None = None
        self._is_draining = False
        # A WSGI server ends the process without notifying the event loop in its thread.
        self._process = os.getpid()
        atexit.register(_drain_at_exit, weakref.ref(self))

    def stream(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Start the task of a stream, which stays open until cancelled."""
        return self._begin(work, None)

    def follow(self, room: Room, name: Callable[[], str], work: Coroutine[Any, Any, object]) -> None:
        """Process a reply in a room. Errors are logged."""
        task = self._begin(work, name)
        self._rooms[task] = room
        task.add_done_callback(self._rooms.pop)
        task.add_done_callback(partial(_log, name))

    def tasks_of(self, room: Room) -> Work:
        """Return the tasks that process a reply in the room."""
        return [task for task, its in self._rooms.items() if its == room]

    async def finish(self, what: str, work: Coroutine[Any, Any, T]) -> T:
        """Return the result of a coroutine that continues even if the request is cancelled."""

        def name() -> str:
            return what

        task = self._begin(work, name)
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            task.add_done_callback(partial(_log, name))
            raise
        if task.cancelled():
            raise relay_closed()
        return task.result()

    async def drain(self) -> None:
        """End the streams, and wait for the other tasks, including requests in progress. Calling it twice is
        harmless.
        """
        self._is_draining = True
        for task, name in self._tasks.items():
            if name is None:
                task.cancel()
        ends_at = self._loop.time() + self._seconds
        while self._tasks and (left := ends_at - self._loop.time()) > 0:
            await asyncio.wait(self._tasks, timeout=left)
        for task, name in list(self._tasks.items()):
            if name is not None:
                logger.error(
                    "%s was cut off after %g s, because the server is stopping. With a ledger, another process takes "
                    "over when a browser comes back.",
                    name(),
                    self._seconds,
                )
                task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_CANCEL_SECONDS)

    def drain_from_outside(self) -> None:
        """Drain at process exit, from a thread other than the event loop's."""
        # To a forked child, its parent's event loop seems to be running.
        if self._tasks and self._loop.is_running() and os.getpid() == self._process:
            drained = asyncio.run_coroutine_threadsafe(self.drain(), self._loop)
            with suppress(TimeoutError):
                drained.result(self._seconds + 2 * _CANCEL_SECONDS)

    def _begin(self, work: Coroutine[Any, Any, T], name: Callable[[], str] | None) -> asyncio.Task[T]:
        task = self._loop.create_task(work)
        self._tasks[task] = name
        task.add_done_callback(self._tasks.pop)
        if name is None and self._is_draining:
            task.cancel()
        if self._watch is None or self._watch.done():
            self._watch = self._loop.create_task(self._watch_server())
        return task

    async def _watch_server(self) -> None:
        """Watch for uvicorn's shutdown: it waits for open responses, and doesn't notify mounted applications."""
        while self._tasks:
            if _is_server_ending():
                await self.drain()
                return
            await asyncio.sleep(_CHECK_SECONDS)


def _drain_at_exit(background: weakref.ref[Background]) -> None:
    if (found := background()) is not None:
        found.drain_from_outside()


def _log(name: Callable[[], str], task: asyncio.Task[Any]) -> None:
    if not task.cancelled() and isinstance(error := task.exception(), Exception):
        log_failure(name(), error)


def _is_server_ending() -> bool:
    """Whether the uvicorn in this process has been told to shut down. Its signal handler is a method of the server."""
    server = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    return getattr(server, "should_exit", False) is True
