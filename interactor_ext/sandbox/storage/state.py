"""State: the platform's records and the services that every handler shares.

It is used only on the event loop that serves the sandbox. Handlers run there without interruption between two awaits,
so no lock is needed; other threads use the methods of `Sandbox`.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Coroutine, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from interactor_ext.logs import sandbox_logger as logger
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
from interactor_ext.sandbox.storage.journal import RESPONSES, Journal, RequestRecord, ResponseRecord
from interactor_ext.sandbox.storage.persistence import Persistence, StoredResponse
from interactor_ext.sandbox.storage.records import JsonObject, Store, new_id

T = TypeVar("T")

# The id of the request that is being handled, or that began what is being done.
cause: ContextVar[str] = ContextVar("cause", default="")
# Final statuses of a workflow instance.
FINISHED = {"completed", "failed", "cancelled"}
# Maximum event ids of a stream in one run.
IDS_OF_A_RUN = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Settings:
    """The options of a sandbox; documented in `Sandbox`."""

    enforce_limits: bool
    keepalive: float
    retry: int | None
    word_delay: float
    replay: int
    history: int
    sync_time: float
    delivery: DeliveryOptions
    allowed_hosts: frozenset[str]
    allow_origins: frozenset[str]
    dialect: frozenset[str]


class State:
    """The whole platform: records, services, journals. `clear()` resets it and calls `load_seed`."""

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
        # For the inspector. Apart from the requests, so that long responses do not make the journal forget requests.
        self.responses: Journal[ResponseRecord] = Journal(RESPONSES)
        self.events: Journal[JsonObject] = Journal(settings.history)
        # Ids: of a request, and of an event that it caused.
        self.causes: Journal[tuple[str, str]] = Journal(settings.history)
        self.emails: Journal[JsonObject] = Journal(settings.history)
        bare = "bare_signature" in settings.dialect
        self.outbox = Outbox(self.store, persistence, clock, settings.delivery, settings.history, bare_signature=bare)
        self.credential_expiry = CredentialExpiry(self.store, clock, self.publish)
        # One lock for each room and instance that has a holder or waiters: replies and steps are serialized.
        self.locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        # Counts resets: a request that began before one must not write after it.
        self.generation = 0
        # Set when the server stops: ends waits in responses.
        self.stopping = asyncio.Event()
        self._tasks: set[asyncio.Task[object]] = set()

    def publish(self, event: str, namespace: str, data: JsonObject) -> JsonObject:
        """Record an event, queue it for webhooks, and return it. Every change of state comes through here."""
        body: JsonObject = {
            "id": new_id("evt"),
            "event": event,
            "timestamp": self.clock.stamp(),
            "idempotency_key": new_id("idem"),
            "namespace": namespace,
            "data": data,
        }
        # Encoded once for all webhooks.
        encoded = json.dumps(body, separators=(",", ":")).encode()
        self.events.append(body, len(encoded))
        if request_id := cause.get():
            self.causes.append((request_id, body["id"]))
        self.outbox.post(body, encoded)
        return body

    def redeliver(self, what: Delivery | str) -> None:
        """Send a delivery or an event again. Raises ValueError if no webhook would get it."""
        if isinstance(what, Delivery):
            self.outbox.redeliver(what)
            return
        event = next((event for event in self.events if event["id"] == what), None)
        if event is None:
            raise ValueError(f"there is no event {what!r}, or it is too old to be kept")
        self.outbox.redeliver_event(event)

    def spawn(self, work: Coroutine[Any, Any, object]) -> None:
        """Run a background task; its failure is logged."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    async def compute_in_thread(self, work: Callable[[], T]) -> T:
        """Run `work` in a thread; it must not touch the state. Raises ConnectionCut if the sandbox stops meanwhile."""
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
        """Start background work on the running loop, which serves from now on."""
        loop = asyncio.get_running_loop()
        if self.stopping.is_set():
            self.stopping = asyncio.Event()
        self.outbox.serve_on(loop)
        self.credential_expiry.serve_on(loop)

    def stop(self) -> None:
        """Stop background work and disconnect the streams."""
        self.stopping.set()
        self._cancel_background()
        self.outbox.stop()
        self.credential_expiry.stop()

    def restore(self) -> None:
        """Replace the state with that of the persistence."""
        now = self.clock.now()
        # The clock may be moved back: a revocation must stay until its token has expired in real time, too.
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
        # Event ids of earlier runs are not reused: subscribers would take new events for repetitions.
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
        for journal in (self.requests, self.responses, self.events, self.causes, self.emails):
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
