"""The second half of "answer now, work later": takes events from a queue and runs their handlers."""

from __future__ import annotations

import asyncio
import logging
import secrets
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from interactor_ext._errors import ConfigurationError, WebhookPayloadError
from interactor_ext._plans import Call, Plan, adrive, drive
from interactor_ext.webhooks._settings import above_zero, from_zero_up
from interactor_ext.webhooks._threads import STORE_THREADS
from interactor_ext.webhooks._watch import follow_handlers
from interactor_ext.webhooks.events import parse_event
from interactor_ext.webhooks.queues import EventQueue, QueuedEvent
from interactor_ext.webhooks.router import WebhookRouter

if TYPE_CHECKING:
    from interactor_client.models import WebhookEvent

logger = logging.getLogger("interactor.webhooks")

# The platform's own schedule of redelivery: 30 s, 2 min, 10 min, 30 min, 2 h.
PLATFORM_SCHEDULE = (30.0, 120.0, 600.0, 1800.0, 7200.0)


class WebhookWorker:
    """Runs the handlers of `router` for the events in its queue. Start as many as you like, in any process.

    A handler that fails is tried again after each of `retry_delays` seconds in turn; then the event becomes a dead
    letter (`queue.dead_letters()`, `queue.replay(key)`). `lease` is how many seconds the handlers of one event have
    before another worker may take it: a worker that was killed looks the same as one that hangs. An attempt cut short
    that way counts too, so an event that kills its workers is buried in the end. `poll_interval` is in seconds.
    """

    def __init__(
        self,
        router: WebhookRouter,
        *,
        lease: float = 300.0,
        retry_delays: Sequence[float] = PLATFORM_SCHEDULE,
        poll_interval: float = 1.0,
    ) -> None:
        if router.queue is None:
            raise ConfigurationError("A webhook worker needs a router that was made with `queue=`.")
        self._router = router
        self._queue: EventQueue = router.queue
        self._lease: float = above_zero(lease, "The lease of a webhook worker")
        self._retry_delays = tuple(from_zero_up(delay, "Each of retry_delays") for delay in retry_delays)
        self._poll_interval: float = from_zero_up(poll_interval, "poll_interval")

    def run_once(self) -> bool:
        """Handle the next due event; False if there was none. What a handler raises ends in the queue, not here."""
        return drive(self._work())

    async def arun_once(self) -> bool:
        """`run_once` for an event loop: synchronous handlers and the queue run in threads."""
        return await adrive(self._work())

    def run(self, stop: threading.Event | None = None) -> None:
        """Handle events until `stop` is set; the one in hand is finished first. Outlives a queue out of reach."""
        stop = stop or threading.Event()
        while not stop.is_set():
            try:
                found = self.run_once()
            except Exception:
                logger.exception("The webhook queue is out of reach; trying again.")
                found = False
            if not found:
                stop.wait(self._poll_interval)

    async def arun(self) -> None:
        """Handle events until cancelled; an asynchronous handler that is cancelled gives its event back."""
        while True:
            try:
                found = await self.arun_once()
            except Exception:
                logger.exception("The webhook queue is out of reach; trying again.")
                found = False
            # Even a queue that is never empty must let the loop, and a cancellation, have their turn.
            await asyncio.sleep(0 if found else self._poll_interval)

    def _work(self) -> Plan[bool]:
        token = secrets.token_hex(16)
        queued: QueuedEvent | None = yield Call(self._queue.take, (token, self._lease), executor=STORE_THREADS)
        if queued is None:
            return False
        if queued.attempt > len(self._retry_delays) + 1:
            yield _record(
                self._queue.bury, queued.key, token, "Every attempt ended without an outcome: its worker died or hung."
            )
            return True
        try:
            yield from self._handle(parse_event(queued.body))
        except Exception as error:
            yield from self._failed(queued, token, error)
        except GeneratorExit:  # nobody is left to carry out another step
            raise
        except BaseException:
            yield from self._give_back(queued.key, token)
            raise
        else:
            yield _record(self._queue.complete, queued.key, token)
        return True

    def _handle(self, event: WebhookEvent) -> Plan[None]:
        plan = self._router.run_handlers(event)
        reporter = self._router.reporter
        return plan if reporter is None else follow_handlers(reporter, event.event, plan)

    def _give_back(self, key: str, token: str) -> Plan[None]:
        try:
            yield _record(self._queue.retry, key, token, 0.0, "The worker was stopped.")
        except Exception:
            logger.exception("Webhook event %r stays with the worker that was stopped until its lease runs out.", key)

    def _failed(self, queued: QueuedEvent, token: str, error: Exception) -> Plan[None]:
        logger.error("A handler of webhook event %r failed (attempt %d).", queued.key, queued.attempt, exc_info=error)
        reason = _told(error)
        hopeless = isinstance(error, WebhookPayloadError) or queued.attempt > len(self._retry_delays)
        if hopeless:
            yield _record(self._queue.bury, queued.key, token, reason)
        else:
            yield _record(self._queue.retry, queued.key, token, self._retry_delays[queued.attempt - 1], reason)


def _record(method: Callable[..., bool], *args: object) -> Call:
    """What has happened to an event has to be written down, whoever cancels the worker meanwhile."""
    return Call(method, args, shielded=True, executor=STORE_THREADS)


def _told(error: Exception) -> str:
    try:
        text = f"{type(error).__name__}: {error}"
    except Exception:  # its __str__ is the handler's author's
        text = type(error).__name__
    # A lone surrogate, as JSON can spell it, fits into no database.
    return text.encode("utf-8", "backslashreplace").decode()
