"""State: the platform's records and the services that every handler shares.

All of it belongs to the event loop that serves the sandbox. Handlers run there without interruption between two awaits,
so no lock is needed; other threads come in through the methods of `Sandbox`.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from interactor_ext.logs._logger import sandbox_logger as logger
from interactor_ext.sandbox.clock import Clock
from interactor_ext.sandbox.delivery.deliveries import Delivery, DeliveryOptions
from interactor_ext.sandbox.delivery.outbox import Outbox
from interactor_ext.sandbox.http.connections import ConnectionCut
from interactor_ext.sandbox.http.deprecations import Deprecations
from interactor_ext.sandbox.http.faults import Faults
from interactor_ext.sandbox.http.idempotency import LIFETIME, Entry, IdempotencyKeys, Scope
from interactor_ext.sandbox.http.limits import Limits, RateTier
from interactor_ext.sandbox.http.streams import Streams
from interactor_ext.sandbox.http.wire import ApiResponse
from interactor_ext.sandbox.platform.accounts import Accounts
from interactor_ext.sandbox.platform.expiry import CredentialExpiry
from interactor_ext.sandbox.platform.work import run_in_thread
from interactor_ext.sandbox.storage.journal import Journal, RequestRecord
from interactor_ext.sandbox.storage.persistence import Persistence, StoredResponse
from interactor_ext.sandbox.storage.records import JsonObject, Store, new_id

T = TypeVar("T")

# Of a workflow instance.
FINISHED = {"completed", "failed", "cancelled"}
# Of a stream, at the most.
IDS_OF_A_RUN = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Settings:
    """How this sandbox was asked to behave; see `Sandbox` for what each means."""

    enforce_limits: bool
    keepalive: float
    retry: int | None
    word_delay: float
    replay: int
    history: int
    sync_time: float
    delivery: DeliveryOptions
    allowed_hosts: frozenset[str]


class State:
    """The whole platform: records, services, journals. `clear()` makes it as new, with what `plant` puts there."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        faults: Faults,
        accounts: Accounts,
        tiers: Mapping[str, RateTier],
        persistence: Persistence,
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.faults = faults
        self.accounts = accounts
        self.persistence = persistence
        self.load_seed: Callable[[State], None] = lambda _: None
        persistence.on_loss = self._reload
        self.deprecations = Deprecations(clock)
        self.store = Store(persistence)
        self.streams = Streams(keep=settings.replay)
        self.limits = Limits(clock, tiers, enforce=settings.enforce_limits)
        self.idempotency: IdempotencyKeys[Any] = IdempotencyKeys(clock, self._store_response)
        self.requests: Journal[RequestRecord] = Journal(settings.history)
        self.events: Journal[JsonObject] = Journal(settings.history)
        self.emails: Journal[JsonObject] = Journal(settings.history)
        self.outbox = Outbox(self.store, persistence, clock, settings.delivery, settings.history)
        self.credential_expiry = CredentialExpiry(self.store, clock, self.publish)
        # One answer at a time in a room (see conversation.py): a lock lives as long as somebody has it or waits for it.
        self.locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        # Goes up whenever everything is exchanged: what began before must not write into what came then.
        self.generation = 0
        # Set when the server is to end: what sleeps in an answer need not.
        self.stopping = asyncio.Event()
        self._tasks: set[asyncio.Task[object]] = set()

    def publish(self, event: str, namespace: str, data: JsonObject) -> None:
        """Say what happened, in the shape of a webhook's body. Every change of state comes through here."""
        body: JsonObject = {
            "id": new_id("evt"),
            "event": event,
            "timestamp": self.clock.stamp(),
            "idempotency_key": new_id("idem"),
            "namespace": namespace,
            "data": data,
        }
        # Written once, for all who get it.
        encoded = json.dumps(body, separators=(",", ":")).encode()
        self.events.append(body, len(encoded))
        self.outbox.post(body, encoded)

    def redeliver(self, what: Delivery | str) -> None:
        """A delivery, or the event with this id, once more. Raises ValueError where nobody would get it."""
        if isinstance(what, Delivery):
            self.outbox.redeliver(what)
            return
        event = next((event for event in self.events if event["id"] == what), None)
        if event is None:
            raise ValueError(f"there is no event {what!r}, or it is too old to be kept")
        self.outbox.redeliver_event(event)

    def spawn(self, work: Coroutine[Any, Any, object]) -> None:
        """Let something go on behind the answer; a failure of it is logged."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    async def compute_in_thread(self, work: Callable[[], T]) -> T:
        """What `work` returns, computed in a thread; it must touch nothing of this. Raises ConnectionCut at the end."""
        done = asyncio.ensure_future(run_in_thread(work))
        stopped = asyncio.ensure_future(self.stopping.wait())
        try:
            await asyncio.wait({done, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if done.done():
                return await done
            raise ConnectionCut(reset=False)
        finally:
            done.cancel()
            stopped.cancel()

    def start(self) -> None:
        """The running loop is the one that serves from now on."""
        loop = asyncio.get_running_loop()
        if self.stopping.is_set():
            self.stopping = asyncio.Event()
        self.outbox.serve_on(loop)
        self.credential_expiry.serve_on(loop)

    def stop(self) -> None:
        """End what goes on in the background and cut off the streams."""
        self.stopping.set()
        self._cancel_background()
        self.outbox.stop()
        self.credential_expiry.stop()

    def restore(self) -> None:
        """Go on from what the persistence has, in the place of everything here."""
        now = self.clock.now()
        # A clock that was moved forward may go back, and a token be good again that nobody knows to be revoked.
        self.persistence.forget_before(responses=now - LIFETIME, tokens=min(now, time.time()))
        self._reload()

    def _reload(self) -> None:
        self._cancel_background()
        self.outbox.clear()
        self.streams.clear()
        self.store.restore()
        self.accounts.restore()
        self.idempotency.restore(
            (stored.scope, Entry(stored.fingerprint, stored.since, ApiResponse(stored.status, stored.content)))
            for stored in self.persistence.responses()
        )
        self.outbox.restore()
        self.credential_expiry.restore()
        # No id of an earlier run comes again: a subscriber who was there would take the event for one that it has had.
        self.streams.count_from(self.persistence.earlier_runs * IDS_OF_A_RUN + 1)
        for instance in self.store.everything("workflow instance"):
            if instance.public["status"] in FINISHED:
                self.streams.finish(instance.id)

    def clear(self) -> None:
        self.generation += 1
        self._cancel_background()
        self.locks.clear()
        self.outbox.clear()
        for part in (self.store, self.streams, self.limits, self.idempotency, self.credential_expiry):
            part.clear()
        for journal in (self.requests, self.events, self.emails):
            journal.clear()
        self.persistence.clear()
        self.accounts.clear()
        self.faults.clear()
        self.deprecations.clear()
        self.clock.reset()
        self.load_seed(self)

    def _store_response(self, scope: Scope, entry: Entry[Any]) -> None:
        if self.persistence.is_durable and isinstance(entry.response, ApiResponse):
            response = entry.response
            self.persistence.add_response(
                StoredResponse(scope, entry.fingerprint, entry.since, response.status, response.content)
            )

    def _cancel_background(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        self.streams.disconnect()

    def _finished(self, task: asyncio.Task[object]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            logger.error("a background task of the sandbox failed", exc_info=error)
