"""WebhookWorker: takes events from a queue, runs their handlers, retries failures and buries dead letters."""

from __future__ import annotations

import asyncio
import secrets
import threading
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, cast

from interactor_ext._engine.arguments import above_zero, at_least
from interactor_ext._engine.effects import Effects, Invoke, run_async, run_sync
from interactor_ext._engine.errors import ConfigurationError
from interactor_ext._engine.fork import after_fork_in_child, fork_safe_lock
from interactor_ext._engine.logs import webhooks_logger as logger
from interactor_ext._engine.waiting.own_errors import cause_of
from interactor_ext.webhooks._tasks import PLATFORM_SCHEDULE, next_attempt
from interactor_ext.webhooks._threads import CALLER_THREADS, STORE_SECONDS, handler_threads
from interactor_ext.webhooks._watch import DeliveryWatch
from interactor_ext.webhooks.events import parse_event
from interactor_ext.webhooks.queue._contract import EventQueue, QueuedEvent
from interactor_ext.webhooks.router import HandlerRun, WebhookRouter, handler_timeout_of
from interactor_ext.webhooks.stores._contract import DEFAULT_TTL

_HANDLER_SECONDS = 300.0
# Thirty days, instead of no limit: without one, handlers would run in the worker's own thread.
_NO_LIMIT = 2_592_000.0
# The delays in seconds of an event without a handler here. A worker that gains the handler waits the longest of them at
# most.
_SKIP_SECONDS = 5.0
_MAX_SKIP_SECONDS = 21_600.0

_Taken = tuple[QueuedEvent, str]
"""An event and its token."""


class QueueLoop(ABC):
    """What a worker process runs: a loop that takes events from a queue one at a time."""

    router: WebhookRouter
    _poll_interval = 1.0

    def __init__(self) -> None:
        self.reaches_queue: bool = True
        """Whether the queue responded to the last call; initially True."""
        self._lock = fork_safe_lock()
        self._reset()
        after_fork_in_child(self._reset)

    def _reset(self) -> None:
        # The events being handled, by token.
        self._taken: dict[str, QueuedEvent] = {}
        # One object for each thread that is asking the queue for an event.
        self._asking: set[object] = set()
        self._answered = threading.Condition(self._lock)
        self._is_ending = False

    @property
    def running(self) -> int:
        """The number of events being handled."""
        return len(self._taken)

    @abstractmethod
    def run_once(self) -> bool:
        """Handle the next due event; returns False if there was none. Handler errors are recorded, not raised."""

    @abstractmethod
    def _put_back(self, queued: QueuedEvent, token: str, delay: float) -> bool:
        """Reschedule an event whose handlers haven't finished, without counting the attempt. Returns False if another
        worker has it by now.
        """

    def report(self) -> None:
        """Report the queue's contents to the router's telemetry, if the queue has `stats`. A worker process does so
        every
        15 seconds. Raises the queue's own errors when it is unreachable.
        """
        stats = getattr(self.router.queue, "stats", None)
        if self.router.reporter is not None and stats is not None:
            self.router.reporter.record(stats(self.router.key_prefix.rstrip(":")))

    def run(self, stop: threading.Event | None = None) -> None:
        """Handle events until `stop` is set, finishing the current one. Continues while the queue is unreachable."""
        stop = stop or threading.Event()
        while not stop.is_set():
            if not run_sync(self._try(self.run_once)):
                stop.wait(self._poll_interval)

    def _try(self, run_once: Callable[[], Any]) -> Effects[bool]:
        """Call the queue, sync or async, and note whether it responded."""
        try:
            found: bool = yield Invoke(run_once)
            self.reaches_queue = True
        except Exception:
            logger.exception("The webhook queue is unavailable. Trying again.")
            found = self.reaches_queue = False
        return found

    def give_back(self) -> None:
        """Put the events being handled back into the queue, so another worker can take them at once. Take no more.

        For a process that is about to end, after `run` was stopped: its handlers would otherwise continue. The events
        lose no attempt. An event that can't be put back is logged, and waits until its lease ends.
        """
        with self._lock:
            self._is_ending = True
            taken = list(self._taken.items())
        for token, queued in taken:
            self._give_back_one(queued, token)
        with self._lock:
            if not self._answered.wait_for(lambda: not self._asking, STORE_SECONDS):
                logger.warning(
                    "The webhook queue hasn't responded yet. An event that it returns waits until its lease expires."
                )

    def _give_back_one(self, queued: QueuedEvent, token: str) -> None:
        try:
            if self._put_back(queued, token, 0.0):
                logger.warning("Webhook event %r goes back into the queue unfinished, for another worker.", queued.key)
        except Exception:
            logger.exception("Webhook event %r couldn't be put back. It waits until its lease expires.", queued.key)

    def _ask(self, asking: object, take: Callable[[], _Taken | None]) -> _Taken | None:
        """Take an event and its token from the queue. One that nobody waits for any more goes back at once."""
        with self._lock:
            if self._is_ending:
                return None
            self._asking.add(asking)
        try:
            if (found := take()) is None:
                return None
            queued, token = found
            with self._lock:
                if asking in self._asking and not self._is_ending:
                    self._taken[token] = queued
                    return found
            self._give_back_one(queued, token)
            return None
        finally:
            with self._lock:
                self._asking.discard(asking)
                self._answered.notify_all()


