"""The state that the inspector page shows, as one JSON object.

The page requests it every second, so long values are truncated; secrets are masked.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any

from interactor_ext.sandbox.delivery.deliveries import Delivery
from interactor_ext.sandbox.http.strict_json import weight
from interactor_ext.sandbox.platform.credentials import is_pending
from interactor_ext.sandbox.platform.engine import PLAIN_PRESENTATION
from interactor_ext.sandbox.storage.journal import Journal, RequestRecord, masked
from interactor_ext.sandbox.storage.records import JsonObject, Record
from interactor_ext.sandbox.storage.state import State

# Entries of each list.
NEWEST = 100
# Characters and values; of larger values only the size is shown.
MAX_SHOWN = 10_000
SHOWN = ("room", "workflow instance", "credential", "flow", "webhook")


def snapshot(state: State, namespace: str | None, room_id: str, instance_id: str) -> JsonObject:
    """Newest first. `namespace` None means all. If an id is unknown, the newest room or instance is open."""
    rooms = _newest(state, "room", namespace)
    instances = _newest(state, "workflow instance", namespace)
    flows = (record for record in _newest(state, "flow", namespace) if is_pending(state, record))
    return {
        "namespaces": sorted(_namespaces(state)),
        "time": state.clock.stamp(),
        "rooms": [_room(state, record) for record in rooms],
        "room": _open_room(state, _chosen(state, "room", namespace, room_id, rooms)),
        "instances": [_instance(state, record) for record in instances],
        "instance": _open_instance(state, _chosen(state, "workflow instance", namespace, instance_id, instances)),
        "credentials": [_shown(record) for record in _newest(state, "credential", namespace)],
        "flows": [_flow(record) for record in flows],
        "webhooks": [_shown(record) for record in _newest(state, "webhook", namespace)],
        "deliveries": [_delivery(each) for each in _latest(state.outbox.journal, namespace)],
        "requests": [_request(each) for each in _latest(state.requests, namespace)],
    }


def _newest(state: State, kind: str, namespace: str | None) -> list[Record]:
    records = state.store.newest(kind, namespace, NEWEST)
    if namespace is None:
        # Each namespace is in order already; creation times only interleave namespaces.
        records.sort(key=lambda record: str(record.public.get("created_at", "")), reverse=True)
    return records[:NEWEST]


def _chosen(state: State, kind: str, namespace: str | None, record_id: str, listed: list[Record]) -> Record | None:
    found = state.store.search(kind, record_id)
    if found is not None and namespace in {None, found.namespace}:
        return found
    return listed[0] if listed else None


def _latest(journal: Journal[Any], namespace: str | None) -> Iterable[Any]:
    entries = (each for each in reversed(journal.snapshot()) if namespace in {None, each.namespace})
    return islice(entries, NEWEST)


def _namespaces(state: State) -> set[str]:
    kept = {record.namespace for kind in SHOWN for record in state.store.everything(kind)}
    return kept | {each.namespace for each in state.requests if each.namespace}


def _shown(record: Record, *left_out: str, **more: Any) -> JsonObject:
    public = {name: _clipped(value, name) for name, value in record.public.items() if name not in left_out}
    return {**public, "namespace": record.namespace, **more}


def _clipped(value: Any, name: str = "") -> Any:
    """A small value with its secrets masked, the beginning of a long text, or the size of anything else."""
    if isinstance(value, str):
        beginning: str = masked({name: value[: 2 * MAX_SHOWN]})[name]
        return beginning if len(value) <= MAX_SHOWN else f"{beginning[:MAX_SHOWN]}... ({len(value)} characters)"
    if weight(value, MAX_SHOWN) > MAX_SHOWN:
        instead = f"more than {MAX_SHOWN} characters and values"
        return [instead] if isinstance(value, list) else instead
    return masked({name: value})[name]


def _room(state: State, room: Record) -> JsonObject:
    assistant = state.store.find("assistant", room.namespace, room.public["assistant_id"])
    name = _clipped(assistant.public["name"]) if assistant else None
    return _shown(room, "metadata", assistant=name)


def _open_room(state: State, room: Record | None) -> JsonObject | None:
    if room is None:
        return None
    messages = state.store.newest("message", room.namespace, NEWEST, parent=room.id)
    shown = [{name: _clipped(value, name) for name, value in each.public.items()} for each in reversed(messages)]
    metadata = _clipped(room.public["metadata"])
    return {**_room(state, room), "metadata": metadata, "messages": shown}


def _instance(state: State, instance: Record) -> JsonObject:
    workflow = state.store.find("workflow", instance.namespace, instance.public["workflow_id"])
    return _shown(instance, "context", workflow=_clipped(workflow.public["name"]) if workflow else None)


def _open_instance(state: State, instance: Record | None) -> JsonObject | None:
    if instance is None:
        return None
    states, current = instance.private["states"], instance.public["current_state"]
    halted = instance.public["status"] == "halted"
    presentation = _clipped(states[current].get("presentation", PLAIN_PRESENTATION)) if halted else None
    return {
        **_instance(state, instance),
        "context": _clipped(instance.public["context"]),
        "states": _states(state, instance),
        "presentation": presentation if isinstance(presentation, dict) else None,
    }


def _states(state: State, instance: Record) -> list[JsonObject]:
    """The states, the initial one first, then in the order of definition."""
    states: list[JsonObject] = list(instance.private["states"].values())
    workflow = state.store.find("workflow", instance.namespace, instance.public["workflow_id"])
    initial = workflow.public["initial_state"] if workflow else None
    names = ("name", "type", "transitions")
    drawn = ({name: each[name] for name in names if name in each} for each in states)
    return sorted(drawn, key=lambda each: each["name"] != initial)


def _flow(flow: Record) -> JsonObject:
    facts = {name: _clipped(flow.private[name]) for name in ("provider", "service_id", "scopes")}
    return {"id": flow.id, "namespace": flow.namespace, **facts}


def _delivery(delivery: Delivery) -> JsonObject:
    names = ("id", "webhook_id", "namespace", "url", "event_type", "attempt", "request_id", "sent_at", "status")
    facts = {name: _clipped(getattr(delivery, name)) for name in (*names, "error", "next_attempt_at", "is_duplicate")}
    return {**facts, "milliseconds": round(delivery.duration * 1000), "succeeded": delivery.succeeded}


def _request(record: RequestRecord) -> JsonObject:
    names = ("method", "path", "operation", "client_id", "namespace", "status", "request_id")
    size = len(record.content)
    body = record.body if size <= MAX_SHOWN else f"{size} bytes"
    return {**{name: getattr(record, name) for name in names}, "body": body}
