"""Outbox: queues published events for the webhooks that subscribe to them, sends them and retries failures.

Belongs to the serving loop as all of the state does. While nobody serves, what is posted waits.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Iterator
from contextlib import suppress

import attrs
import httpx

from interactor_ext._errors import ConfigurationError
from interactor_ext.logs._logger import sandbox_logger as logger
from interactor_ext.sandbox.clock import Clock
from interactor_ext.sandbox.delivery.deliveries import WAITS, Delivery, DeliveryOptions
from interactor_ext.sandbox.delivery.posting import Outcome, post
from interactor_ext.sandbox.delivery.webhook_queue import MAX_SIZE, MAX_WAITING, PendingDelivery, WebhookQueue
from interactor_ext.sandbox.storage.journal import Journal
from interactor_ext.sandbox.storage.persistence import Persistence, StoredDelivery
from interactor_ext.sandbox.storage.records import JsonObject, Record, Store, new_id
from interactor_ext.webhooks import sign

# Real seconds until a delivery that was held back goes out though nothing overtook it.
HOLD_SECONDS = 1.0
# Real seconds until what was restored is sent: on a full disk it may just have been, and be lost again.
RESTORE_DELAY = 1.0
# Attempts at a time, to all webhooks together: each has a socket.
AT_ONCE = 128
_random = random.SystemRandom()  # `random.seed` of the program does not reach it


class Outbox:
    """`journal` has every attempt. `options` are as the constructor got them again after `clear`."""

    def __init__(
        self, store: Store, persistence: Persistence, clock: Clock, options: DeliveryOptions, history: int
    ) -> None:
        self.journal: Journal[Delivery] = Journal(history)
        self.options = attrs.evolve(options)
        self._initial = attrs.evolve(options)
        self._store = store
        self._persistence = persistence
        self._clock = clock
        self._queues: dict[str, WebhookQueue] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._finished = asyncio.Event()
        self._sockets = asyncio.Semaphore(AT_ONCE)
        clock.on_move(self._clock_moved)

    def serve_on(self, loop: asyncio.AbstractEventLoop) -> None:
        """Deliver from now on, on this loop, which is the running one."""
        if loop is not self._loop:
            self._cancel_attempts()
            self._loop = loop
            self._finished = asyncio.Event()
            self._sockets = asyncio.Semaphore(AT_ONCE)
            self._send_all_due()

    def stop(self) -> None:
        """Cut off what is under way; it is sent again when somebody serves again."""
        self._cancel_attempts()
        self._loop = None

    def clear(self) -> None:
        self._cancel_attempts()
        self._queues.clear()
        self.journal.clear()
        self.options = attrs.evolve(self._initial)
        self._finished.set()

    def restore(self) -> None:
        """Go on with what the persistence has: what was under way when its process ended is sent once more."""
        webhooks = {webhook.id: webhook for webhook in self._store.everything("webhook")}
        for stored in self._persistence.deliveries():
            if webhook := webhooks.get(stored.webhook_id):
                body = stored.event.encode()
                pending = PendingDelivery(
                    stored.id, json.loads(body), body, stored.due, stored.is_duplicate, stored.attempt
                )
                self._queues.setdefault(webhook.id, WebhookQueue(webhook)).add(pending)
        if self._loop is not None:
            self._loop.call_later(RESTORE_DELAY, self._send_all_due)

    def post(self, event: JsonObject, body: bytes) -> None:
        """Send an event, which `body` says as JSON, to whoever listens for it."""
        for webhook in self._listeners(event):
            self._enqueue(webhook, event, body)

    def redeliver(self, delivery: Delivery) -> None:
        """Send what a delivery held once more, with six attempts. Raises ValueError if its webhook is gone or off."""
        webhook = self._store.find("webhook", delivery.namespace, delivery.webhook_id)
        if webhook is None or not webhook.public["active"]:
            raise ValueError(f"the webhook {delivery.webhook_id} was deleted or is not active")
        self._enqueue(webhook, delivery.event, _encoded(delivery.event))

    def redeliver_event(self, event: JsonObject) -> None:
        """Send an event once more to all who listen for it now. Raises ValueError if nobody does."""
        webhooks = list(self._listeners(event))
        if not webhooks:
            raise ValueError(f"no active webhook listens for {event['event']} in this namespace")
        body = _encoded(event)
        for webhook in webhooks:
            self._enqueue(webhook, event, body)

    def cancel(self, webhook: Record) -> None:
        """Give up what a webhook has not got yet. What is under way comes to its end, but is not tried again."""
        if queue := self._queues.pop(webhook.id, None):
            for pending in queue.drop_waiting():
                self._persistence.remove_delivery(pending.id, pending.is_duplicate)
            self._finished.set()

    async def wait_until_idle(self) -> None:
        """Wait until each event was tried once, no attempt is under way, and none is due."""
        while any(queue.is_busy(self._clock.now()) for queue in self._queues.values()):
            self._finished.clear()
            await self._finished.wait()

    def _listeners(self, event: JsonObject) -> Iterator[Record]:
        for webhook in self._store.all("webhook", event["namespace"]):
            if webhook.public["active"] and event["event"] in webhook.public["events"]:
                yield webhook

    def _enqueue(self, webhook: Record, event: JsonObject, body: bytes) -> None:
        queue = self._queues.setdefault(webhook.id, WebhookQueue(webhook))
        delivery_id = new_id("dlv")
        copies = 2 if _by_chance(self.options.duplicate) else 1
        for number in range(copies):
            due = self._clock.now() + _random.uniform(0, self.options.delay)
            pending = PendingDelivery(delivery_id, event, body, due, is_duplicate=number > 0)
            if queue.is_full:
                pending.attempt = 0
                much = f"{MAX_WAITING} deliveries to this webhook, or {MAX_SIZE >> 20} MiB of them,"
                error = f"not sent: {much} are waiting already"
                self._record(queue, pending, Outcome(error=error), sent_at=self._clock.stamp())
                continue
            self._store_pending(queue, pending)
            if queue.held is None and _by_chance(self.options.reorder):
                queue.held = pending
            else:
                queue.add(pending)
        self._send_due(queue)

    def _send_all_due(self) -> None:
        for queue in list(self._queues.values()):
            self._send_due(queue)

    def _send_due(self, queue: WebhookQueue) -> None:
        """Begin what is due, and come back when the next is."""
        if self._loop is None:
            return
        if queue.next_due is not None:
            queue.next_due.cancel()
            queue.next_due = None
        now = self._clock.now()
        for pending in queue.take(now):
            task = self._loop.create_task(self._attempt(queue, pending))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        if (seconds := queue.seconds_to_next(now)) is not None:
            queue.next_due = self._loop.call_later(self._clock.real_seconds(seconds), self._send_due, queue)
        if queue.held is not None and queue.end_of_hold is None:
            queue.end_of_hold = self._loop.call_later(HOLD_SECONDS, self._release_held, queue)

    def _release_held(self, queue: WebhookQueue) -> None:
        """Send off what was held back, if anything was."""
        if queue.held is not None:
            queue.add(queue.held)
            queue.held = None
        if queue.end_of_hold is not None:
            queue.end_of_hold.cancel()
            queue.end_of_hold = None
        self._send_due(queue)

    async def _attempt(self, queue: WebhookQueue, pending: PendingDelivery) -> None:
        request_id = new_id("req")
        async with self._sockets:
            if self._queues.get(queue.webhook.id) is not queue:
                return
            started, sent_at = time.monotonic(), self._clock.stamp()
            outcome = await self._try_send(queue, pending, request_id)
        duration = time.monotonic() - started
        queue.in_flight.discard(pending)
        next_attempt = self._schedule_retry(queue, pending) if not outcome.is_success else None
        if next_attempt is None:
            self._persistence.remove_delivery(pending.id, pending.is_duplicate)
        self._record(
            queue,
            pending,
            outcome,
            request_id=request_id,
            sent_at=sent_at,
            duration=duration,
            next_attempt_at=next_attempt,
        )
        pending.attempt += 1
        if next_attempt is not None:
            self._store_pending(queue, pending)
        self._release_held(queue)
        if not len(queue) and self._queues.get(queue.webhook.id) is queue:
            del self._queues[queue.webhook.id]
        self._finished.set()

    async def _try_send(self, queue: WebhookQueue, pending: PendingDelivery, request_id: str) -> Outcome:
        try:
            return await self._send(queue.webhook, pending, request_id)
        except Exception:
            logger.exception("the sandbox failed at delivery %s", pending.id)
            return Outcome(error="the sandbox itself failed")

    def _schedule_retry(self, queue: WebhookQueue, pending: PendingDelivery) -> str | None:
        """Put a letter back, if it has attempts left and its webhook still wants it; returns when the next is due."""
        forgotten = self._queues.get(queue.webhook.id) is not queue
        if forgotten or pending.is_duplicate or pending.attempt > len(WAITS):
            return None
        wait = WAITS[pending.attempt - 1] * self.options.time_scale
        pending.due = self._clock.now() + wait
        queue.add(pending)
        return self._clock.stamp(wait)

    def _store_pending(self, queue: WebhookQueue, pending: PendingDelivery) -> None:
        if self._persistence.is_durable:
            event = pending.body.decode()
            self._persistence.put_delivery(
                StoredDelivery(pending.id, pending.is_duplicate, queue.webhook.id, event, pending.due, pending.attempt)
            )

    async def _send(self, webhook: Record, pending: PendingDelivery, request_id: str) -> Outcome:
        body = pending.body
        try:
            signed = sign(body, webhook.private["secret"], timestamp=self._clock.now(), event=pending.event["event"])
        except (ConfigurationError, ValueError):
            return Outcome(error="not sent: nothing can be signed with the secret of this webhook")
        headers = {**signed, "X-Request-Id": request_id, "User-Agent": "Interactor-Webhooks/1.0"}
        options = self.options
        return await post(webhook.public["url"], body, headers, timeout_seconds=options.timeout, public=options.public)

    def _record(
        self,
        queue: WebhookQueue,
        pending: PendingDelivery,
        outcome: Outcome,
        *,
        sent_at: str,
        request_id: str = "",
        duration: float = 0.0,
        next_attempt_at: str | None = None,
    ) -> None:
        self.journal.append(
            Delivery(
                id=pending.id,
                webhook_id=queue.webhook.id,
                namespace=queue.webhook.namespace,
                url=_without_password(queue.webhook.public["url"]),
                event=pending.event,
                attempt=pending.attempt,
                request_id=request_id,
                sent_at=sent_at,
                status=outcome.status,
                error=outcome.error,
                duration=duration,
                next_attempt_at=next_attempt_at,
                is_duplicate=pending.is_duplicate,
            ),
            size=len(pending.body),
        )

    def _cancel_attempts(self) -> None:
        for task in self._tasks:
            # A loop that ended without a word to the app has ended its tasks, too.
            with suppress(RuntimeError):
                task.cancel()
        self._tasks.clear()
        for queue in self._queues.values():
            queue.requeue_in_flight()

    def _clock_moved(self) -> None:
        """The clock was moved, perhaps by another thread: something may be due."""
        if self._loop is not None:
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._send_all_due)


def _encoded(event: JsonObject) -> bytes:
    return json.dumps(event, separators=(",", ":")).encode()


def _by_chance(probability: float) -> bool:
    return _random.random() < probability


def _without_password(url: str) -> str:
    try:
        return str(httpx.URL(url).copy_with(username=None, password=None))
    except (httpx.InvalidURL, ValueError):
        return "(not an URL)"
