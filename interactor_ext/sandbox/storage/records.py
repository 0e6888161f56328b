"""Record and Store: the platform's records in memory, by kind, namespace and parent."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from interactor_ext.sandbox.clock import Timetable
from interactor_ext.sandbox.problems import Problem, invalid, not_found
from interactor_ext.sandbox.storage.persistence import Persistence, StoredRecord
from interactor_ext.sandbox.storage.strict_json import compact

JsonObject = dict[str, Any]

# Kinds that the API doesn't show: added clients, pending deliveries, responses of Idempotency-Keys.
HIDDEN = {"client": "client", "delivery": "dlv", "response": "resp"}
# Where the prefix of the ids isn't the kind itself.
PREFIXES = {
    **HIDDEN,
    "assistant": "asst",
    "credential": "cred",
    "data source": "ds",
    "message": "msg",
    "thread": "thr",
    "thread message": "tmsg",
    "tool call": "tc",
    "webhook": "wh",
    "workflow": "wf",
    "workflow instance": "wfi",
}


def new_id(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(10)}"


@dataclass(slots=True, eq=False)
class Record:
    """A resource of the platform. The API returns `public`; `private` is internal; both are plain JSON.

    Neither is ever changed in place, including nested values: an update replaces them. Existing copies (an event, a
    journal entry) therefore never change.
    """

    kind: str
    id: str
    namespace: str
    parent: str
    public: JsonObject
    private: JsonObject = field(repr=False)


class Store:
    """Records by kind, namespace and parent (for example the room of a message), in order of creation.

    Only its methods change records, and they write every change to the persistence.
    """

    def __init__(self, persistence: Persistence, timetable: Timetable) -> None:
        self._persistence = persistence
        self._timetable = timetable
        self._tables: dict[tuple[str, str, str], dict[str, Record]] = {}
        self._next_id = ""

    def restore(self) -> None:
        """Replace all records with the persisted ones."""
        self._tables.clear()
        for kept in self._persistence.records():
            self._insert(_parsed(kept))

    def stored(self) -> list[StoredRecord]:
        """Return all records in stored form, by kind, namespace and parent, oldest first."""
        return [_stored(record) for table in self._tables.values() for record in table.values()]

    def replace(self, records: Iterable[StoredRecord]) -> None:
        """Replace all records with these. They aren't persisted yet."""
        self._tables.clear()
        for kept in records:
            self._insert(_parsed(kept))
            self._persistence.add(kept)

    def set_next_id(self, record_id: str) -> None:
        """Set the id of the next record. Raises Problem 422 if another record has it."""
        if any(record_id in table for table in self._tables.values()):
            raise invalid(("id", "is already the id of something else"))
        self._next_id = record_id

    def add(
        self, kind: str, namespace: str, public: JsonObject, *, parent: str = "", private: JsonObject | None = None
    ) -> Record:
        """Add a new record; its `public` begins with the id."""
        record_id, self._next_id = self._next_id or new_id(PREFIXES.get(kind, kind.replace(" ", "_"))), ""
        record = Record(kind, record_id, namespace, parent, {"id": record_id, **public}, private or {})
        self._insert(record)
        if self._persistence.is_durable:
            self._persistence.add(_stored(record))
        return record

    def find(self, kind: str, namespace: str, record_id: str, *, parent: str = "") -> Record | None:
        return self._tables.get((kind, namespace, parent), {}).get(record_id)

    def get(self, kind: str, namespace: str, record_id: str, *, parent: str = "") -> Record:
        """Like `find`, but raises Problem 404 if this namespace has no such record."""
        record = self.find(kind, namespace, record_id, parent=parent)
        if record is None:
            raise not_found(kind)
        return record

    def check_still_there(self, record: Record) -> None:
        """Check after a wait that a record still exists. Raises Problem 404; after a reset, another may have its id."""
        if self.find(record.kind, record.namespace, record.id, parent=record.parent) is not record:
            raise not_found(record.kind)

    def search(self, kind: str, record_id: str) -> Record | None:
        """Return the record, whatever its namespace. Requests without a namespace use this."""
        return next((table[record_id] for table in self._tables_of(kind) if record_id in table), None)

    def lookup(self, kind: str, record_id: str) -> Record:
        """Like `search`, but raises Problem 404 for an unknown id."""
        record = self.search(kind, record_id)
        if record is None:
            raise Problem(404, f"There is no {kind} with this id.")
        return record

    def all(self, kind: str, namespace: str, *, parent: str = "") -> Iterator[Record]:
        return iter(self._tables.get((kind, namespace, parent), {}).values())

    def change(self, record: Record, public: JsonObject | None = None, *, private: JsonObject | None = None) -> None:
        if public:
            record.public = {**record.public, **public}
        if private:
            record.private = {**record.private, **private}
        if self._persistence.is_durable:
            self._persistence.change(_stored(record))

    def remove(self, record: Record) -> None:
        key = (record.kind, record.namespace, record.parent)
        table = self._tables.get(key, {})
        table.pop(record.id, None)
        if not table:
            self._tables.pop(key, None)
        self._timetable.drop(record.id)
        self._persistence.remove(record.id)

    def remove_all(self, kind: str, namespace: str, *, parent: str) -> None:
        self._tables.pop((kind, namespace, parent), None)
        self._persistence.remove_all(kind, namespace, parent)

    def everything(self, kind: str) -> Iterator[Record]:
        """Return the records of a kind in all namespaces."""
        for table in self._tables_of(kind):
            yield from table.values()

    def newest(self, kind: str, namespace: str | None, count: int, *, parent: str = "") -> list[Record]:
        """Return the newest `count` records of a namespace, or with None of each namespace, newest first."""
        tables = self._tables_of(kind, namespace, parent)
        return [record for table in tables for record in islice(reversed(table.values()), count)]

    def count(self, kind: str, namespace: str | None, *, parent: str = "") -> int:
        """Return how many records a namespace has, or with None all namespaces together."""
        return sum(map(len, self._tables_of(kind, namespace, parent)))

    def is_empty(self) -> bool:
        """Whether there is nothing that the API shows."""
        return all(kind in HIDDEN for kind, _, _ in self._tables)

    def clear(self) -> None:
        """Remove all records from memory; the caller clears the persistence."""
        self._tables.clear()
        self._next_id = ""

    def _tables_of(
        self, kind: str, namespace: str | None = None, parent: str | None = None
    ) -> Iterator[dict[str, Record]]:
        """Yield the tables of a kind; None is any namespace or parent."""
        for (each, space, above), table in self._tables.items():
            if each == kind and namespace in {None, space} and parent in {None, above}:
                yield table

    def _insert(self, record: Record) -> None:
        self._tables.setdefault((record.kind, record.namespace, record.parent), {})[record.id] = record


def _stored(record: Record) -> StoredRecord:
    return StoredRecord(
        record.kind, record.id, record.namespace, record.parent, compact(record.public), compact(record.private)
    )


def _parsed(kept: StoredRecord) -> Record:
    return Record(kept.kind, kept.id, kept.namespace, kept.parent, json.loads(kept.public), json.loads(kept.private))
