"""Daemon threads for stores and handlers: a hanging call doesn't block other calls, nor the process from exiting."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from interactor_ext._engine.effects import Effects, Invoke, Renewal
from interactor_ext._engine.logs import webhooks_logger as logger
from interactor_ext._engine.waiting.threads import UNBOUNDED, DaemonThreads

# The platform waits 30 s for a response, and a delivery may wait for a store twice, before and after its handlers.
STORE_SECONDS = 12.0
_RECORD_RETRY_DELAYS = (0.1, 0.5, 1.0)
_HANDLERS_AT_ONCE = 32
# Handlers of synchronous callers. Each caller waits for one thread, so the number of callers is the limit.
CALLER_THREADS = DaemonThreads("interactor-webhook-handler", max_threads=UNBOUNDED)


def handler_threads() -> DaemonThreads:
    """Return threads for the handlers of one router in event loops, where nothing else limits how many run at once."""
    return DaemonThreads("interactor-webhook-handler", max_threads=_HANDLERS_AT_ONCE)


class StoreCalls:
    """The calls of one router to its store, its queue or its hand-over. They have their own threads, so a hanging call
    doesn't block other routers. Each call times out after 12 seconds, including the wait for a thread.
    """

    def __init__(self, *, in_memory: bool) -> None:
        """In-memory calls run in the caller's thread, without a time limit."""
        self._threads = None if in_memory else DaemonThreads("interactor-webhook-store", max_threads=32)

    def call(
        self, method: Callable[..., Any], *args: object, shielded: bool = False, seconds: float | None = None
    ) -> Invoke:
        limit = None if self._threads is None else STORE_SECONDS if seconds is None else seconds
        return Invoke(method, args, threads=self._threads, timeout=limit, shielded=shielded)

    def record(self, method: Callable[..., Any], *args: object) -> Effects[Any]:
        """Record an event's outcome, shielded from cancellation. Retries if the store fails briefly."""
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
            # Not Pause, which a cancellation would end.
            yield Invoke(time.sleep, (pause,), shielded=True, threads=self._threads)

    def renewal(self, method: Callable[..., Any], key: str, token: str, lease: float) -> Renewal:
        """Renews a lease early enough that one slow store call does no harm."""
        return Renewal(self.call(method, key, token, lease), lease / 3)
