"""Workflow instances and their threads, as the API shows them; engine.py moves them.

A message to an instance's thread is answered there by the workflow, which says where it stands.
"""

from __future__ import annotations

from typing import Any

from . import engine
from .actions import ContextTooLarge, merged
from .handlers import Call, data, handles, listed, refer
from .problems import conflict, invalid
from .records import JsonObject, Record
from .state import FINISHED
from .streams import Subscription


@handles("start_workflow_instance")
def start_workflow_instance(call: Call) -> JsonObject:
    workflow = refer(call, "workflow", "workflow_id", call.body["workflow_id"])
    now = call.state.clock.stamp()
    public = {
        "workflow_id": workflow.id,
        "namespace": call.namespace,
        "current_state": workflow.public["initial_state"],
        "context": _context(call),
        "status": "running",
        "created_at": now,
        "updated_at": now,
    }
    private = {"states": {state["name"]: state for state in workflow.public["states"]}}
    instance = call.state.store.add("workflow instance", call.namespace, public, private=private)
    thread = {"instance_id": instance.id, "created_at": now}
    call.state.store.add("thread", call.namespace, thread, parent=instance.id)
    engine.start(call.state, instance)
    return data(instance.public)


@handles("list_workflow_instances")
def list_workflow_instances(call: Call) -> JsonObject:
    return listed(call, "workflow instance", "workflow_id", "status")


@handles("get_workflow_instance")
def get_workflow_instance(call: Call) -> JsonObject:
    return data(_instance(call).public)


@handles("submit_workflow_input")
def submit_workflow_input(call: Call) -> JsonObject:
    instance = _instance(call)
    engine.give_input(call.state, instance, call.body)
    return data(instance.public)


@handles("trigger_workflow_event")
def trigger_workflow_event(call: Call) -> JsonObject:
    instance = _instance(call)
    engine.trigger(call.state, instance, call.body["event"], call.body.get("payload", {}))
    return data(instance.public)


@handles("cancel_workflow_instance")
def cancel_workflow_instance(call: Call) -> None:
    engine.cancel(call.state, _instance(call))


@handles("stream_workflow_instance")
def stream_workflow_instance(call: Call) -> Subscription:
    return call.state.streams.subscribe(_instance(call).id, call.last_event_id)


@handles("get_workflow_thread")
def get_workflow_thread(call: Call) -> JsonObject:
    thread = _thread(call, _instance(call))
    messages = [record.public for record in call.state.store.all("thread message", call.namespace, parent=thread.id)]
    return data({**thread.public, "messages": messages})


@handles("send_workflow_thread_message")
def send_workflow_thread_message(call: Call) -> JsonObject:
    instance = _instance(call)
    status, state = instance.public["status"], instance.public["current_state"]
    if status in FINISHED:
        raise conflict(f"The instance is {status}; its conversation is over.")
    thread, content = _thread(call, instance), call.body["content"]
    message = _say(call, thread, "user", content)
    _say(call, thread, "workflow", f"The instance is {status} in the state {state}. You said: {content}")
    return data(message)


def _instance(call: Call) -> Record:
    return call.named("workflow instance", "instance_id")


def _thread(call: Call, instance: Record) -> Record:
    return next(call.state.store.all("thread", call.namespace, parent=instance.id))


def _say(call: Call, thread: Record, role: str, content: str) -> JsonObject:
    public = {"role": role, "content": content, "created_at": call.state.clock.stamp()}
    return call.state.store.add("thread message", call.namespace, public, parent=thread.id).public


def _context(call: Call) -> dict[str, Any]:
    try:
        return merged({}, call.body.get("context", {}))
    except ContextTooLarge as error:
        raise invalid(("context", str(error))) from None
