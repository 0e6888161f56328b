"""Handlers of assistants, rooms, tools and data sources.

A data source that was synced at least once has more fields: `sync_status` (`syncing`, `completed`, `failed`),
`sync_progress` (0 to 1), `sync_error` and, after a success, `synced_at`.
"""

from __future__ import annotations

from interactor_ext.sandbox.platform.handlers import (
    ApiCall,
    data,
    handles,
    list_page,
    referenced,
)
from interactor_ext.sandbox.storage.journal import masked
from interactor_ext.sandbox.storage.records import JsonObject, Record


@handles("create_assistant")
def create_assistant(call: ApiCall) -> JsonObject:
    _check_references(call)
    now = call.state.clock.stamp()
    public = {"tools": [], "data_sources": [], **call.body, "created_at": now, "updated_at": now}
    return data(call.state.store.add("assistant", call.namespace, public).public)


@handles("update_assistant")
def update_assistant(call: ApiCall) -> JsonObject:
    assistant = call.record("assistant")
    _check_references(call)
    call.state.store.change(assistant, {**call.body, "updated_at": call.state.clock.stamp()})
    return data(assistant.public)


@handles("delete_assistant")
def delete_assistant(call: ApiCall) -> None:
    """Delete an assistant. Its rooms stay readable, but get no replies."""
    call.state.store.remove(call.record("assistant"))


@handles("create_room")
def create_room(call: ApiCall) -> JsonObject:
    assistant = referenced(call, "assistant", "assistant_id", call.body["assistant_id"])
    public = {
        "assistant_id": assistant.id,
        "namespace": call.namespace,
        "metadata": call.body.get("metadata", {}),
        "created_at": call.state.clock.stamp(),
    }
    return data(call.state.store.add("room", call.namespace, public).public)


@handles("delete_room")
def delete_room(call: ApiCall) -> None:
    room = call.record("room")
    call.state.store.remove(room)
    for kind in ("message", "tool call"):
        call.state.store.remove_all(kind, call.namespace, parent=room.id)
    call.state.streams.drop(room.id)


@handles("create_tool")
def create_tool(call: ApiCall) -> JsonObject:
    return data(call.state.store.add("tool", call.namespace, call.body).public)


@handles("delete_tool")
def delete_tool(call: ApiCall) -> None:
    tool = call.record("tool")
    call.state.store.remove(tool)
    _forget(call, "tools", tool)


@handles("create_data_source")
def create_data_source(call: ApiCall) -> JsonObject:
    public = {"semantic_mappings": [], **_without_secrets(call.body)}
    return data(call.state.store.add("data source", call.namespace, public).public)


@handles("update_data_source")
def update_data_source(call: ApiCall) -> JsonObject:
    source = call.record("data source")
    call.state.store.change(source, _without_secrets(call.body))
    return data(source.public)


@handles("list_data_sources")
def list_data_sources(call: ApiCall) -> JsonObject:
    for source in call.state.store.all("data source", call.namespace):
        call.state.timed.update_sync(source)
    return list_page(call, "data source")


@handles("get_data_source")
def get_data_source(call: ApiCall) -> JsonObject:
    source = call.record("data source")
    call.state.timed.update_sync(source)
    return data(source.public)


@handles("delete_data_source")
def delete_data_source(call: ApiCall) -> None:
    source = call.record("data source")
    call.state.store.remove(source)
    _forget(call, "data_sources", source)


@handles("sync_data_source")
def sync_data_source(call: ApiCall) -> JsonObject:
    """Start a sync, which progresses with the clock. A sync in progress continues."""
    source = call.record("data source")
    call.state.timed.start_sync(source)
    return data({name: source.public[name] for name in ("id", "sync_status", "sync_progress")})


def _without_secrets(body: JsonObject) -> JsonObject:
    """Return a config without its secrets, which the contract never shows again. The sandbox itself needs none."""
    return {**body, "config": masked(body["config"])} if "config" in body else body


def _check_references(call: ApiCall) -> None:
    for field, kind in (("tools", "tool"), ("data_sources", "data source")):
        for index, record_id in enumerate(call.body.get(field, ())):
            referenced(call, kind, f"{field}[{index}]", record_id)


def _forget(call: ApiCall, field: str, gone: Record) -> None:
    """Remove a deleted tool or data source from the assistants that list it."""
    for assistant in call.state.store.all("assistant", call.namespace):
        if gone.id in assistant.public[field]:
            left = [record_id for record_id in assistant.public[field] if record_id != gone.id]
            call.state.store.change(assistant, {field: left})
