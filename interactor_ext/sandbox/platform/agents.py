"""Handlers of assistants, rooms, tools and data sources.

A room whose assistant was deleted stays readable, but gets no replies.

A data source that was synced at least once has more fields: `sync_status` (`syncing`, `completed`, `failed`),
`sync_progress` (0 to 1), `sync_error` and, after a success, `synced_at`.
"""

from __future__ import annotations

from interactor_ext.sandbox.platform.handlers import ApiCall, create, data, handles, referenced, update
from interactor_ext.sandbox.storage.journal import masked
from interactor_ext.sandbox.storage.records import JsonObject


@handles("create_assistant")
def create_assistant(call: ApiCall) -> JsonObject:
    _check_references(call)
    return data(create(call, {"tools": [], "data_sources": []}).public)


@handles("update_assistant")
def update_assistant(call: ApiCall) -> JsonObject:
    call.record()  # a nonexistent assistant is 404, whatever the body contains
    _check_references(call)
    return data(update(call).public)


@handles("create_room")
def create_room(call: ApiCall) -> JsonObject:
    referenced(call, "assistant", "assistant_id", call.body["assistant_id"])
    return data(create(call, {"metadata": {}}).public)


@handles("delete_room")
def delete_room(call: ApiCall) -> None:
    room = call.record()
    call.state.store.remove(room)
    for kind in ("message", "tool call"):
        call.state.store.remove_all(kind, call.namespace, parent=room.id)
    call.state.streams.drop(room.id)


@handles("delete_tool")
@handles("delete_data_source")
def delete_listed(call: ApiCall) -> None:
    """Delete a tool or data source, also from the assistants that list it."""
    gone, field = call.record(), call.operation.tag
    call.state.store.remove(gone)
    for assistant in call.state.store.all("assistant", call.namespace):
        if gone.id in assistant.public[field]:
            left = [record_id for record_id in assistant.public[field] if record_id != gone.id]
            call.state.store.change(assistant, {field: left})


@handles("create_data_source")
def create_data_source(call: ApiCall) -> JsonObject:
    _mask_config(call)
    return data(create(call, {"semantic_mappings": []}).public)


@handles("update_data_source")
def update_data_source(call: ApiCall) -> JsonObject:
    _mask_config(call)
    return data(update(call).public)


@handles("sync_data_source")
def sync_data_source(call: ApiCall) -> JsonObject:
    """Start a sync, which progresses with the clock. A sync in progress continues."""
    source = call.record()
    call.state.timed.start_sync(source)
    return data({name: source.public[name] for name in ("id", "sync_status", "sync_progress")})


def _mask_config(call: ApiCall) -> None:
    """Mask the secrets of a config, which the contract never shows again. The sandbox itself needs none."""
    if "config" in call.body:
        call.body["config"] = masked(call.body["config"])


def _check_references(call: ApiCall) -> None:
    for field, kind in (("tools", "tool"), ("data_sources", "data source")):
        for index, record_id in enumerate(call.body.get(field, ())):
            referenced(call, kind, f"{field}[{index}]", record_id)
