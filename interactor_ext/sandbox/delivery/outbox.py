"""Outbox: queues published events for the webhooks that subscribe to them, sends them and retries failures.

Runs on the serving loop, as all state does. Events that are posted while no loop serves wait in the queues.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial

import attrs

from interactor_ext._errors import ConfigurationError
from interactor_ext._lazy import httpx
from interactor_ext.logs import sandbox_logger as logger
from interactor_ext.sandbox.clock import Clock, Timetable
from interactor_ext.sandbox.delivery.deliveries import WAITS, Delivery, DeliveryOptions
from interactor_ext.sandbox.delivery.posting import Outcome, post
from interactor_ext.sandbox.delivery.webhook_queue import WebhookQueue
from interactor_ext.sandbox.storage.journal import Journal
from interactor_ext.sandbox.storage.records import JsonObject, Record, Store, new_id
from interactor_ext.sandbox.storage.strict_json import compact
from interactor_ext.webhooks import sign
from interactor_ext.webhooks._headers import SIGNATURE

# Seconds of the clock after which a held delivery is sent even if none has overtaken it.
HOLD_SECONDS = 1.0
# Bytes of an answer that a delivery keeps.
KEPT_OF_ANSWER = 2000
# Concurrent attempts to all webhooks together: each has a socket.
AT_ONCE = 128
_random = random.SystemRandom()  # `random.seed` of the program does not reach it


class Outbox:
    """Queues and sends deliveries. `journal` holds every attempt; `clear` restores the initial `options`.

    A pending delivery is a record of the kind `delivery`, whose parent is the webhook: `public` has the event,
    `private` the id of the delivery, `due` (a time of the clock), `attempt` and `is_duplicate`.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        timetable: Timetable,
        options: DeliveryOptions,
        history: int,
        *,
        bare_signature: bool,
    ) -> None:
        self.journal: Journal[Delivery] = Journal(history)
        self.options: DeliveryOptions = attrs.evolve(options)
        self._initial = attrs.evolve(options)
        self._store = store
        self._clock = clock
        self._timetable = timetable
        self._bare_signature = bare_signature
        self._queues: dict[str, WebhookQueue] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._finished = asyncio.Event()
        self._sockets = asyncio.Semaphore(AT_ONCE)
        # How a signed body gets to a URL; what explores tests puts itself in between.
        self.post_to = post

    def serve_on(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start delivering on the running loop."""
        if loop is not self._loop:
            self._cancel_attempts()
            self._loop = loop
            self._finished = asyncio.Event()
            self._sockets = asyncio.Semaphore(AT_ONCE)
            for queue in list(self._queues.values()):
                self._send_due(queue)

    def stop(self) -> None:
        """Cancel deliveries in flight; they are sent again when the sandbox is served again."""
        self._cancel_attempts()
        self._loop = None

    def clear(self) -> None:
        self._drop_queues()
        self.journal.clear()
        self.options = attrs.evolve(self._initial)

    def restore(self) -> None:
        """Load pending deliveries from the store, those in flight when the process ended included."""
        self._drop_queues()
        webhooks = {webhook.id: webhook for webhook in self._store.everything("webhook")}
        for pending in self._store.everything("delivery"):
            if webhook := webhooks.get(pending.parent):
                self._queues.setdefault(webhook.id, WebhookQueue(webhook)).add(pending)
        for queue in self._queues.values():
            self._set_timer(queue)

    def post(self, event: JsonObject) -> None:
        """Queue an event for every webhook that subscribes to it."""
        for webhook in self._listeners(event):
            self._enqueue(webhook, event)

    def redeliver(self, delivery: Delivery) -> None:
        """Send a delivery's event again, with six attempts. Raises ValueError if its webhook is deleted or inactive."""
        webhook = self._store.find("webhook", delivery.namespace, delivery.webhook_id)
        if webhook is None or not webhook.public["active"]:
            raise ValueError(f"the webhook {delivery.webhook_id} was deleted or isn't active")
        self._enqueue(webhook, delivery.event)

    def redeliver_event(self, event: JsonObject) -> None:
        """Send an event again to every webhook that subscribes to it now. Raises ValueError if there is none."""
        webhooks = list(self._listeners(event))
        if not webhooks:
            raise ValueError(f"no active webhook listens for {event['event']} in this namespace")
        for webhook in webhooks:
            self._enqueue(webhook, event)

    def cancel(self, webhook: Record) -> None:
        """Drop the pending deliveries of a webhook. Those in flight end, but are not retried."""
        if self._queues.pop(webhook.id, None):
            self._store.remove_all("delivery", webhook.namespace, parent=webhook.id)
            self._timetable.drop(webhook.id)
            self._timetable.drop(_hold(webhook))
            self._finished.set()

    async def post_once(self, url: str, event: JsonObject, secret: str) -> Outcome:
        """Post an event to a URL that is no webhook's, as a delivery but without a retry, and return the answer."""
        async with self._sockets:
            return await self._post_signed(url, event, secret, new_id("req"))

    async def wait_until_idle(self, *, first_attempts: bool = True) -> None:
        """Wait until no attempt is in flight or due, and with `first_attempts` until each event has had its first."""
        while any(queue.is_busy(self._clock.now(), first_attempts=first_attempts) for queue in self._queues.values()):
            self._finished.clear()
            await self._finished.wait()

    def _listeners(self, event: JsonObject) -> Iterator[Record]:
        for webhook in self._store.all("webhook", event["namespace"]):
            if webhook.public["active"] and event["event"] in webhook.public["events"]:
                yield webhook

    def _enqueue(self, webhook: Record, event: JsonObject) -> None:
        queue = self._queues.setdefault(webhook.id, WebhookQueue(webhook))
        delivery_id = new_id("dlv")
        copies = 2 if _by_chance(self.options.duplicate) else 1
        for number in range(copies):
            due = self._clock.now() + _random.uniform(0, self.options.delay)
            private = {"delivery": delivery_id, "due": due, "attempt": 1, "is_duplicate": number > 0}
            public = {"event": event}
            pending = self._store.add("delivery", webhook.namespace, public, parent=webhook.id, private=private)
            if queue.held is None and _by_chance(self.options.reorder):
                queue.held = pending
                end = self._clock.now() + HOLD_SECONDS
                self._timetable.set(_hold(webhook), end, partial(self._release_held, queue))
            else:
                queue.add(pending)
        self._send_due(queue)

    def _send_due(self, queue: WebhookQueue) -> None:
        """Start the attempts that are due, and set the time of the next."""
        if self._loop is None:
            return
        for pending in queue.take(self._clock.now()):
            task = self._loop.create_task(self._attempt(queue, pending))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self._set_timer(queue)

    def _set_timer(self, queue: WebhookQueue) -> None:
        if (due := queue.next_due) is not None:
            self._timetable.set(queue.webhook.id, due, partial(self._send_due, queue))

    def _release_held(self, queue: WebhookQueue) -> None:
        """Queue the held delivery, if any, and send what is due."""
        if queue.held is not None:
            queue.add(queue.held)
            queue.held = None
            self._timetable.drop(_hold(queue.webhook))
        self._send_due(queue)

    async def _attempt(self, queue: WebhookQueue, pending: Record) -> None:
        request_id = new_id("req")
        async with self._sockets:
            if self._queues.get(queue.webhook.id) is not queue:
                return
            started, sent_at = time.monotonic(), self._clock.stamp()
            outcome = await self._try_send(queue, pending, request_id)
        queue.in_flight.discard(pending)
        kept = pending.private
        next_attempt = None if outcome.is_success else self._schedule_retry(queue, pending)
        if next_attempt is None:
            self._store.remove(pending)
        self.journal.append(
            Delivery(
                id=kept["delivery"],
                webhook_id=queue.webhook.id,
                namespace=queue.webhook.namespace,
                url=_without_password(queue.webhook.public["url"]),
                event=pending.public["event"],
                attempt=kept["attempt"],
                request_id=request_id,
                sent_at=sent_at,
                status=outcome.status,
                error=outcome.error,
                duration=time.monotonic() - started,
                next_attempt_at=next_attempt,
                is_duplicate=kept["is_duplicate"],
                headers=dict(outcome.sent),
                answer=outcome.content[:KEPT_OF_ANSWER].decode(errors="replace"),
            )
        )
        self._release_held(queue)
        if not len(queue) and self._queues.get(queue.webhook.id) is queue:
            del self._queues[queue.webhook.id]
        self._finished.set()

    async def _try_send(self, queue: WebhookQueue, pending: Record, request_id: str) -> Outcome:
        try:
            url, secret = queue.webhook.public["url"], queue.webhook.private["secret"]
            return await self._post_signed(url, pending.public["event"], secret, request_id)
        except Exception:
            logger.exception("the sandbox failed in delivery %s", pending.private["delivery"])
            return Outcome(error="the sandbox itself failed")

    def _schedule_retry(self, queue: WebhookQueue, pending: Record) -> str | None:
        """Queue a failed delivery again, if it has attempts left and its webhook exists; returns when it is due."""
        attempt, forgotten = pending.private["attempt"], self._queues.get(queue.webhook.id) is not queue
        if forgotten or pending.private["is_duplicate"] or attempt > len(WAITS):
            return None
        wait = WAITS[attempt - 1] * self.options.time_scale
        self._store.change(pending, private={"due": self._clock.now() + wait, "attempt": attempt + 1})
        queue.add(pending)
        return self._clock.stamp(wait)

    async def _post_signed(self, url: str, event: JsonObject, secret: str, request_id: str) -> Outcome:
        body = compact(event).encode()
        try:
            signed = sign(body, secret, timestamp=self._clock.now(), event=event["event"])
        except (ConfigurationError, ValueError):
            return Outcome(error="not sent: this secret can't sign anything")
        if self._bare_signature:
            signed[SIGNATURE] = signed[SIGNATURE].removeprefix("sha256=")
        headers = {**signed, "X-Request-Id": request_id, "User-Agent": "Interactor-Webhooks/1.0"}
        options = self.options
        outcome = await self.post_to(url, body, headers, timeout_seconds=options.timeout, public=options.public)
        return replace(outcome, sent=headers)

    def _drop_queues(self) -> None:
        self._cancel_attempts()
        self._queues.clear()
        self._finished.set()

    def _cancel_attempts(self) -> None:
        for task in self._tasks:
            # A loop that was closed without stopping the app has ended its tasks, too.
            with suppress(RuntimeError):
                task.cancel()
        self._tasks.clear()
        for queue in self._queues.values():
            queue.requeue_in_flight()


def _hold(webhook: Record) -> str:
    """The key of the timetable for the end of a hold."""
    return f"{webhook.id} held"


def _by_chance(probability: float) -> bool:
    return _random.random() < probability


def _without_password(url: str) -> str:
    try:
        return str(httpx.URL(url).copy_with(username=None, password=None))
    except (httpx.InvalidURL, ValueError):
        return "(invalid URL)"
