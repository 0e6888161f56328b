"""What the platform knows: its records, and the services that every handler shares.

All of it belongs to the event loop that serves the sandbox. Handlers run there without interruption between two awaits,
so no lock is needed; other threads come in through the methods of `Sandbox`.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Coroutine, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakValueDictionary

from .accounts import Accounts
from .clock import Clock
from .faults import Faults
from .idempotency import IdempotencyKeys
from .journal import Journal, RequestRecord
from .limits import Limits, Tier
from .problems import not_found
from .streams import Streams

logger = logging.getLogger("interactor.sandbox")

JsonObject = dict[str, Any]

PREFIXES = {
    "assistant": "asst",
    "credential": "cred",
    "data source": "ds",
    "flow": "flow",
    "message": "msg",
    "room": "room",
    "thread": "thr",
    "thread message": "tmsg",
    "tool": "tool",
    "tool call": "tc",
    "webhook": "wh",
    "workflow": "wf",
    "workflow instance": "wfi",
}


def new_id(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(10)}"


@dataclass(frozen=True, slots=True)
class Settings:
    """How this sandbox was asked to behave; see `Sandbox` for what each means."""

    enforce_limits: bool
    keepalive: float
    retry: int | None
    word_delay: float
    replay: int
    history: int


@dataclass(slots=True, eq=False)
class Record:
    """One thing of the platform. `public` is what the API shows, `private` what it keeps to itself; both plain JSON.

    Neither is ever changed in place, down to the last nested value: a change puts new ones there. What was handed out
    (an event, a journal entry) therefore stays what it was.
    """

    kind: str
    id: str
    namespace: str
    parent: str
    public: JsonObject
    private: JsonObject = field(repr=False)


class Store:
    """Records by kind, namespace and parent (the room of a message, say), in the order in which they were made."""

    def __init__(self) -> None:
        self._tables: dict[tuple[str, str, str], dict[str, Record]] = {}

    def add(
        self, kind: str, namespace: str, public: JsonObject, *, parent: str = "", private: JsonObject | None = None
    ) -> Record:
        """Keep a new record; its `public` gets the id, in front."""
        record_id = new_id(PREFIXES[kind])
        record = Record(kind, record_id, namespace, parent, {"id": record_id, **public}, private or {})
        self._tables.setdefault((kind, namespace, parent), {})[record_id] = record
        return record

    def find(self, kind: str, namespace: str, record_id: str, *, parent: str = "") -> Record | None:
        return self._tables.get((kind, namespace, parent), {}).get(record_id)

    def get(self, kind: str, namespace: str, record_id: str, *, parent: str = "") -> Record:
        """As `find`; raises Problem 404 if there is none, be it that another namespace has it."""
        record = self.find(kind, namespace, record_id, parent=parent)
        if record is None:
            raise not_found(kind)
        return record

    def search(self, kind: str, record_id: str) -> Record | None:
        """The record in whichever namespace it is, for a request that carries none."""
        tables = (table for (each, _, _), table in self._tables.items() if each == kind)
        return next((table[record_id] for table in tables if record_id in table), None)

    def all(self, kind: str, namespace: str, *, parent: str = "") -> Iterator[Record]:
        return iter(self._tables.get((kind, namespace, parent), {}).values())

    def change(self, record: Record, public: JsonObject | None = None, *, private: JsonObject | None = None) -> None:
        """Put new values over the record's own."""
        if public:
            record.public = {**record.public, **public}
        if private:
            record.private = {**record.private, **private}

    def remove(self, record: Record) -> None:
        key = (record.kind, record.namespace, record.parent)
        self._tables[key].pop(record.id, None)
        if not self._tables[key]:
            del self._tables[key]

    def remove_all(self, kind: str, namespace: str, *, parent: str) -> None:
        self._tables.pop((kind, namespace, parent), None)

    def clear(self) -> None:
        self._tables.clear()


class State:
    """The whole platform: records, services, journals. `clear()` makes it as new."""

    def __init__(
        self, settings: Settings, clock: Clock, faults: Faults, accounts: Accounts, tiers: Mapping[str, Tier]
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.faults = faults
        self.accounts = accounts
        self.store = Store()
        self.streams = Streams(keep=settings.replay)
        self.limits = Limits(clock, tiers, enforce=settings.enforce_limits)
        self.answers: IdempotencyKeys[Any] = IdempotencyKeys(clock)
        self.requests: Journal[RequestRecord] = Journal(settings.history)
        self.events: Journal[JsonObject] = Journal(settings.history)
        self.emails: Journal[JsonObject] = Journal(settings.history)
        # One answer at a time in a room (see conversation.py): a lock lives as long as somebody has it or waits for it.
        self.turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._tasks: set[asyncio.Task[object]] = set()

    def publish(self, event: str, namespace: str, data: JsonObject) -> None:
        """Say what happened, in the shape of a webhook's body. Every change of state comes through here."""
        self.events.append(
            {
                "id": new_id("evt"),
                "event": event,
                "timestamp": self.clock.stamp(),
                "idempotency_key": new_id("idem"),
                "namespace": namespace,
                "data": data,
            }
        )

    def spawn(self, work: Coroutine[Any, Any, object]) -> None:
        """Let something go on behind the answer; a failure of it is logged."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def stop(self) -> None:
        """End what goes on in the background and cut off the streams."""
        for task in list(self._tasks):
            task.cancel()
        self.streams.disconnect()

    def clear(self) -> None:
        self.stop()
        for part in (self.store, self.streams, self.limits, self.answers, self.requests, self.events, self.emails):
            part.clear()
        self.accounts.revoke_all()
        self.faults.clear()
        self.clock.reset()

    def _finished(self, task: asyncio.Task[object]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            logger.error("a background task of the sandbox failed", exc_info=error)
