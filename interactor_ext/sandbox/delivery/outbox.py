"""Outbox: sends published events to the webhooks that subscribe to them, and retries failures.

Runs on the serving loop, like all state. Events posted while no loop serves wait until one does.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import attrs

from interactor_ext._engine.errors import ConfigurationError
from interactor_ext.sandbox.clock import Clock, Timetable
from interactor_ext.sandbox.delivery.deliveries import WAITS, Delivery, DeliveryOptions
from interactor_ext.sandbox.delivery.posting import Outcome, post
from interactor_ext.sandbox.storage.journal import Journal, masked_text
from interactor_ext.sandbox.storage.records import JsonObject, Record, Store, new_id
from interactor_ext.sandbox.storage.strict_json import compact
from interactor_ext.webhooks import sign
from interactor_ext.webhooks._headers import SIGNATURE

# Seconds of the clock after which a held delivery is sent even if no other has overtaken it.
HOLD_SECONDS = 1.0
# How many bytes of a response a delivery keeps.
MAX_KEPT_BYTES = 2000
# Concurrent attempts per webhook: each has a socket, and a slow webhook only delays itself.
MAX_CONCURRENT = 8
_random = random.SystemRandom()  # independent of the program's `random.seed`


class Outbox:
    """Sends deliveries. `journal` holds every attempt; `clear` restores the initial `options`.

    A pending delivery is a record of the kind `delivery`, whose parent is the webhook: `public` has the event,
    `private` the id of the delivery, `due` (a time of the clock), `attempt` and `is_duplicate`. `spawn` runs an attempt
    in the background.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        timetable: Timetable,
        spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
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
        self._spawn = spawn
        self._bare_signature = bare_signature
        self._loop: asyncio.AbstractEventLoop | None = None
        self._serve_on_new_loop(None)
        # Sends a signed body to a URL. The test explorer replaces it.
        self.post_to = post

    def serve_on(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start delivering on the running loop, first the deliveries that were in flight at a stop."""
        if loop is not self._loop:
            self._serve_on_new_loop(loop)
            self.restore()

    def stop(self) -> None:
        """Note that the attempts were cancelled; they are repeated when the sandbox is served again."""
        self._loop = None

    def clear(self) -> None:
        self.journal.clear()
        self.options = attrs.evolve(self._initial)

    def restore(self) -> None:
        """Schedule every pending delivery of the store, including those in flight when the process ended."""
        for pending in self._store.everything("delivery"):
            self._timetable.set(pending.id, pending.private["due"], partial(self._start, pending))

    def post(self, event: JsonObject) -> None:
        """Queue an event for every webhook that subscribes to it."""
        for webhook in self._listeners(event):
            self._enqueue(webhook, event)

    def redeliver(self, event: JsonObject, webhook_id: str | None = None) -> None:
        """Send an event again, with six attempts, to one webhook or to all that subscribe to it now.

        Raises ValueError if no webhook matches.
        """
        webhooks = [webhook for webhook in self._listeners(event) if webhook_id in (None, webhook.id)]
        if not webhooks:
            which = "no active webhook" if webhook_id is None else f"the webhook {webhook_id} was deleted or no longer"
            raise ValueError(f"{which} listens for {event['event']} in this namespace")
        for webhook in webhooks:
            self._enqueue(webhook, event)

    def cancel(self, webhook: Record) -> None:
        """Drop the pending deliveries of a webhook. Deliveries in flight end, but aren't retried."""
        for pending in list(self._store.all("delivery", webhook.namespace, parent=webhook.id)):
            self._store.remove(pending)
        self._finished.set()

    async def post_signed(self, url: str, event: JsonObject, secret: str) -> Outcome:
        """Post an event once, signed as a delivery."""
        body = compact(event).encode()
        headers = {"X-Request-Id": new_id("req"), "User-Agent": "Interactor-Webhooks/1.0"}
        try:
            headers |= sign(body, secret, timestamp=self._clock.now(), event=event["event"])
        except (ConfigurationError, ValueError):
            return Outcome(error="not sent: this secret can't sign anything", sent=headers)
        if self._bare_signature:
            headers[SIGNATURE] = headers[SIGNATURE].removeprefix("sha256=")
        options = self.options
        outcome = await self.post_to(url, body, headers, timeout_seconds=options.timeout, public=options.public)
        return replace(outcome, sent=headers)

    async def wait_until_idle(self, *, first_attempts: bool = True) -> None:
        """Wait until no attempt is in flight or due, and with `first_attempts` until each event has had its first."""
        while self._attempts or any(
            pending.private["due"] <= self._clock.now() or (first_attempts and pending.private["attempt"] == 1)
            for pending in self._store.everything("delivery")
        ):
            self._finished.clear()
            await self._finished.wait()

    def _serve_on_new_loop(self, loop: asyncio.AbstractEventLoop | None) -> None:
        self._loop = loop
        self._attempts: set[asyncio.Task[None]] = set()
        self._finished = asyncio.Event()
        self._held: dict[str, Record] = {}  # at most one per webhook
        self._slots: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(MAX_CONCURRENT))

    def _listeners(self, event: JsonObject) -> Iterator[Record]:
        for webhook in self._store.all("webhook", event["namespace"]):
            if webhook.public["active"] and event["event"] in webhook.public["events"]:
                yield webhook

    def _enqueue(self, webhook: Record, event: JsonObject) -> None:
        delivery_id, options = new_id("dlv"), self.options
        copies = 2 if _by_chance(options.duplicate) else 1
        for number in range(copies):
            is_held = webhook.id not in self._held and _by_chance(options.reorder)
            due = self._clock.now() + is_held * HOLD_SECONDS + _random.uniform(0, options.delay)
            private = {"delivery": delivery_id, "due": due, "attempt": 1, "is_duplicate": number > 0}
            public = {"event": event}
            pending = self._store.add("delivery", webhook.namespace, public, parent=webhook.id, private=private)
            if is_held:
                self._held[webhook.id] = pending
            self._send_when_due(pending)

    def _send_when_due(self, pending: Record) -> None:
        due = pending.private["due"]
        if self._loop is not None and self._loop.is_running() and due <= self._clock.now():
            self._start(pending)
        else:
            self._timetable.set(pending.id, due, partial(self._start, pending))

    def _start(self, pending: Record) -> None:
        self._timetable.drop(pending.id)
        if self._held.get(pending.parent) is pending:
            del self._held[pending.parent]
        task = self._spawn(self._attempt(pending))
        self._attempts.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._attempts.discard(task)
        self._finished.set()

    async def _attempt(self, pending: Record) -> None:
        async with self._slots[pending.parent]:
            webhook = self._store.find("webhook", pending.namespace, pending.parent)
            if webhook is None or not self._is_wanted(pending):
                return
            url, kept = masked_text(webhook.public["url"]), pending.private
            started, sent_at = time.monotonic(), self._clock.stamp()
            event = pending.public["event"]
            outcome = await self.post_signed(webhook.public["url"], event, webhook.private["secret"])
        next_attempt = None if outcome.is_success else self._retry(pending)
        if next_attempt is None:
            self._store.remove(pending)
        self.journal.append(
            Delivery(
                id=kept["delivery"],
                webhook_id=webhook.id,
                namespace=webhook.namespace,
                url=url,
                event=event,
                attempt=kept["attempt"],
                request_id=outcome.sent["X-Request-Id"],
                sent_at=sent_at,
                status=outcome.status,
                error=outcome.error,
                duration=time.monotonic() - started,
                next_attempt_at=next_attempt,
                is_duplicate=kept["is_duplicate"],
                headers=dict(outcome.sent),
                answer=outcome.content[:MAX_KEPT_BYTES].decode(errors="replace"),
            )
        )
        if held := self._held.get(webhook.id):
            self._start(held)

    def _is_wanted(self, pending: Record) -> bool:
        return self._store.find("delivery", pending.namespace, pending.id, parent=pending.parent) is pending

    def _retry(self, pending: Record) -> str | None:
        """Schedule the next attempt of a failed delivery, if any, and return its time."""
        attempt = pending.private["attempt"]
        if pending.private["is_duplicate"] or attempt > len(WAITS) or not self._is_wanted(pending):
            return None
        wait = WAITS[attempt - 1] * self.options.time_scale
        self._store.change(pending, private={"due": self._clock.now() + wait, "attempt": attempt + 1})
        self._send_when_due(pending)
        return self._clock.stamp(wait)


def _by_chance(probability: float) -> bool:
    return _random.random() < probability
