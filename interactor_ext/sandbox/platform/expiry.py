"""Expires credentials that can't be refreshed when the clock passes their end, without anybody reading them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context

from interactor_ext.sandbox.clock import Clock
from interactor_ext.sandbox.storage.records import JsonObject, Record, Store

# Real seconds until restored credentials are checked: expiring one may have just failed on a full disk.
PAUSE = 1.0


class CredentialExpiry:
    """A timer for the next expiry, on the serving loop. Without one, only `expire_if_due` expires credentials."""

    def __init__(self, store: Store, clock: Clock, publish: Callable[[str, str, JsonObject], object]) -> None:
        self._store = store
        self._clock = clock
        self._publish = publish
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        clock.on_move(self._clock_moved)

    def serve_on(self, loop: asyncio.AbstractEventLoop) -> None:
        if loop is not self._loop:
            self._loop = loop
            self._expire_due()

    def stop(self) -> None:
        self._loop = None
        self._set_timer(None)

    def clear(self) -> None:
        self._set_timer(None)

    def restore(self) -> None:
        """Watch the credentials of the store."""
        self._set_timer(PAUSE)

    def watch(self, credential: Record) -> None:
        """Watch a new credential."""
        if _can_expire(credential):
            self._expire_due()

    def expire_if_due(self, credential: Record) -> None:
        """Expire a credential if its time has come."""
        if _can_expire(credential) and credential.private["expires_at"] <= self._clock.now():
            self._expire(credential)

    def expire_now(self, credential: Record) -> None:
        """Expire an active credential as if its time had come, so that it can't be refreshed either."""
        now = {"expires_at": self._clock.stamp()}
        self._store.change(credential, now, private={"expires_at": self._clock.now(), "refreshable": False})
        self._expire(credential)

    def _expire(self, credential: Record) -> None:
        self._store.change(credential, {"status": "expired", "updated_at": self._clock.stamp()})
        self._publish("credential.expired", credential.namespace, facts(credential))

    def _expire_due(self) -> None:
        """Expire what is due, and set a timer for the next."""
        if self._loop is None:
            return
        credentials = list(filter(_can_expire, self._store.everything("credential")))
        for credential in credentials:
            self.expire_if_due(credential)
        due = min((each.private["expires_at"] for each in credentials if _can_expire(each)), default=None)
        self._set_timer(None if due is None else self._clock.real_seconds(due - self._clock.now()))

    def _set_timer(self, real_seconds: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        if self._loop is not None and real_seconds is not None:
            # Not in the context of a request, which causes nothing that its time brings.
            self._timer = self._loop.call_later(real_seconds, self._expire_due, context=Context())

    def _clock_moved(self) -> None:
        """The clock was moved, perhaps by another thread."""
        if self._loop is not None:
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._expire_due)


def facts(credential: Record) -> JsonObject:
    """The fields of a credential in every event."""
    names = {"credential_id": credential.id, "provider": credential.public["provider"]}
    return {**names, "namespace": credential.namespace}


def _can_expire(credential: Record) -> bool:
    return credential.public["status"] == "active" and not credential.private["refreshable"]
