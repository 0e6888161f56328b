"""Seeds: initial data from a JSON file of namespaces, each item being the body of the call that would create it.

    {"user_1": {"tools": [{"id": "tool_weather", "name": "get_weather", "description": "...", "parameters": {}}],
                "assistants": [{"id": "asst_support", "name": "Support", ..., "tools": ["tool_weather"]}],
                "rooms": [{"assistant_id": "asst_support", "messages": [{"role": "user", "content": "Hello"}]}]}}

Each item is validated against the contract as the body of that call. It may also have an `id`, by which other items of
its namespace refer to it, in any order. `credentials` are the arguments of `Sandbox.add_credential`. `replies` are the
scripted replies (see scripts.py) of the namespace's rooms. `clients` are the arguments of `Sandbox.add_client`; one
without `namespaces` may use the namespace it stands in. Messages of a room get no replies. No events are published.
The namespace `""` is that of calls without a namespace.

`export_seed` makes a seed of a state, which leads to the same seed again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from interactor_ext.sandbox.platform import credentials, scripts
from interactor_ext.sandbox.platform.accounts import OAuthClient
from interactor_ext.sandbox.platform.contract import Contract
from interactor_ext.sandbox.platform.conversation import add_message
from interactor_ext.sandbox.platform.handlers import HANDLERS, ApiCall
from interactor_ext.sandbox.platform.schemas import compiled, parts_of
from interactor_ext.sandbox.platform.state import State
from interactor_ext.sandbox.platform.validation import problems_of
from interactor_ext.sandbox.problems import Detail, Problem
from interactor_ext.sandbox.storage.records import DuplicateId, JsonObject, Record
from interactor_ext.sandbox.storage.strict_json import parse_json

# In the order of references between them: the operation that creates one.
CREATORS = {
    "tools": "create_tool",
    "data_sources": "create_data_source",
    "assistants": "create_assistant",
    "rooms": "create_room",
    "workflows": "create_workflow",
    "workflow_instances": "start_workflow_instance",
    "webhooks": "create_webhook",
}
# Webhooks come last, so that they get no events of the seed.
GROUPS = ("clients", "credentials", "replies", *CREATORS)
ID = {"type": "string", "pattern": "^[A-Za-z0-9_.~-]{1,100}$"}
ANYTHING: JsonObject = {"type": "object", "required": [], "properties": {}}
CREDENTIAL: JsonObject = {
    "type": "object",
    "required": ["provider"],
    "additionalProperties": False,
    "properties": {
        "provider": {"type": "string", "minLength": 1},
        "service_id": {"type": "string"},
        "scopes": {"type": "array", "items": {"type": "string"}},
        "expires_in": {"type": "number"},
        "refreshable": {"type": "boolean"},
        "status": {"enum": ["active", "expired", "revoked"]},
    },
}
CLIENT: JsonObject = {
    "type": "object",
    "required": ["client_id", "client_secret"],
    "additionalProperties": False,
    "properties": {
        "client_id": {"type": "string", "minLength": 1},
        "client_secret": {"type": "string", "minLength": 1},
        "scopes": {"type": "array", "items": {"type": "string"}},
        "namespaces": {"type": ["array", "null"], "items": {"type": "string"}},
    },
}
MESSAGES: JsonObject = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["role", "content"],
        "additionalProperties": False,
        "properties": {"role": {"enum": ["user", "assistant", "system"]}, "content": {"type": "string"}},
    },
}

Seed = Mapping[str, Mapping[str, Any]]


def read_seed(path: str | os.PathLike[str]) -> Seed:
    """Read a seed file. Raises OSError if it can't be read, ValueError with the place if it is invalid."""
    try:
        document = parse_json(Path(path).read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}: line {error.lineno}, column {error.colno}: {error.msg}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path}: isn't UTF-8") from None
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    if not isinstance(document, dict):
        raise ValueError(f"{path}: must be an object of namespaces")
    for namespace, groups in document.items():
        if not isinstance(groups, dict):
            raise ValueError(f"{path}: {namespace}: must be an object")
        for name, items in groups.items():
            if name not in GROUPS:
                raise ValueError(f"{path}: {namespace}.{name}: must be one of {', '.join(GROUPS)}")
            if not isinstance(items, list):
                raise ValueError(f"{path}: {namespace}.{name}: must be a list")
    return document


