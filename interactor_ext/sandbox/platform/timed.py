"""Changes caused only by the passing of time: credentials that can't be refreshed expire, and data source syncs end."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import attrs

from interactor_ext.sandbox.clock import Clock, Timetable
from interactor_ext.sandbox.storage.records import JsonObject, Record, Store


@attrs.frozen
class TimedChanges:
    """Changes records when they are due, even if nothing reads them."""

    _store: Store
    _clock: Clock
    _timetable: Timetable
    _publish: Callable[[str, str, JsonObject], object]
    _sync_time: float

    def restore(self) -> None:
        """Schedule the changes of the stored records."""
        for kind in ("credential", "data source"):
            for record in self._store.everything(kind):
                self.watch(record)

    def watch(self, record: Record) -> None:
        """Schedule the next change of a credential or data source, if any."""
        if record.kind == "data source" and record.public.get("sync_status") == "syncing":
            due = record.private["sync_since"] + self._sync_time
            self._timetable.set(record.id, due, partial(self.update_sync, record))
        if record.kind == "credential" and record.public["status"] == "active" and not record.private["refreshable"]:
            self._timetable.set(record.id, record.private["expires_at"], partial(self._expire, record))

    def is_good(self, credential: Record) -> bool:
        """Whether a credential is active and its token hasn't expired."""
        return bool(credential.public["status"] == "active" and credential.private["expires_at"] > self._clock.now())

    def expire_now(self, credential: Record) -> None:
        """Expire an active credential as if it were due, so it can't be refreshed either."""
        now = {"expires_at": self._clock.stamp()}
        self._store.change(credential, now, private={"expires_at": self._clock.now(), "refreshable": False})
        self._expire(credential)

    def start_sync(self, source: Record) -> None:
        """Start a sync. A sync in progress continues."""
        if source.public.get("sync_status") != "syncing":
            begun: JsonObject = {"sync_status": "syncing", "sync_progress": 0.0, "sync_error": None}
            self._store.change(source, begun, private={"sync_since": self._clock.now()})
            self.watch(source)

    def update_sync(self, source: Record) -> None:
        """Update the progress of a sync, if any; `simulate: {error}` in the config makes it fail at the end."""
        if source.public.get("sync_status") != "syncing":
            return
        spent, needed = self._clock.now() - source.private["sync_since"], self._sync_time
        if spent < needed:
            self._store.change(source, {"sync_progress": round(max(0.0, spent) / needed, 3)})
            return
        simulated = source.public["config"].get("simulate")
        error = simulated.get("error") if isinstance(simulated, dict) else None
        ended: JsonObject = {"sync_status": "failed" if error else "completed", "sync_error": error}
        if not error:
            ended |= {"sync_progress": 1.0, "synced_at": self._clock.stamp(needed - spent)}
        self._store.change(source, ended)

    def _expire(self, credential: Record) -> None:
        self._timetable.drop(credential.id)
        self._store.change(credential, {"status": "expired", "updated_at": self._clock.stamp()})
        self._publish("credential.expired", credential.namespace, facts(credential))


def facts(credential: Record) -> JsonObject:
    """Return the fields of a credential that every event contains."""
    names = {"credential_id": credential.id, "provider": credential.public["provider"]}
    return {**names, "namespace": credential.namespace}
