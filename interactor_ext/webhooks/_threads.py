"""Daemon threads for stores and handlers: a hanging call blocks neither others nor the exit of the process."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from interactor_ext._effects import Call, Effects, Renewal
from interactor_ext._waiting.threads import UNBOUNDED, DaemonThreads
from interactor_ext.logs import webhooks_logger as logger

# The platform waits 30 s for an answer, and a delivery may wait for a store twice, before its handlers and after them.
STORE_SECONDS = 12.0
_RECORD_RETRY_DELAYS = (0.1, 0.5, 1.0)
_HANDLERS_AT_ONCE = 32
# Handlers of synchronous callers: each caller waits for one thread, so the callers are the bound.
CALLER_THREADS = DaemonThreads("interactor-webhook-handler", most=UNBOUNDED)


def handler_threads() -> DaemonThreads:
    """For the handlers of one router that event loops call, where nothing else bounds how many run at once."""
    return DaemonThreads("interactor-webhook-handler", most=_HANDLERS_AT_ONCE)


class StoreCalls:
    """The calls of one router to its store, its queue or its hand-over. They have threads of their own, so that one
    that hangs stops no other router, and each has 12 seconds, the wait for a thread included: then TimeoutError.
    """

    def __init__(self, *, in_memory: bool) -> None:
        """Calls in memory are made in the caller's thread, and have no limit."""
        self._threads = None if in_memory else DaemonThreads("interactor-webhook-store", most=32)

    def call(
        self, method: Callable[..., Any], *args: object, shielded: bool = False, seconds: float | None = None
    ) -> Call:
        limit = None if self._threads is None else STORE_SECONDS if seconds is None else seconds
        return Call(method, args, threads=self._threads, timeout=limit, shielded=shielded)

    def record(self, method: Callable[..., Any], *args: object) -> Effects[Any]:
        """Record the outcome of an event, shielded from cancellation, and retry if the store fails for a moment."""
        ends_at = time.monotonic() + STORE_SECONDS
        pauses = iter(_RECORD_RETRY_DELAYS)
        while True:
            try:
                left = max(0.0, ends_at - time.monotonic())
                return (yield self.call(method, *args, shielded=True, seconds=left))
            except Exception as error:
                pause = next(pauses, None)
                if pause is None or time.monotonic() + pause > ends_at:
                    raise
                logger.warning(
                    "The outcome of webhook event %r couldn't be recorded: %r. Trying again.", args[0], error
                )
            # Not Pause: a cancellation would end it.
            yield Call(time.sleep, (pause,), shielded=True, threads=self._threads)

    def renewal(self, method: Callable[..., Any], key: str, token: str, lease: float) -> Renewal:
        """Renews a lease in good time, also if the store is slow once."""
        return Renewal(self.call(method, key, token, lease), lease / 3)
