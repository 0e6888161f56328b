"""From what happened to the webhooks that listen for it: who gets what, when, and how often.

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
from interactor_ext.sandbox.delivery.webhook_queue import MAX_SIZE, MAX_WAITING, Lane, Letter
from interactor_ext.sandbox.storage.journal import Journal
from interactor_ext.sandbox.storage.persistence import Keeper, KeptLetter
from interactor_ext.sandbox.storage.records import JsonObject, Record, Store, new_id
from interactor_ext.webhooks import sign

# Real seconds until a delivery that was held back goes out though nothing overtook it.
HOLD = 1.0
# Real seconds until what was restored is sent: on a full disk it may just have been, and be lost again.
PAUSE = 1.0
# Attempts at a time, to all webhooks together: each has a socket.
AT_ONCE = 128
_random = random.SystemRandom()  # `random.seed` of the program does not reach it


class Outbox:
    """`journal` has every attempt. `options` are as the constructor got them again after `clear`."""

    def __init__(self, store: Store, keeper: Keeper, clock: Clock, options: DeliveryOptions, history: int) -> None:
        self.journal: Journal[Delivery] = Journal(history)
        self.options = attrs.evolve(options)
        self._initial = attrs.evolve(options)
        self._store = store
        self._keeper = keeper
        self._clock = clock
        self._lanes: dict[str, Lane] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._finished = asyncio.Event()
        self._sockets = asyncio.Semaphore(AT_ONCE)
        clock.on_move(self._moved)

    def serve_on(self, loop: asyncio.AbstractEventLoop) -> None:
        """Deliver from now on, on this loop, which is the running one."""
        if loop is not self._loop:
            self._interrupt()
            self._loop = loop
            self._finished = asyncio.Event()
            self._sockets = asyncio.Semaphore(AT_ONCE)
            self._pump_all()

    def stop(self) -> None:
        """Cut off what is under way; it is sent again when somebody serves again."""
        self._interrupt()
        self._loop = None

    def clear(self) -> None:
        self._interrupt()
        self._lanes.clear()
        self.journal.clear()
        self.options = attrs.evolve(self._initial)
        self._finished.set()

    def restore(self) -> None:
        """Go on with what the keeper has: what was under way when its process ended is sent once more."""
        webhooks = {webhook.id: webhook for webhook in self._store.everything("webhook")}
        for kept in self._keeper.letters():
            if webhook := webhooks.get(kept.webhook_id):
                body = kept.event.encode()
                letter = Letter(kept.id, json.loads(body), body, kept.due, kept.is_duplicate, kept.attempt)
                self._lanes.setdefault(webhook.id, Lane(webhook)).add(letter)
        if self._loop is not None:
            self._loop.call_later(PAUSE, self._pump_all)

    def post(self, event: JsonObject, body: bytes) -> None:
        """Send an event, which `body` says as JSON, to whoever listens for it."""
        for webhook in self._listeners(event):
            self._post(webhook, event, body)

    def redeliver(self, delivery: Delivery) -> None:
        """Send what a delivery held once more, with six attempts. Raises ValueError if its webhook is gone or off."""
        webhook = self._store.find("webhook", delivery.namespace, delivery.webhook_id)
        if webhook is None or not webhook.public["active"]:
            raise ValueError(f"the webhook {delivery.webhook_id} was deleted or is not active")
        self._post(webhook, delivery.event, _encoded(delivery.event))

    def repost(self, event: JsonObject) -> None:
        """Send an event once more to all who listen for it now. Raises ValueError if nobody does."""
        webhooks = list(self._listeners(event))
        if not webhooks:
            raise ValueError(f"no active webhook listens for {event['event']} in this namespace")
        body = _encoded(event)
        for webhook in webhooks:
            self._post(webhook, event, body)

    def forget(self, webhook: Record) -> None:
        """Give up what a webhook has not got yet. What is under way comes to its end, but is not tried again."""
        if lane := self._lanes.pop(webhook.id, None):
            for letter in lane.give_up():
                self._keeper.remove_letter(letter.id, letter.is_duplicate)
            self._finished.set()

    async def settled(self) -> None:
        """Wait until each event was tried once, no attempt is under way, and none is due."""
        while any(lane.is_busy(self._clock.now()) for lane in self._lanes.values()):
            self._finished.clear()
            await self._finished.wait()

    def _listeners(self, event: JsonObject) -> Iterator[Record]:
        for webhook in self._store.all("webhook", event["namespace"]):
            if webhook.public["active"] and event["event"] in webhook.public["events"]:
                yield webhook

    def _post(self, webhook: Record, event: JsonObject, body: bytes) -> None:
        lane = self._lanes.setdefault(webhook.id, Lane(webhook))
        delivery_id = new_id("dlv")
        copies = 2 if _happens(self.options.duplicate) else 1
        for number in range(copies):
            due = self._clock.now() + _random.uniform(0, self.options.delay)
            letter = Letter(delivery_id, event, body, due, is_duplicate=number > 0)
            if lane.is_full:
                letter.attempt = 0
                much = f"{MAX_WAITING} deliveries to this webhook, or {MAX_SIZE >> 20} MiB of them,"
                error = f"not sent: {much} are waiting already"
                self._record(lane, letter, Outcome(error=error), sent_at=self._clock.stamp())
                continue
            self._keep(lane, letter)
            if lane.held is None and _happens(self.options.reorder):
                lane.held = letter
            else:
                lane.add(letter)
        self._pump(lane)

    def _pump_all(self) -> None:
        for lane in list(self._lanes.values()):
            self._pump(lane)

    def _pump(self, lane: Lane) -> None:
        """Begin what is due, and come back when the next is."""
        if self._loop is None:
            return
        if lane.next_due is not None:
            lane.next_due.cancel()
            lane.next_due = None
        now = self._clock.now()
        for letter in lane.take(now):
            task = self._loop.create_task(self._attempt(lane, letter))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        if (seconds := lane.seconds_to_next(now)) is not None:
            lane.next_due = self._loop.call_later(self._clock.real_seconds(seconds), self._pump, lane)
        if lane.held is not None and lane.end_of_hold is None:
            lane.end_of_hold = self._loop.call_later(HOLD, self._let_go, lane)

    def _let_go(self, lane: Lane) -> None:
        """Send off what was held back, if anything was."""
        if lane.held is not None:
            lane.add(lane.held)
            lane.held = None
        if lane.end_of_hold is not None:
            lane.end_of_hold.cancel()
            lane.end_of_hold = None
        self._pump(lane)

    async def _attempt(self, lane: Lane, letter: Letter) -> None:
        request_id = new_id("req")
        async with self._sockets:
            if self._lanes.get(lane.webhook.id) is not lane:
                return
            started, sent_at = time.monotonic(), self._clock.stamp()
            outcome = await self._outcome(lane, letter, request_id)
        duration = time.monotonic() - started
        lane.under_way.discard(letter)
        next_attempt = self._try_again(lane, letter) if not outcome.is_success else None
        if next_attempt is None:
            self._keeper.remove_letter(letter.id, letter.is_duplicate)
        self._record(
            lane,
            letter,
            outcome,
            request_id=request_id,
            sent_at=sent_at,
            duration=duration,
            next_attempt_at=next_attempt,
        )
        letter.attempt += 1
        if next_attempt is not None:
            self._keep(lane, letter)
        self._let_go(lane)
        if not len(lane) and self._lanes.get(lane.webhook.id) is lane:
            del self._lanes[lane.webhook.id]
        self._finished.set()

    async def _outcome(self, lane: Lane, letter: Letter, request_id: str) -> Outcome:
        try:
            return await self._send(lane.webhook, letter, request_id)
        except Exception:
            logger.exception("the sandbox failed at delivery %s", letter.id)
            return Outcome(error="the sandbox itself failed")

    def _try_again(self, lane: Lane, letter: Letter) -> str | None:
        """Put a letter back, if it has attempts left and its webhook still wants it; returns when the next is due."""
        forgotten = self._lanes.get(lane.webhook.id) is not lane
        if forgotten or letter.is_duplicate or letter.attempt > len(WAITS):
            return None
        wait = WAITS[letter.attempt - 1] * self.options.time_scale
        letter.due = self._clock.now() + wait
        lane.add(letter)
        return self._clock.stamp(wait)

    def _keep(self, lane: Lane, letter: Letter) -> None:
        if self._keeper.keeps:
            event = letter.body.decode()
            self._keeper.put_letter(
                KeptLetter(letter.id, letter.is_duplicate, lane.webhook.id, event, letter.due, letter.attempt)
            )

    async def _send(self, webhook: Record, letter: Letter, request_id: str) -> Outcome:
        body = letter.body
        try:
            signed = sign(body, webhook.private["secret"], timestamp=self._clock.now(), event=letter.event["event"])
        except (ConfigurationError, ValueError):
            return Outcome(error="not sent: nothing can be signed with the secret of this webhook")
        headers = {**signed, "X-Request-Id": request_id, "User-Agent": "Interactor-Webhooks/1.0"}
        options = self.options
        return await post(webhook.public["url"], body, headers, timeout_seconds=options.timeout, public=options.public)

    def _record(
        self,
        lane: Lane,
        letter: Letter,
        outcome: Outcome,
        *,
        sent_at: str,
        request_id: str = "",
        duration: float = 0.0,
        next_attempt_at: str | None = None,
    ) -> None:
        self.journal.append(
            Delivery(
                id=letter.id,
                webhook_id=lane.webhook.id,
                namespace=lane.webhook.namespace,
                url=_without_password(lane.webhook.public["url"]),
                event=letter.event,
                attempt=letter.attempt,
                request_id=request_id,
                sent_at=sent_at,
                status=outcome.status,
                error=outcome.error,
                duration=duration,
                next_attempt_at=next_attempt_at,
                is_duplicate=letter.is_duplicate,
            ),
            size=len(letter.body),
        )

    def _interrupt(self) -> None:
        for task in self._tasks:
            # A loop that ended without a word to the app has ended its tasks, too.
            with suppress(RuntimeError):
                task.cancel()
        self._tasks.clear()
        for lane in self._lanes.values():
            lane.interrupt()

    def _moved(self) -> None:
        """The clock was moved, perhaps by another thread: something may be due."""
        if self._loop is not None:
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._pump_all)


def _encoded(event: JsonObject) -> bytes:
    return json.dumps(event, separators=(",", ":")).encode()


def _happens(probability: float) -> bool:
    return _random.random() < probability


def _without_password(url: str) -> str:
    try:
        return str(httpx.URL(url).copy_with(username=None, password=None))
    except (httpx.InvalidURL, ValueError):
        return "(not an URL)"