class WebhookWorker(QueueLoop):
    """Runs the handlers of `router` for the events in its queue. Any number of workers may run, in any process.

    A failed handler is retried after each of `retry_delays` seconds in turn; then the event becomes a dead letter
    (`queue.dead_letters()`, `queue.replay(key)`). An event that does not fit the class of its handlers becomes one at
    once. An event without a handler here is left to other workers, and becomes one after the queue's `ttl`. `lease` is
    how many seconds after a worker dies another may take its event (default: the router's); it is renewed while
    handlers run. Such an interrupted attempt counts too, so an event that kills its workers is buried in the end.
    `poll_interval` is in seconds.

    After `handler_timeout` seconds the handlers of an event count as failed, even if they hang; the default is the
    router's, or else 300. An asynchronous handler is then cancelled. A synchronous one runs in its own thread, which
    can't be stopped: it is left behind, and the next event gets another. SystemExit in it counts as a failure.
    `math.inf` means no limit.
    """

    def __init__(
        self,
        router: WebhookRouter,
        *,
        lease: float | None = None,
        handler_timeout: float | None = None,
        retry_delays: Sequence[float] = PLATFORM_SCHEDULE,
        poll_interval: float = 1.0,
    ) -> None:
        super().__init__()
        # Checked by name: for a protocol, Python 3.12 and newer don't see methods that come from `__getattr__`.
        if not callable(getattr(router.queue, "take", None)):
            raise ConfigurationError(
                "A webhook worker needs a router that was created with `queue=`, and an `EventQueue` there."
            )
        self.router = router
        self.queue: EventQueue = cast("EventQueue", router.queue)
        self._calls = router.store_calls
        self._lease: float = router.lease if lease is None else above_zero(lease, "The lease of a webhook worker")
        given = router.handler_timeout if handler_timeout is None else handler_timeout
        timeout = handler_timeout_of(given, _HANDLER_SECONDS) or _NO_LIMIT
        self._in_caller = HandlerRun(CALLER_THREADS, timeout)
        self._in_loop = HandlerRun(handler_threads(), timeout)
        self._retry_delays = tuple(at_least(0, delay, "Each of retry_delays") for delay in retry_delays)
        self._poll_interval = at_least(0, poll_interval, "poll_interval")
        self._warned: dict[str, str] = {}

    def run_once(self) -> bool:
        """Handle the next due event; returns False if there was none. Handler errors are recorded, not raised."""
        return run_sync(self._work(self._in_caller))

    async def arun_once(self) -> bool:
        """`run_once` for an event loop: synchronous handlers and the queue run in threads."""
        return await run_async(self._work(self._in_loop))

    async def arun(self) -> None:
        """Handle events until cancelled; a cancelled asynchronous handler releases its event."""
        while True:
            found = await run_async(self._try(self.arun_once))
            # Yields to the event loop and to a cancellation even if the queue is never empty.
            await asyncio.sleep(0 if found else self._poll_interval)

    def _put_back(self, queued: QueuedEvent, token: str, delay: float) -> bool:
        return self.queue.put_back(queued.key, token, delay)

    def _work(self, run: HandlerRun) -> Effects[bool]:
        token = secrets.token_hex(16)
        try:
            found: _Taken | None = yield self._calls.call(self._ask, token, partial(self._take, token))
        except BaseException:  # the call may have been interrupted, or have taken too long
            with self._lock:
                self._asking.discard(token)
                taken = self._taken.pop(token, None)
            if taken is not None:
                self._give_back_one(taken, token)
            raise
        if found is None:
            return False
        try:
            yield from self._handle(*found, run)
        finally:
            self._taken.pop(token, None)
        return True

    def _take(self, token: str) -> _Taken | None:
        queued = self.queue.take(token, self._lease, self.router.key_prefix.rstrip(":"))
        return None if queued is None else (queued, token)

    def _handle(self, queued: QueuedEvent, token: str, run: HandlerRun) -> Effects[None]:
        if queued.attempt > len(self._retry_delays) + 1:
            yield from self._calls.record(
                self.queue.bury, queued.key, token, "Every attempt ended without an outcome: the worker died or hung."
            )
            return
        try:
            event = parse_event(queued.body)
            if not self.router.has_handlers(event.event):
                yield from self._skip(queued, token, event.event[:80])
                return
            watch = DeliveryWatch(self.router.reporter, event)
            renewal = self._calls.renewal(self.queue.renew, queued.key, token, self._lease)
            yield from watch.observe_handlers(self.router.run_handlers(event, run, renewal))
        except Exception as error:
            yield from self._failed(queued, token, error)
        except GeneratorExit:  # no driver is left to run another effect
            raise
        except BaseException as error:
            yield from self._give_back(queued, token, error)
            raise
        else:
            yield from self._complete(queued.key, token)

    def _skip(self, queued: QueuedEvent, token: str, kind: str) -> Effects[None]:
        """Leave an event to other workers, each time for as long as it has waited; bury it when its time is over."""
        if queued.age > getattr(self.queue, "ttl", DEFAULT_TTL):
            reason = f"No worker had a handler for {kind!r} events."
            logger.error("Webhook event %r becomes a dead letter. %s", queued.key, reason)
            yield from self._calls.record(self.queue.bury, queued.key, token, reason)
            return
        # setdefault, because only one of several threads should be first.
        if self._warned.setdefault(kind, token) == token:
            logger.warning(
                "This worker has no handler for %r events, and leaves them in the queue for a worker that has one.",
                kind,
            )
        delay = min(max(self._poll_interval, _SKIP_SECONDS, queued.age), _MAX_SKIP_SECONDS)
        reason = f"No worker has a handler for {kind!r} events yet."
        yield from self._calls.record(self.queue.put_back, queued.key, token, delay, _storable(reason))

    def _complete(self, key: str, token: str) -> Effects[None]:
        try:
            yield from self._calls.record(self.queue.complete, key, token)
        except Exception:
            logger.exception("Webhook event %r was handled, but this couldn't be recorded. It will run again.", key)

    def _give_back(self, queued: QueuedEvent, token: str, error: BaseException) -> Effects[None]:
        reason = f"The worker was stopped: {_error_text(error)}"
        try:
            yield self._calls.call(self.queue.retry, queued.key, token, 0.0, reason, shielded=True)
        except Exception:
            logger.exception("Webhook event %r stays with the stopped worker until its lease expires.", queued.key)

    def _failed(self, queued: QueuedEvent, token: str, error: Exception) -> Effects[None]:
        cause = cause_of(error)
        logger.error("A handler of webhook event %r failed (attempt %d).", queued.key, queued.attempt, exc_info=cause)
        reason = _error_text(cause)
        attempt = next_attempt(error, queued.attempt - 1, self._retry_delays)
        if attempt is None:
            yield from self._calls.record(self.queue.bury, queued.key, token, reason)
        else:
            yield from self._calls.record(self.queue.retry, queued.key, token, attempt[0], reason)


def _error_text(error: BaseException) -> str:
    return _storable("".join(traceback.format_exception_only(error)).strip())


def _storable(text: str) -> str:
    # JSON can contain lone surrogates, which databases don't accept.
    return text.encode("utf-8", "backslashreplace").decode()
