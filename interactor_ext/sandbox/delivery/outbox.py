"""Outbox: queues published events for the webhooks that subscribe to them, sends them and retries failures.

Runs on the serving loop, as all state does. Events that are posted while no loop serves wait in the queues.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import attrs

from interactor_ext._errors import ConfigurationError
from interactor_ext._lazy import LazyModule
from interactor_ext.logs import sandbox_logger as logger
from interactor_ext.sandbox.clock import Clock
from interactor_ext.sandbox.delivery.deliveries import WAITS, Delivery, DeliveryOptions
from interactor_ext.sandbox.delivery.posting import Outcome, post
from interactor_ext.sandbox.delivery.webhook_queue import MAX_SIZE, MAX_WAITING, PendingDelivery, WebhookQueue
from interactor_ext.sandbox.storage.journal import Journal
from interactor_ext.sandbox.storage.persistence import Persistence, StoredDelivery
from interactor_ext.sandbox.storage.records import JsonObject, Record, Store, new_id
from interactor_ext.webhooks import sign
from interactor_ext.webhooks._headers import SIGNATURE

if TYPE_CHECKING:
    import httpx
else:
    httpx = LazyModule("httpx")

# Real seconds after which a held delivery is sent even if none has overtaken it.
HOLD_SECONDS = 1.0
# Real seconds until restored deliveries are sent: after a failed write to a full disk they may just have been sent.
RESTORE_DELAY = 1.0
# Bytes of an answer that a delivery keeps.
KEPT_OF_ANSWER = 2000
# Concurrent attempts to all webhooks together: each has a socket.
AT_ONCE = 128
_random = random.SystemRandom()  # `random.seed` of the program does not reach it


class Outbox:
    """Queues and sends deliveries. `journal` holds every attempt; `clear` restores the initial `options`."""

    def __init__(
        self,
        store: Store,
        persistence: Persistence,
        clock: Clock,
        options: DeliveryOptions,
        history: int,
        *,
        bare_signature: bool,
    ) -> None:
        self.journal: Journal[Delivery] = Journal(history)
        self.options = attrs.evolve(options)
        self._initial = attrs.evolve(options)
        self._store = store
        self._persistence = persistence
        self._clock = clock
        self._bare_signature = bare_signature
        self._queues: dict[str, WebhookQueue] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._finished = asyncio.Event()
        self._sockets = asyncio.Semaphore(AT_ONCE)
        clock.on_move(self._clock_moved)

    def serve_on(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start delivering on the running loop."""
        if loop is not self._loop:
            self._cancel_attempts()
            self._loop = loop
            self._finished = asyncio.Event()
            self._sockets = asyncio.Semaphore(AT_ONCE)
            self._send_all_due()

    def stop(self) -> None:
        """Cancel deliveries in flight; they are sent again when the sandbox is served again."""
        self._cancel_attempts()
        self._loop = None

    def clear(self) -> None:
        self._cancel_attempts()
        self._queues.clear()
        self.journal.clear()
        self.options = attrs.evolve(self._initial)
        self._finished.set()

    def restore(self) -> None:
        """Load pending deliveries from the persistence, those in flight when the process ended included."""
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
        """Queue an event, whose JSON is `body`, for every webhook that subscribes to it."""
        for webhook in self._listeners(event):
            self._enqueue(webhook, event, body)

    def redeliver(self, delivery: Delivery) -> None:
        """Send a delivery's event again, with six attempts. Raises ValueError if its webhook is deleted or inactive."""
        webhook = self._store.find("webhook", delivery.namespace, delivery.webhook_id)
        if webhook is None or not webhook.public["active"]:
            raise ValueError(f"the webhook {delivery.webhook_id} was deleted or is not active")
        self._enqueue(webhook, delivery.event, _encoded(delivery.event))

    def redeliver_event(self, event: JsonObject) -> None:
        """Send an event again to every webhook that subscribes to it now. Raises ValueError if there is none."""
        webhooks = list(self._listeners(event))
        if not webhooks:
            raise ValueError(f"no active webhook listens for {event['event']} in this namespace")
        body = _encoded(event)
        for webhook in webhooks:
            self._enqueue(webhook, event, body)

    def cancel(self, webhook: Record) -> None:
        """Drop the pending deliveries of a webhook. Those in flight end, but are not retried."""
        if queue := self._queues.pop(webhook.id, None):
            for pending in queue.drop_waiting():
                self._persistence.remove_delivery(pending.id, pending.is_duplicate)
            self._finished.set()

    async def post_once(self, url: str, event: JsonObject, secret: str) -> Outcome:
        """Post an event to a URL that is no webhook's, as a delivery but without a retry, and return the answer."""
        async with self._sockets:
            return await self._post_signed(url, event, _encoded(event), secret, new_id("req"))

    async def wait_until_idle(self) -> None:
        """Wait until each event has had its first attempt, and no attempt is in flight or due."""
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
        """Start the attempts that are due, and set a timer for the next."""
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
        """Queue the held delivery, if any, and send what is due."""
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
            url, secret = queue.webhook.public["url"], queue.webhook.private["secret"]
            return await self._post_signed(url, pending.event, pending.body, secret, request_id)
        except Exception:
            logger.exception("the sandbox failed at delivery %s", pending.id)
            return Outcome(error="the sandbox itself failed")

    def _schedule_retry(self, queue: WebhookQueue, pending: PendingDelivery) -> str | None:
        """Queue a failed delivery again, if it has attempts left and its webhook exists; returns when it is due."""
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

    async def _post_signed(self, url: str, event: JsonObject, body: bytes, secret: str, request_id: str) -> Outcome:
        try:
            signed = sign(body, secret, timestamp=self._clock.now(), event=event["event"])
        except (ConfigurationError, ValueError):
            return Outcome(error="not sent: nothing can be signed with this secret")
        if self._bare_signature:
            signed[SIGNATURE] = signed[SIGNATURE].removeprefix("sha256=")
        headers = {**signed, "X-Request-Id": request_id, "User-Agent": "Interactor-Webhooks/1.0"}
        options = self.options
        outcome = await post(url, body, headers, timeout_seconds=options.timeout, public=options.public)
        return replace(outcome, sent=headers)

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
                headers=dict(outcome.sent),
                answer=outcome.content[:KEPT_OF_ANSWER].decode(errors="replace"),
            ),
            size=len(pending.body),
        )

    def _cancel_attempts(self) -> None:
        for task in self._tasks:
            # A loop that was closed without stopping the app has ended its tasks, too.
            with suppress(RuntimeError):
                task.cancel()
        self._tasks.clear()
        for queue in self._queues.values():
            queue.requeue_in_flight()

    def _clock_moved(self) -> None:
        """The clock was moved, perhaps by another thread: deliveries may be due."""
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
