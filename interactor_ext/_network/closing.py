"""The end of a client, as its calls meet it: whatever they are at, they make no attempt any more."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

from interactor_ext._errors import ConfigurationError
from interactor_ext._fork import after_fork_in_child

if TYPE_CHECKING:
    import asyncio

CLOSED = "the client is closed: make a new one, or close it later"
TRANSPORT_CLOSED = "the transport is closed: make a new one"


class Closing:
    """Whether it has come, for threads and for tasks of any event loop; it cuts their pauses short."""

    def __init__(self) -> None:
        self.has_come = False
        self._start_afresh()
        after_fork_in_child(self._start_afresh)

    def _start_afresh(self) -> None:
        self._lock = threading.Lock()
        self._event = threading.Event()
        self._sleepers: set[asyncio.Future[None]] = set()

    def come(self) -> None:
        self.has_come = True
        self._event.set()
        with self._lock:
            sleepers = list(self._sleepers)
        for sleeper in sleepers:
            with contextlib.suppress(RuntimeError):  # its loop has ended
                sleeper.get_loop().call_soon_threadsafe(_wake, sleeper)

    def check(self) -> None:
        if self.has_come:
            raise ConfigurationError(CLOSED)

    def pause(self, seconds: float) -> None:
        # Asked first, for in a forked child the event knows nothing of the past.
        self.check()
        self._event.wait(seconds)
        self.check()

    async def pause_async(self, seconds: float) -> None:
        import asyncio

        loop = asyncio.get_running_loop()
        sleeper = loop.create_future()
        with self._lock:
            self._sleepers.add(sleeper)
        timer = loop.call_later(seconds, _wake, sleeper)
        try:
            self.check()
            await sleeper
            self.check()
        finally:
            timer.cancel()
            with self._lock:
                self._sleepers.discard(sleeper)


def _wake(sleeper: asyncio.Future[None]) -> None:
    if not sleeper.done():
        sleeper.set_result(None)
