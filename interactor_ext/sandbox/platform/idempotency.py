"""Idempotency keys: a repeated call has one effect and gets the first response."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from interactor_ext.sandbox.clock import Clock
from interactor_ext.sandbox.problems import conflict
from interactor_ext.sandbox.storage.strict_json import compact

LIFETIME = 24 * 60 * 60

ResponseT = TypeVar("ResponseT")


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


@dataclass(slots=True)
class Entry(Generic[ResponseT]):
    fingerprint: str
    since: float
    response: ResponseT | None = None
    settled: asyncio.Event = field(default_factory=asyncio.Event)


class IdempotencyKeys(Generic[ResponseT]):
    """Responses by key, for 24 hours of the clock. Only successes are stored: a failed call may be retried."""

    def __init__(self, clock: Clock, store: Callable[[Scope, Entry[ResponseT]], None]) -> None:
        """`store` is called with each completed entry, before the response is returned."""
        self._clock = clock
        self._store = store
        self._entries: dict[Scope, Entry[ResponseT]] = {}

    def restore(self, entries: Iterable[tuple[Scope, Entry[ResponseT]]]) -> None:
        """Replace all entries with these, oldest first."""
        self._entries = dict(entries)
        for entry in self._entries.values():
            entry.settled.set()

    async def once(self, scope: Scope, fingerprint: str, act: Callable[[], Awaitable[ResponseT]]) -> ResponseT:
        """The stored response, or that of `act`. Concurrent requests with the same key wait for the first.

        Raises Problem 409 if the key was used with another request.
        """
        while entry := self._known(scope):
            if entry.fingerprint != fingerprint:
                raise conflict("This Idempotency-Key was used with another request.")
            if entry.response is not None:
                return entry.response
            await entry.settled.wait()
        entry = self._entries[scope] = Entry(fingerprint, self._clock.now())
        try:
            entry.response = await act()
            if self._entries.get(scope) is entry:
                self._store(scope, entry)
        except BaseException:
            # A reset may have cleared the table, and another entry may be there.
            if self._entries.get(scope) is entry:
                del self._entries[scope]
            raise
        finally:
            entry.settled.set()
        return entry.response

    def clear(self) -> None:
        self._entries.clear()

    def _known(self, scope: Scope) -> Entry[ResponseT] | None:
        oldest = self._clock.now() - LIFETIME
        # Entries are in order of time, so the expired ones are first.
        while self._entries:
            first = next(iter(self._entries))
            if self._entries[first].since > oldest:
                break
            del self._entries[first]
        entry = self._entries.get(scope)
        # After the clock was moved back, an older entry may stand behind a younger one.
        return entry if entry is not None and entry.since > oldest else None
