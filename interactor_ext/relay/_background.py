"""What the relay does after its responses, in one event loop: it follows answers, and drains when the server stops."""

from __future__ import annotations

import asyncio
import atexit
import signal
import weakref
from collections.abc import Callable, Collection, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from interactor_ext._errors import ConfigurationError
from interactor_ext.logs import relay_logger as logger
from interactor_ext.relay._http import log_failure

T = TypeVar("T")
Work = Collection[asyncio.Task[Any]]

# Between two looks at whether the server shuts down.
_LOOK_SECONDS = 0.25
# For a task to end once it is cancelled.
_CANCEL_SECONDS = 1.0


class Background:
    """The tasks of one event loop. At shutdown they have `seconds` to end; those that don't are cancelled, and logged.

    `end_streams` is called before that, and `has_streams` says whether there are any.
    """

    def __init__(
        self, seconds: float, has_streams: Callable[[], bool], end_streams: Callable[[], Coroutine[Any, Any, object]]
    ) -> None:
        self._seconds = seconds
        self._has_streams = has_streams
        self._end_streams = end_streams
        self._loop = asyncio.get_running_loop()
        self._tasks: dict[asyncio.Task[Any], Callable[[], str]] = {}
        self._rooms: dict[asyncio.Task[Any], tuple[str, str]] = {}
        self._watch: asyncio.Task[None] | None = None
        # A WSGI server ends the process without a word to the event loop in its thread.
        atexit.register(_drain_at_exit, weakref.ref(self))

    def run(
        self,
        what: str,
        work: Coroutine[Any, Any, object],
        room: tuple[str, str],
        name: Callable[[], str] | None = None,
    ) -> None:
        """Run a coroutine for a room of a namespace. `what` names it in the log if it fails, `name` if it's cut off."""
        task = self._begin(work, name or (lambda: what))
        task.add_done_callback(partial(_log, what))
        self._rooms[task] = room
        task.add_done_callback(self._rooms.pop)

    def tasks_of(self, room: tuple[str, str]) -> Work:
        return [task for task, its in self._rooms.items() if its == room]

    async def finish(self, what: str, work: Coroutine[Any, Any, T]) -> T:
        """The result of a coroutine that goes on although the request is cancelled."""
        task = self._begin(work, lambda: what)
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            task.add_done_callback(partial(_log, what))
            raise
        if task.cancelled():
            raise ConfigurationError("The relay is closed.")
        return task.result()

    def watch(self) -> None:
        """Watch for the end of uvicorn, while there are tasks or streams: it waits for open responses, and tells a
        mounted application nothing.
        """
        if self._watch is None or self._watch.done():
            self._watch = self._loop.create_task(self._watch_server())

    async def drain(self) -> None:
        """Wait for the tasks. Twice does no harm."""
        await self._end_streams()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self._seconds)
        for task, name in list(self._tasks.items()):
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
        """For the end of the process, in another thread than that of the event loop."""
        if self._tasks and self._loop.is_running():
            drained = asyncio.run_coroutine_threadsafe(self.drain(), self._loop)
            with suppress(TimeoutError):
                drained.result(self._seconds + 2 * _CANCEL_SECONDS)

    def _begin(self, work: Coroutine[Any, Any, T], name: Callable[[], str]) -> asyncio.Task[T]:
        task = self._loop.create_task(work)
        self._tasks[task] = name
        task.add_done_callback(self._tasks.pop)
        self.watch()
        return task

    async def _watch_server(self) -> None:
        while self._tasks or self._has_streams():
            if _is_server_ending():
                await self.drain()
                return
            await asyncio.sleep(_LOOK_SECONDS)


def _drain_at_exit(background: weakref.ref[Background]) -> None:
    if (found := background()) is not None:
        found.drain_from_outside()


def _log(what: str, task: asyncio.Task[Any]) -> None:
    if not task.cancelled() and isinstance(error := task.exception(), Exception):
        log_failure(what, error)


def _is_server_ending() -> bool:
    """Whether the uvicorn that runs in this process has been told to end: its handler of signals is its method."""
    server = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    return getattr(server, "should_exit", False) is True