class Seeds:
    """Loads a seed into states. `source` is its name in errors."""

    def __init__(self, source: str, seed: Seed, contract: Contract) -> None:
        self._source = source
        self._seed = seed
        self._contract = contract

    def load_into(self, state: State) -> None:
        """Load every item. Raises ValueError with the place of each error of an item."""
        for namespace, groups in self._seed.items():
            self._check_namespace(namespace)
            for group in GROUPS:
                for index, item in enumerate(groups.get(group, ())):
                    place = f"{namespace}.{group}[{index}]"
                    if group == "clients":
                        self._load_client(state, namespace, place, item)
                    else:
                        self._load_item(state, namespace, group, place, item)
        state.events.clear()
        state.emails.clear()

    def _check_namespace(self, namespace: str) -> None:
        try:
            self._contract.operations["create_tool"].read_parameters("header", {"x-namespace": namespace or "any"})
        except Problem as problem:
            self._refuse([("", message) for _, message in problem.details], f"the namespace {namespace!r}")

    def _load_client(self, state: State, namespace: str, place: str, item: Any) -> None:
        self._refuse(problems_of(compiled(CLIENT), item), place)
        namespaces = item.get("namespaces", [namespace])
        client = OAuthClient(
            id=item["client_id"],
            secret=item["client_secret"],
            scopes=frozenset(item.get("scopes", ["admin"])),
            namespaces=None if namespaces is None else frozenset(namespaces),
        )
        try:
            state.accounts.register(client)
        except ValueError as error:
            self._refuse([("scopes", str(error))], place)

    def _load_item(self, state: State, namespace: str, group: str, place: str, item: Any) -> None:
        self._refuse(problems_of(compiled(ANYTHING), item), place)
        body = dict(item)
        record_id = body.pop("id", None)
        messages = body.pop("messages", []) if group == "rooms" else []
        self._refuse(problems_of(compiled(ID), record_id, "id") if "id" in item else [], place)
        self._refuse(problems_of(compiled(MESSAGES), messages, "messages"), place)
        try:
            if record_id is not None:
                state.store.set_next_id(record_id)
            created = self._create(state, namespace, group, body)
        except Problem as problem:
            self._refuse(problem.details or [("", problem.message)], place)
        except DuplicateId as error:
            self._refuse([("id", str(error))], place)
        else:
            for message in messages:
                room = state.store.get("room", namespace, created)
                add_message(state, room, message["role"], message["content"])

    def _create(self, state: State, namespace: str, group: str, body: JsonObject) -> str:
        """Create one record; returns its id. Raises Problem."""
        if group == "credentials":
            if wrong := problems_of(compiled(CREDENTIAL), body):
                raise Problem(422, "", details=wrong)
            try:
                record: Record = credentials.connect(state, namespace, **body)
            except ValueError as error:
                raise Problem(422, "", details=[("expires_in", str(error))]) from None
            return record.id
        if group == "replies":
            if wrong := scripts.flaws(body):
                raise Problem(422, "", details=wrong)
            return scripts.add_reply(state.store, {"namespace": namespace, **body}).id
        operation = self._contract.operations[CREATORS[group]]
        body = operation.read_body(body)
        call = ApiCall(state, operation, namespace, body)
        result: Any = HANDLERS[operation.id](call)
        return str(result["data"]["id"])

    def _refuse(self, wrong: list[Detail], place: str) -> None:
        if wrong:
            raise ValueError(f"{self._source}: " + "; ".join(_sentences(wrong, place)))


def export_seed(state: State, contract: Contract) -> Seed:
    """The seed of a state: see `Sandbox.export`."""
    seed: dict[str, dict[str, list[JsonObject]]] = {}
    for group in GROUPS:
        kind = group.removesuffix("s").replace("_", " ") if group != "replies" else "reply"
        for record in state.store.everything(kind):
            if item := _exported(state, contract, group, record):
                namespace = (record.public["namespace"] or "") if kind == "reply" else record.namespace
                seed.setdefault(namespace, {}).setdefault(group, []).append(item)
    return seed


def _exported(state: State, contract: Contract, group: str, record: Record) -> JsonObject | None:
    """The item of a record; None if what it refers to was deleted."""
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
        return {"id": record.id, **_only({**private, **public}, CREDENTIAL), "expires_in": left}
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
    """Those of the fields that a schema has."""
    names = {name for part in parts_of(schema) for name in part.get("properties", ())}
    return {name: value for name, value in fields.items() if name in names and value is not None}


def _sentences(wrong: list[Detail], place: str) -> Iterator[str]:
    for field, message in wrong:
        dot = "" if not field or field.startswith("[") else "."
        yield f"{place}{dot}{field}: {message}"
