"""Idempotency keys: a repeated call has one effect and gets the first response."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from interactor_ext.sandbox.clock import Clock
from interactor_ext.sandbox.platform.streams import Subscription
from interactor_ext.sandbox.problems import conflict
from interactor_ext.sandbox.storage.records import Record, Store
from interactor_ext.sandbox.storage.strict_json import compact

LIFETIME = 24 * 60 * 60


@dataclass(frozen=True, slots=True)
class ApiResponse:
    """A complete response. `content` is None for a response without a body."""

    status: int
    content: bytes | None

    @classmethod
    def of(cls, status: int, body: dict[str, Any] | None) -> ApiResponse:
        return cls(status, None if body is None else compact(body).encode())


# The client, the namespace and the key.
Scope = tuple[str, str, str]


Response = ApiResponse | Subscription


@dataclass(slots=True)
class Entry:
    fingerprint: str
    since: float
    response: Response | None = None
    record: Record | None = None
    settled: asyncio.Event = field(default_factory=asyncio.Event)


class IdempotencyKeys:
    """Responses by key, for 24 hours of the clock. Only successes are stored: a failed call may be retried."""

    def __init__(self, clock: Clock, store: Store) -> None:
        self._clock = clock
        self._store = store
        self._entries: dict[Scope, Entry] = {}

    def restore(self) -> None:
        """Replace all entries with those of the store."""
        self._entries.clear()
        for record in self._store.everything("response"):
            kept = record.private
            content = kept["content"]
            response = ApiResponse(kept["status"], None if content is None else content.encode())
            entry = Entry(kept["fingerprint"], kept["since"], response, record)
            entry.settled.set()
            self._entries[record.parent, record.namespace, kept["key"]] = entry

    async def once(self, scope: Scope, fingerprint: str, act: Callable[[], Awaitable[Response]]) -> Response:
        """The stored response, or that of `act`. Concurrent requests with the same key wait for the first.

        Raises Problem 409 if the key was used with another request.
        """
        while entry := self._known(scope):
            if entry.fingerprint != fingerprint:
                raise conflict("This Idempotency-Key was already used with another request.")
            if entry.response is not None:
                return entry.response
            await entry.settled.wait()
        entry = self._entries[scope] = Entry(fingerprint, self._clock.now())
        try:
            response = entry.response = await act()
            if self._entries.get(scope) is entry and isinstance(response, ApiResponse):
                entry.record = self._keep(scope, entry, response)
        except BaseException:
            # A reset may have cleared the table, and another entry may be there.
            if self._entries.get(scope) is entry:
                del self._entries[scope]
            raise
        finally:
            entry.settled.set()
        return response

    def clear(self) -> None:
        self._entries.clear()

    def forget_old(self) -> float:
        """Remove the first entries, as far as they have expired; returns since when entries are kept."""
        oldest = self._clock.now() - LIFETIME
        while self._entries:
            scope = next(iter(self._entries))
            if self._entries[scope].since > oldest:
                break
            if record := self._entries.pop(scope).record:
                self._store.remove(record)
        return oldest

    def _keep(self, scope: Scope, entry: Entry, response: ApiResponse) -> Record:
        client_id, namespace, key = scope
        content = None if response.content is None else response.content.decode()
        kept = {"key": key, "fingerprint": entry.fingerprint, "since": entry.since}
        kept |= {"status": response.status, "content": content}
        return self._store.add("response", namespace, {}, parent=client_id, private=kept)

    def _known(self, scope: Scope) -> Entry | None:
        oldest = self.forget_old()
        entry = self._entries.get(scope)
        # After the clock was moved back, an older entry may stand behind a younger one.
        return entry if entry is not None and entry.since > oldest else None
