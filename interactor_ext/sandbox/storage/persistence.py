"""Persistence: the interface of durable storage, and its default, which stores nothing. See datafile.py."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A record as it is written down. `public` and `private` are JSON."""

    kind: str
    id: str
    namespace: str
    parent: str
    public: str
    private: str


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """What was answered under an Idempotency-Key. `scope` is the client, the namespace and the key."""

    scope: tuple[str, str, str]
    fingerprint: str
    since: float
    status: int
    content: bytes | None


@dataclass(frozen=True, slots=True)
class StoredDelivery:
    """An event that a webhook has still to get. `event` is JSON; `due` is a time of the clock."""

    id: str
    is_duplicate: bool
    webhook_id: str
    event: str
    due: float
    attempt: int


class NotStored(OSError):
    """What was just done could not be written down, and was undone. The text says where and why."""


class Persistence:
    """Keeps nothing. What one that keeps something was told is safe from a crash once `commit` has returned."""

    # Whether it is worth writing anything down.
    is_durable = False
    # How often what is kept was opened before.
    earlier_runs = 0
    # Called when what was done since the last commit is lost, before the NotStored that says so: memory must forget it.
    on_loss: Callable[[], None] = staticmethod(lambda: None)

    def open(self) -> bool:
        """Returns whether what is kept may have changed since `close`."""
        return False

    def close(self) -> None: ...
    def commit(self) -> None:
        """Called before anybody hears of what was done. Raises NotStored, as everything that writes does."""

    def roll_back(self) -> None:
        """Undo what was done since the last commit."""

    def add(self, record: StoredRecord) -> None: ...
    def change(self, record: StoredRecord) -> None: ...
    def remove(self, record_id: str) -> None: ...
    def remove_all(self, kind: str, namespace: str, parent: str) -> None: ...
    def records(self) -> Iterator[StoredRecord]:
        """In the order in which they were added."""
        return iter(())

    def add_response(self, response: StoredResponse) -> None: ...
    def responses(self) -> Iterator[StoredResponse]:
        return iter(())

    def put_delivery(self, delivery: StoredDelivery) -> None:
        """Add it, or change it: its id and `is_duplicate` tell which."""

    def remove_delivery(self, delivery_id: str, is_duplicate: bool) -> None: ...
    def deliveries(self) -> Iterator[StoredDelivery]:
        """In the order in which they were added."""
        return iter(())

    def revoke(self, token_id: str, expires_at: float) -> None: ...
    def revoked(self) -> Iterator[tuple[str, float]]:
        return iter(())

    def forget_before(self, responses: float, tokens: float) -> None:
        """Drop answers that were given, and revocations of tokens that expired, before these times."""

    def value(self, name: str) -> str | None:
        """One of the few things of which there is only one."""
        return None

    def set_value(self, name: str, value: str) -> None: ...
    def clear(self) -> None:
        """Drop all but the values."""
