"""State: the platform's records and the services that all handlers share.

It is only used on the event loop that serves the sandbox. Handlers run there without interruption between two awaits,
so no lock is needed; other threads use the methods of `Sandbox`.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import astuple, dataclass
from typing import Any
from weakref import WeakValueDictionary

from interactor_ext._engine.logs import sandbox_logger as logger
from interactor_ext.sandbox.clock import Clock, Timetable
from interactor_ext.sandbox.delivery.deliveries import Delivery, DeliveryOptions
from interactor_ext.sandbox.delivery.outbox import Outbox
from interactor_ext.sandbox.platform.accounts import Accounts
from interactor_ext.sandbox.platform.contract import Contract
from interactor_ext.sandbox.platform.deprecations import Deprecated
from interactor_ext.sandbox.platform.faults import Faults
from interactor_ext.sandbox.platform.idempotency import IdempotencyKeys
from interactor_ext.sandbox.platform.limits import Limits
from interactor_ext.sandbox.platform.providers import Provider
from interactor_ext.sandbox.platform.streams import Streams
from interactor_ext.sandbox.platform.timed import TimedChanges
from interactor_ext.sandbox.storage.journal import Journal, RequestRecord
from interactor_ext.sandbox.storage.persistence import Persistence, StoredRecord
from interactor_ext.sandbox.storage.records import JsonObject, Store, new_id
from interactor_ext.sandbox.storage.strict_json import compact

# The id of the current request, or of the request that started the current work.
cause: ContextVar[str] = ContextVar("cause", default="")
FINISHED = {"completed", "failed", "cancelled"}
# Maximum event ids of a stream in one run.
IDS_OF_A_RUN = 1_000_000_000
# In real seconds.
RESTORE_DELAY = 1.0


@dataclass(frozen=True, slots=True)
class Settings:
    """The options of a sandbox; documented in `Sandbox`."""

    keeps_clock: bool
    token_lifetime: float
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
        contract: Contract,
        persistence: Persistence,
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.faults = faults
        self.persistence = persistence
        self.load_seed: Callable[[State], None] = lambda _: None
        persistence.on_loss = self._reload
        # By operationId.
        self.deprecations: dict[str, Deprecated] = {}
        self.timetable: Timetable = Timetable(clock, on_move=self._keep_clock)
        self.store: Store = Store(persistence, self.timetable)
        self.accounts: Accounts = Accounts(clock, contract.scopes, settings.token_lifetime, self.store, persistence)
        self.streams: Streams = Streams(keep=settings.replay)
        self.limits: Limits = Limits(clock, contract.tiers, enforce=settings.enforce_limits)
        self.idempotency: IdempotencyKeys = IdempotencyKeys(clock, self.store)
        self.requests: Journal[RequestRecord] = Journal(settings.history)
        self.events: Journal[JsonObject] = Journal(settings.history)
        # Pairs of ids: of a request, and of an event it caused.
        self.causes: Journal[tuple[str, str]] = Journal(settings.history)
        self.emails: Journal[JsonObject] = Journal(settings.history)
        # The places of an explorer run, in order of time.
        self.schedule: list[dict[str, str]] = []
        bare = "bare_signature" in settings.dialect
        self.outbox: Outbox = Outbox(
            self.store, clock, self.timetable, self.spawn, settings.delivery, settings.history, bare_signature=bare
        )
        self.timed: TimedChanges = TimedChanges(self.store, clock, self.timetable, self.publish, settings.sync_time)
        # One lock per room with a holder or waiters: replies are serialized.
        self.locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        # The number of resets: a request that began before one must not write after it.
        self.generation: int = 0
        # Set when the server stops, to end waits in responses.
        self.stopping: asyncio.Event = asyncio.Event()
        # The providers that tests have registered, by name.
        self.providers: dict[str, Provider] = {}
        self._tasks: set[asyncio.Task[None]] = set()

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
        self.events.append(body)
        if request_id := cause.get():
            self.causes.append((request_id, body["id"]))
        self.outbox.post(body)
        return body

    def redeliver(self, what: Delivery | str) -> None:
        """Send a delivery or an event again. Raises ValueError if no webhook would get it."""
        delivery = next((each for each in self.outbox.journal if each.id == what), what)
        if isinstance(delivery, Delivery):
            self.outbox.redeliver(delivery.event, delivery.webhook_id)
            return
        event = next((event for event in self.events if event["id"] == what), None)
        if event is None:
            raise ValueError(f"there is no event {what!r}, or it was too old to keep")
        self.outbox.redeliver(event)

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run a background task; its failure is logged."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    def start(self) -> None:
        """Start background work on the running loop, which serves from now on."""
        loop = asyncio.get_running_loop()
        if self.stopping.is_set():
            self.stopping = asyncio.Event()
        self.outbox.serve_on(loop)
        self.timetable.serve_on(loop)

    def stop(self) -> None:
        """Stop background work and disconnect the streams."""
        self.stopping.set()
        self._cancel_background()
        self.outbox.stop()
        self.timetable.stop()

    def restore(self) -> None:
        """Replace the state with the persisted one."""
        if self.settings.keeps_clock:
            self._restore_clock()
        self._reload()

    def _reload(self) -> None:
        self.store.restore()
        self._rebuild()

    def _rebuild(self) -> None:
        """Rebuild everything else from the records."""
        self._cancel_background()
        self.streams.clear()
        self.timetable.clear()
        self.accounts.restore()
        self.idempotency.restore()
        self.outbox.restore()
        self.timed.restore()
        # Due actions may just have run, before a write to a full disk failed.
        self.timetable.pause(RESTORE_DELAY)
        # Event ids of earlier runs aren't reused: subscribers would mistake new events for repetitions.
        self.streams.first_id = self.persistence.earlier_runs * IDS_OF_A_RUN + 1
        for instance in self.store.everything("workflow instance"):
            if instance.public["status"] in FINISHED:
                self.streams.finish(instance.id)

    def _keep_clock(self) -> None:
        now = self.clock.now()
        kept = {"frozen_at": now} if self.clock.is_frozen else {"ahead": now - time.time()}
        self.persistence.set_value("clock", compact(kept))

    def _restore_clock(self) -> None:
        kept = json.loads(self.persistence.value("clock") or "{}")
        if "ahead" in kept:
            self.clock.set(time.time() + kept["ahead"])
        elif kept:
            self.clock.freeze()
            self.clock.set(kept["frozen_at"])

    async def run_until_idle(self) -> None:
        """Move the clock to the next due time until nothing is due."""
        while True:
            await self.outbox.wait_until_idle(first_attempts=False)
            due = self.timetable.next_due
            if due is None:
                return
            self.clock.set(max(due, self.clock.now()))

    def snapshot(self) -> JsonObject:
        return {"now": self.clock.now(), "records": [astuple(each) for each in self.store.stored()]}

    def return_to(self, snapshot: JsonObject) -> None:
        """Return to a snapshot. Raises ValueError for anything else, without changing anything."""
        try:
            self.clock.set(snapshot["now"])
            records = [StoredRecord(*each) for each in snapshot["records"]]
        except (LookupError, TypeError):
            raise ValueError("this isn't a snapshot of a sandbox") from None
        self.generation += 1
        self.locks.clear()
        self.persistence.clear()
        self.store.replace(records)
        self._rebuild()

    def clear(self) -> None:
        self.generation += 1
        self._cancel_background()
        self.locks.clear()
        self.outbox.clear()
        for part in (self.store, self.streams, self.limits, self.timetable):
            part.clear()
        self.idempotency.restore()
        for journal in (self.requests, self.events, self.causes, self.emails):
            journal.clear()
        self.persistence.clear()
        self.accounts.clear()
        self.faults.clear()
        self.deprecations.clear()
        self.providers.clear()
        self.clock.reset()
        self.load_seed(self)

    def _cancel_background(self) -> None:
        for task in list(self._tasks):
            # Closing a loop without stopping the app has already ended its tasks.
            with suppress(RuntimeError):
                task.cancel()
        self.streams.disconnect()

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            logger.error("a background task of the sandbox failed", exc_info=error)
