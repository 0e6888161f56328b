"""Idempotency keys: a repeated call has one effect and gets the first response."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from weakref import WeakValueDictionary

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


class IdempotencyKeys:
    """Responses by key, for 24 hours of the clock. Only successes are stored: a failed call may be retried."""

    def __init__(self, clock: Clock, store: Store) -> None:
        self._clock = clock
        self._store = store
        self.restore()

    def restore(self) -> None:
        """Replace all responses with those in the store."""
        self._kept: dict[Scope, Record] = {
            (record.parent, record.namespace, record.private["key"]): record
            for record in self._store.everything("response")
        }
        # One lock per key with a request in progress: concurrent requests with the same key wait for the first.
        self._locks: WeakValueDictionary[Scope, asyncio.Lock] = WeakValueDictionary()

    async def once(self, scope: Scope, fingerprint: str, act: Callable[[], Awaitable[Response]]) -> Response:
        """Return the stored response, or the one from `act`. Raises Problem 409 if another request used the key."""
        kept = self._kept
        async with self._locks.setdefault(scope, asyncio.Lock()):
            oldest = self._clock.now() - LIFETIME
            while (first := next(iter(kept), None)) and kept[first].private["since"] <= oldest:
                self._store.remove(kept.pop(first))
            record = kept.get(scope)
            if record is not None and record.private["since"] > oldest:
                if record.private["fingerprint"] != fingerprint:
                    raise conflict("This Idempotency-Key was already used with another request.")
                return ApiResponse(record.private["status"], record.private["content"].encode())
            since = self._clock.now()
            response = await act()
            # After a reset during the call, its response must not be stored.
            if kept is self._kept and isinstance(response, ApiResponse):
                if record is not None:
                    self._store.remove(record)
                client_id, namespace, key = scope
                private = {"key": key, "fingerprint": fingerprint, "since": since, "status": response.status}
                private["content"] = (response.content or b"").decode()
                kept[scope] = self._store.add("response", namespace, {}, parent=client_id, private=private)
        return response
