"""Changes caused only by the passing of time: credentials that can't be refreshed expire, and data source syncs end.

They happen when they are due, even if nothing reads the records.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from interactor_ext.sandbox.storage.records import JsonObject, Record

if TYPE_CHECKING:
    from interactor_ext.sandbox.platform.state import State


def watch_all(state: State) -> None:
    """Schedule the changes of the stored records."""
    for kind in ("credential", "data source"):
        for record in state.store.everything(kind):
            watch(state, record)


def watch(state: State, record: Record) -> None:
    """Schedule the next change of a credential or data source, if any."""
    if record.kind == "data source" and record.public.get("sync_status") == "syncing":
        due = record.private["sync_since"] + state.settings.sync_time
        state.timetable.set(record.id, due, partial(update_sync, state, record))
    if record.kind == "credential" and record.public["status"] == "active" and not record.private["refreshable"]:
        state.timetable.set(record.id, record.private["expires_at"], partial(expire, state, record))


def start_sync(state: State, source: Record) -> None:
    """Start a sync. A sync in progress continues."""
    update_sync(state, source)
    if source.public.get("sync_status") != "syncing":
        begun: JsonObject = {"sync_status": "syncing", "sync_progress": 0.0, "sync_error": None}
        state.store.change(source, begun, private={"sync_since": state.clock.now()})
        watch(state, source)


def update_sync(state: State, source: Record) -> None:
    """Update the progress of a sync; `simulate: {error}` in the config makes it fail at the end."""
    if source.public.get("sync_status") != "syncing":
        return
    spent, needed = state.clock.now() - source.private["sync_since"], state.settings.sync_time
    if spent < needed:
        state.store.change(source, {"sync_progress": round(max(0.0, spent) / needed, 3)})
        return
    simulated = source.public["config"].get("simulate")
    error = simulated.get("error") if isinstance(simulated, dict) else None
    ended: JsonObject = {"sync_status": "failed" if error else "completed", "sync_error": error}
    if not error:
        ended |= {"sync_progress": 1.0, "synced_at": state.clock.stamp(needed - spent)}
    state.store.change(source, ended)


def expire(state: State, credential: Record) -> None:
    """Expire an active credential, and publish it."""
    state.timetable.drop(credential.id)
    state.store.change(credential, {"status": "expired", "updated_at": state.clock.stamp()})
    state.publish("credential.expired", credential.namespace, facts(credential))


def facts(credential: Record) -> JsonObject:
    """Return the fields of a credential that every event contains."""
    names = {"credential_id": credential.id, "provider": credential.public["provider"]}
    return {**names, "namespace": credential.namespace}
