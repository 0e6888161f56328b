"""What the inspector page shows, as JSON: the state, and one request with its response.

The page requests the state every second, so long values are truncated; secrets are masked. The long parts of a request,
its headers and bodies, have an endpoint of their own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import attrs

from interactor_ext.sandbox.delivery.deliveries import Delivery
from interactor_ext.sandbox.platform.credentials import is_pending
from interactor_ext.sandbox.platform.engine import PLAIN_PRESENTATION
from interactor_ext.sandbox.platform.scripts import all_replies
from interactor_ext.sandbox.platform.state import State
from interactor_ext.sandbox.storage.journal import (
    CODE,
    MAX_SHOWN,
    RESPONSES,
    Journal,
    RequestRecord,
    masked,
    masked_headers,
    masked_text,
)
from interactor_ext.sandbox.storage.records import JsonObject, Record
from interactor_ext.sandbox.storage.strict_json import compact, parse_json

T = TypeVar("T")

# The length of each list, and the number of places of an explored run.
NEWEST, PLACES = 100, 1000
# Lists of records shown unchanged, and all lists whose records are counted.
PLAIN = {"assistants": "assistant", "tools": "tool", "data_sources": "data source", "webhooks": "webhook"}
COUNTED = {**PLAIN, "rooms": "room", "instances": "workflow instance", "credentials": "credential"}
# In characters; of larger values only the size is shown.
MAX_VALUE = 10_000
CUT = "No response: a fault cut the connection."
SHOWN = ("assistant", "tool", "data source", "room", "workflow instance", "credential", "flow", "webhook")


@attrs.frozen(kw_only=True)
class Wanted:
    """What the page requests. `namespace` None means all; an unknown `room` or `instance` opens the newest.

    `skip` leaves out the newest of each list. `status` is the first digit of a status, `path` a part of "METHOD path
    operation", `body` a part of either body; all three select requests. `delivery` is the id of the only delivery to
    show.
    """

    namespace: str | None = None
    room: str = ""
    instance: str = ""
    skip: int = attrs.field(default=0, converter=int)
    status: str = ""
    path: str = ""
    body: str = ""
    delivery: str = ""

    def window(self, entries: Sequence[T]) -> Sequence[T]:
        """Return the visible part of a list, newest first."""
        return entries[self.skip : self.skip + NEWEST]

    def includes(self, record: RequestRecord) -> bool:
        """Whether the page shows a request."""
        row = (record.method, record.path, str(record.operation))
        if not f"{record.status}".startswith(self.status) or (self.path and not _contains(" ".join(row), self.path)):
            return False
        bodies = (record.content, record.response.content if record.response else b"")
        return not self.body or any(_contains(each.decode(errors="replace"), self.body) for each in bodies)


def _contains(text: str, part: str) -> bool:
    return part.lower() in text.lower()


def snapshot(state: State, wanted: Wanted) -> JsonObject:
    """Return the state, newest first. `counts` has the size of each list, and how many entries each journal dropped."""
    namespace = wanted.namespace
    rooms = _newest(state, "room", wanted)
    instances = _newest(state, "workflow instance", wanted)
    flows = [each for each in _all(state, "flow", namespace) if is_pending(state, each)]
    tool_calls = [each for each in _all(state, "tool call", namespace) if each.public["status"] == "pending"]
    faults, replies = state.faults.snapshot(), all_replies(state.store)
    deliveries = _within(state.outbox.journal, namespace)
    listed = [each for each in deliveries if wanted.delivery in {"", each.id}]
    kept = _within(state.requests, namespace)
    requests = [each for each in kept if wanted.includes(each)]
    return {
        "namespaces": sorted(_namespaces(state)),
        "time": state.clock.stamp(),
        "rooms": [_room(state, record) for record in rooms],
        "room": _open_room(state, _chosen(state, "room", namespace, wanted.room, rooms)),
        "instances": [_instance(state, record) for record in instances],
        "instance": _open_instance(state, _chosen(state, "workflow instance", namespace, wanted.instance, instances)),
        "credentials": [_credential(record) for record in _newest(state, "credential", wanted)],
        "flows": [_flow(record) for record in wanted.window(flows)],
        "tool_calls": [_tool_call(record) for record in tool_calls[:NEWEST]],
        **{name: [_shown(each, "config") for each in _newest(state, kind, wanted)] for name, kind in PLAIN.items()},
        "deliveries": [_delivery(each) for each in wanted.window(listed)],
        "requests": [summary(each) for each in wanted.window(requests)],
        "faults": [_all_clipped(each.to_json()) for each in faults[:NEWEST]],
        "schedule": [_all_clipped(each) for each in state.schedule[:PLACES]],
        "replies": [_shown(each, namespace=_clipped(each.public["namespace"])) for each in replies[:NEWEST]],
        "counts": {
            **{name: {"all": state.store.count(kind, namespace)} for name, kind in COUNTED.items()},
            "faults": {"all": len(faults)},
            "replies": {"all": len(replies)},
            "flows": {"all": len(flows)},
            "tool_calls": {"all": len(tool_calls)},
            "deliveries": {"all": len(deliveries), "matching": len(listed), "dropped": state.outbox.journal.dropped},
            "requests": {"all": len(kept), "matching": len(requests), "dropped": state.requests.dropped},
        },
    }


def _newest(state: State, kind: str, wanted: Wanted) -> Sequence[Record]:
    records = state.store.newest(kind, wanted.namespace, wanted.skip + NEWEST)
    if wanted.namespace is None:
        # Each namespace is already in order; creation times only interleave namespaces.
        records.sort(key=lambda record: str(record.public.get("created_at", "")), reverse=True)
    return wanted.window(records)


def _chosen(state: State, kind: str, namespace: str | None, record_id: str, listed: Sequence[Record]) -> Record | None:
    found = state.store.search(kind, record_id)
    if found is not None and namespace in {None, found.namespace}:
        return found
    return listed[0] if listed else None


def _all(state: State, kind: str, namespace: str | None) -> Iterator[Record]:
    return (each for each in reversed(list(state.store.everything(kind))) if namespace in {None, each.namespace})


def _within(journal: Journal[Any], namespace: str | None) -> list[Any]:
    """Return the entries of a namespace, newest first."""
    return [each for each in reversed(journal.snapshot()) if namespace is None or each.namespace == namespace]


def _namespaces(state: State) -> set[str]:
    kept = {record.namespace for kind in SHOWN for record in state.store.everything(kind)}
    return kept | {each.namespace for each in state.requests if each.namespace}


def _shown(record: Record, *left_out: str, **more: Any) -> JsonObject:
    public = {name: value for name, value in record.public.items() if name not in left_out}
    return {**_all_clipped(public), "namespace": record.namespace, **more}


def _all_clipped(fields: JsonObject) -> JsonObject:
    return {name: _clipped(value, name) for name, value in fields.items()}


def _clipped(value: Any, name: str = "") -> Any:
    """Return a small value with its secrets masked, the beginning of a long text, or the size of anything else."""
    if isinstance(value, str):
        beginning: str = masked({name: value[: 2 * MAX_VALUE]})[name]
        return beginning if len(value) <= MAX_VALUE else f"{beginning[:MAX_VALUE]}... ({len(value)} characters)"
    if len(compact(value)) > MAX_VALUE:
        instead = f"more than {MAX_VALUE} characters"
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
    shown = [_all_clipped(each.public) for each in reversed(messages)]
    metadata = _clipped(room.public["metadata"])
    count = state.store.count("message", room.namespace, parent=room.id)
    return {**_room(state, room), "metadata": metadata, "messages": shown, "message_count": count}


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
        "history": [_moment(each) for each in state.events if each["data"].get("instance_id") == instance.id][-NEWEST:],
    }


def _moment(event: JsonObject) -> JsonObject:
    return {
        "id": event["id"],
        "time": event["timestamp"],
        "event": event["event"],
        "state": _clipped(event["data"].get("current_state")),
    }


def _states(state: State, instance: Record) -> list[JsonObject]:
    """Return the states, the initial one first, then in the order of definition."""
    states: list[JsonObject] = list(instance.private["states"].values())
    workflow = state.store.find("workflow", instance.namespace, instance.public["workflow_id"])
    initial = workflow.public["initial_state"] if workflow else None
    names = ("name", "type", "transitions")
    drawn = ({name: each[name] for name in names if name in each} for each in states)
    return sorted(drawn, key=lambda each: each["name"] != initial)


def _credential(credential: Record) -> JsonObject:
    return _shown(credential, account=_clipped(credential.private.get("account", "")))


def _flow(flow: Record) -> JsonObject:
    facts = {name: _clipped(flow.private[name]) for name in ("provider", "service_id", "scopes")}
    return {"id": flow.id, "namespace": flow.namespace, **facts}


def _tool_call(call: Record) -> JsonObject:
    facts = {"id": call.id, "namespace": call.namespace, "room_id": call.parent, "tool": call.private["name"]}
    return {**facts, "arguments": _clipped(call.public["arguments"])}


def _delivery(delivery: Delivery) -> JsonObject:
    names = ("id", "webhook_id", "namespace", "url", "event_type", "attempt", "request_id", "sent_at", "status")
    facts = {name: _clipped(getattr(delivery, name)) for name in (*names, "error", "next_attempt_at", "is_duplicate")}
    return {**facts, "milliseconds": round(delivery.duration * 1000), "succeeded": delivery.succeeded}


def summary(record: RequestRecord) -> JsonObject:
    """Return a request without its headers and bodies."""
    names = ("method", "path", "operation", "client_id", "namespace", "status", "request_id", "fault", "time")
    facts = {name: getattr(record, name) for name in names}
    return {**facts, "milliseconds": round(record.duration * 1000)}


def exchange(state: State, record: RequestRecord) -> JsonObject:
    """Return one request. `request` and `response` have the `size` in bytes with a `text` of the first MAX_SHOWN, or a
    `note`.

    `events` are the events that the request caused, each with its `deliveries`.
    """
    response = record.response
    caused = {event_id for request_id, event_id in state.causes if request_id == record.request_id}
    deliveries = [each for each in state.outbox.journal if each.event_id in caused]
    return {
        **summary(record),
        "query": masked_text(f"?{record.query_string.decode('latin-1')}")[1:],
        "headers": record.headers,
        "request": _body(record.content, len(record.content), CODE),
        "response_headers": masked_headers(response.raw_headers) if response else {},
        "response": _body(response.content, response.size) if response else {"note": CUT},
        "events": [
            {**_moment(event), "deliveries": [_delivery(each) for each in deliveries if each.event_id == event["id"]]}
            for event in state.events
            if event["id"] in caused
        ],
    }


def attempts(deliveries: Sequence[Delivery]) -> JsonObject:
    """Return the payload of a delivery, and all its attempts with their headers and responses."""
    payload = json.dumps(deliveries[0].event).encode()
    return {
        "payload": _body(payload, len(payload)),
        "attempts": [
            {**_delivery(each), "headers": each.headers, "answer": _text(each.answer.encode())} for each in deliveries
        ],
    }


def _body(content: bytes, size: int, *secret: str) -> JsonObject:
    if not content:
        return {"size": size, "note": f"Only the newest {RESPONSES} are kept." if size else "No body."}
    return {"size": size, "text": _text(content[:MAX_SHOWN], *secret)}


def _text(content: bytes, *secret: str) -> str:
    text = content.decode(errors="replace")
    try:
        return json.dumps(masked(parse_json(text), *secret), indent=2, ensure_ascii=False)
    except ValueError:
        return masked_text(text)
