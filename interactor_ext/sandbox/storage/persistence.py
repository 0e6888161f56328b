"""Persistence: the interface of durable storage, and its default, which stores nothing. See datafile.py."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A stored record. `public` and `private` are JSON."""

    kind: str
    id: str
    namespace: str
    parent: str
    public: str
    private: str


class NotStored(OSError):
    """A write failed and was rolled back. The message says where and why."""


class Persistence:
    """Stores nothing. A subclass that stores data is safe from a crash once `commit` has returned."""

    # Whether data is stored.
    is_durable = False
    # How often the storage was opened before.
    earlier_runs: int = 0
    # Called when the writes since the last commit are lost, before NotStored is raised: memory must reload.
    on_loss: Callable[[], None] = staticmethod(lambda: None)

    def open(self) -> bool:
        """Return whether the storage may have changed since `close`."""
        return False

    def close(self) -> None: ...
    def commit(self) -> None:
        """Called before a response is sent. Raises NotStored, as every write does."""

    def roll_back(self) -> None:
        """Undo the writes since the last commit."""

    def add(self, record: StoredRecord) -> None: ...
    def change(self, record: StoredRecord) -> None: ...
    def remove(self, record_id: str) -> None: ...
    def remove_all(self, kind: str, namespace: str, parent: str) -> None: ...
    def records(self) -> list[StoredRecord]:
        """Return the records in order of addition."""
        return []

    def value(self, name: str) -> str | None:
        """Return a single named value, such as the signing key."""
        return None

    def set_value(self, name: str, value: str) -> None: ...
    def clear(self) -> None:
        """Delete everything except the values."""
