"""Seeds: initial data from a JSON file of namespaces, each item being the body of the call that would create it.

    {"user_1": {"tools": [{"id": "tool_weather", "name": "get_weather", "description": "...", "parameters": {}}],
                "assistants": [{"id": "asst_support", "name": "Support", ..., "tools": ["tool_weather"]}],
                "rooms": [{"assistant_id": "asst_support", "messages": [{"role": "user", "content": "Hello"}]}]}}

Each item is validated against the contract as the body of that call. It may also have an `id`, by which other items of
its namespace refer to it, in any order. `credentials` are the arguments of `Sandbox.add_credential`. `replies` are the
scripted replies (see scripts.py) of the namespace's rooms. `clients` are the arguments of `Sandbox.add_client`; one
without `namespaces` may only use the namespace that contains it. Messages of a room get no replies. No events are
published. The namespace `""` is for calls without a namespace.

`export_seed` turns a state into a seed, and a sandbox with that seed exports the same seed again.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from interactor_ext.sandbox.platform import credentials, scripts
from interactor_ext.sandbox.platform.contract import Contract
from interactor_ext.sandbox.platform.conversation import add_message
from interactor_ext.sandbox.platform.handlers import ApiCall, handler_of, kind_of
from interactor_ext.sandbox.platform.schemas import closed_object, compiled, parts_of
from interactor_ext.sandbox.platform.state import State
from interactor_ext.sandbox.platform.validation import problems_of
from interactor_ext.sandbox.problems import Detail, Problem, invalid
from interactor_ext.sandbox.storage.records import JsonObject, Record
from interactor_ext.sandbox.storage.strict_json import parse_json

# Ordered by the references between items: the operation that creates each.
CREATORS = {
    "tools": "create_tool",
    "data_sources": "create_data_source",
    "assistants": "create_assistant",
    "rooms": "create_room",
    "workflows": "create_workflow",
    "workflow_instances": "start_workflow_instance",
    "webhooks": "create_webhook",
}
# Webhooks come last, so they get no events of the seed.
GROUPS = ("clients", "credentials", "replies", *CREATORS)
ID: JsonObject = {"type": "string", "pattern": "^[A-Za-z0-9_.~-]{1,100}$"}
CREDENTIAL = closed_object(
    ["provider"],
    id=ID,
    provider=scripts.TEXT,
    service_id={"type": "string"},
    scopes={"type": "array", "items": {"type": "string"}},
    expires_in={"type": "number"},
    refreshable={"type": "boolean"},
    status={"enum": ["active", "expired", "revoked"]},
)
CLIENT = closed_object(
    ["client_id", "client_secret"],
    client_id=scripts.TEXT,
    client_secret=scripts.TEXT,
    scopes={"type": "array", "items": {"type": "string"}},
    namespaces={"type": ["array", "null"], "items": {"type": "string"}},
)
MESSAGE = closed_object(["role", "content"], role={"enum": ["user", "assistant", "system"]}, content={"type": "string"})
ROOM: JsonObject = {"type": "object", "properties": {"id": ID, "messages": {"type": "array", "items": MESSAGE}}}
# Of other items only the id is checked here: the rest is the body of a call.
ITEMS = {"clients": CLIENT, "credentials": CREDENTIAL, "rooms": ROOM}
ITEM: JsonObject = {"type": "object", "properties": {"id": ID}}
SEED = compiled(
    {
        "type": "object",
        "additionalProperties": {
            "type": "object",
            "properties": {group: {"type": "array", "items": ITEMS.get(group, ITEM)} for group in GROUPS},
            "additionalProperties": {"enum": list(GROUPS)},  # its error lists the groups
        },
    }
)

Seed = Mapping[str, Mapping[str, Any]]


def read_seed(path: str | os.PathLike[str]) -> Seed:
    """Read a seed file. Raises OSError if it can't be read, ValueError with the location if it is invalid."""
    try:
        document: Seed = parse_json(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    if wrong := problems_of(SEED, document):
        raise ValueError(f"{path}: {_sentences(wrong, '')}")
    return document


def load_seed(source: str, seed: Seed, contract: Contract, state: State) -> None:
    """Load every item into a state. Raises ValueError with the `source` and the location of each error of an item."""
    for namespace, groups in seed.items():
        for group in GROUPS:
            for index, item in enumerate(groups.get(group, ())):
                place = f"{namespace}.{group}[{index}]"
                try:
                    _load(contract, state, namespace, group, dict(item))
                except Problem as problem:
                    raise ValueError(f"{source}: {_sentences(problem.details, place)}") from None
                except ValueError as error:
                    raise ValueError(f"{source}: {place}: {error}") from None
    state.events.clear()
    state.emails.clear()


def _load(contract: Contract, state: State, namespace: str, group: str, body: JsonObject) -> None:
    """Create one record. Raises Problem 422, or ValueError."""
    if record_id := body.pop("id", ""):
        state.store.set_next_id(record_id)
    if group == "clients":
        state.accounts.register(**{"scopes": ["admin"], "namespaces": [namespace], **body})
    elif group == "credentials":
        credentials.connect(state, namespace, **body)
    elif group == "replies":
        if wrong := scripts.flaws(body):
            raise invalid(*wrong)
        scripts.add_reply(state.store, {"namespace": namespace, **body})
    else:
        messages = body.pop("messages", ()) if group == "rooms" else ()
        operation = contract.operations[CREATORS[group]]
        result: Any = handler_of(operation)(ApiCall(state, operation, namespace, operation.read_body(body)))
        for message in messages:
            room = state.store.get("room", namespace, result["data"]["id"])
            add_message(state, room, message["role"], message["content"])


def export_seed(state: State, contract: Contract) -> Seed:
    """Return a state's seed: see `Sandbox.export`."""
    seed: dict[str, dict[str, list[JsonObject]]] = {}
    for group in GROUPS:
        kind = kind_of(group)
        for record in state.store.everything(kind):
            if item := _exported(state, contract, group, record):
                namespace = (record.public["namespace"] or "") if kind == "reply" else record.namespace
                seed.setdefault(namespace, {}).setdefault(group, []).append(item)
    return seed


def _exported(state: State, contract: Contract, group: str, record: Record) -> JsonObject | None:
    """Return a record as a seed item; None if it refers to a deleted record."""
    public, private, find = record.public, record.private, state.store.find
    if group == "clients":
        return {
            "client_id": private["id"],
            "client_secret": private["secret"],
            "namespaces": None,
            **_only(private, CLIENT),
        }
    if group == "replies":
        times = {} if public["left"] is None else {"times": public["left"]}
        said = {name: value for name, value in public.items() if value is not None and name != "left"}
        return {"namespace": None, **said, **times}
    if group == "credentials":
        left = round(private["expires_at"] - state.clock.now())
        return {**_only({**private, **public}, CREDENTIAL), "expires_in": left}
    body = contract.operations[CREATORS[group]].body
    item = {"id": record.id, **_only({**public, **private}, {} if body is None else body.schema)}
    if group == "rooms":
        if find("assistant", record.namespace, public["assistant_id"]) is None:
            return None
        messages = [each.public for each in state.store.all("message", record.namespace, parent=record.id)]
        lines = [{"role": each["role"], "content": each["content"]} for each in messages if each["role"] != "tool"]
        return {**item, "messages": lines}
    if group == "workflow_instances":
        known = find("workflow", record.namespace, public["workflow_id"])
        return None if known is None else {**item, "context": private["given"]}
    return item


def _only(fields: JsonObject, schema: Any) -> JsonObject:
    """Return only the fields that a schema has."""
    names = {name for part in parts_of(schema) for name in part.get("properties", ())}
    return {name: value for name, value in fields.items() if name in names and value is not None}


def _sentences(wrong: list[Detail], place: str) -> str:
    places = (f"{place}.{field}".replace(".[", "[").strip(".") for field, _ in wrong)
    return "; ".join(f"{at}: {message}" if at else message for at, (_, message) in zip(places, wrong, strict=True))
