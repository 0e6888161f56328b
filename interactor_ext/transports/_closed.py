"""Lets the pending calls of a closed client stop waiting: pauses and retries end with a ConfigurationError."""

from __future__ import annotations

from interactor_ext._errors import ConfigurationError
from interactor_ext._fork import after_fork_in_child
from interactor_ext.transports._waiters import TaskWaiter, ThreadWaiter, Waiter

CLOSED = "the client is closed: make a new one, or close it later"
TRANSPORT_CLOSED = "the transport is closed: make a new one"


class Closing:
    """Whether the client was closed, for threads and for tasks of any event loop. Takes no lock."""

    def __init__(self) -> None:
        self.has_come = False
        self._start_afresh()
        after_fork_in_child(self._start_afresh)

    def _start_afresh(self) -> None:
        self._waiters: set[Waiter] = set()

    def come(self) -> None:
        self.has_come = True
        for waiter in list(self._waiters):
            waiter.wake()

    def check(self) -> None:
        if self.has_come:
            raise ConfigurationError(CLOSED)

    def pause(self, seconds: float) -> None:
        self.wait(ThreadWaiter(), seconds)

    async def pause_async(self, seconds: float) -> None:
        await self.wait_async(TaskWaiter(), seconds)

    def wait(self, waiter: ThreadWaiter, seconds: float) -> None:
        """Wait until `waiter` is woken by whomever, for `seconds` at most."""
        self._waiters.add(waiter)
        try:
            self.check()  # after the waiter was added, or neither side would see the other
            waiter.wait(seconds)
        finally:
            self._waiters.discard(waiter)
        self.check()

    async def wait_async(self, waiter: TaskWaiter, seconds: float) -> None:
        self._waiters.add(waiter)
        try:
            self.check()
            await waiter.wait(seconds)
        finally:
            self._waiters.discard(waiter)
        self.check()
