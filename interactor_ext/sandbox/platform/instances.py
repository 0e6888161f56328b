"""Handlers of workflow instances and their threads; engine.py moves them.

The workflow replies to a message in an instance's thread with its current state.
"""

from __future__ import annotations

from collections.abc import Callable

from interactor_ext.sandbox.platform import engine
from interactor_ext.sandbox.platform.handlers import ApiCall, create, data, handles, referenced
from interactor_ext.sandbox.platform.state import FINISHED, State
from interactor_ext.sandbox.problems import conflict
from interactor_ext.sandbox.storage.records import JsonObject, Record


@handles("start_workflow_instance")
def start_workflow_instance(call: ApiCall) -> JsonObject:
    workflow = referenced(call, "workflow", "workflow_id", call.body["workflow_id"])
    context = engine.checked_context({}, call.body.get("context", {}), "context")
    states = {state["name"]: state for state in workflow.public["states"]}
    initial = {"current_state": workflow.public["initial_state"], "context": {}, "status": "running"}
    instance = create(call, initial, private={"states": states, "given": context})
    thread = {"instance_id": instance.id, "created_at": instance.public["created_at"]}
    call.state.store.add("thread", call.namespace, thread, parent=instance.id)
    engine.run_step(call.state, instance, engine.Step.start)
    return data(instance.public)


@handles("submit_workflow_input")
def submit_workflow_input(call: ApiCall) -> JsonObject:
    return _run_step(call, lambda step: step.give_input(call.body))


@handles("trigger_workflow_event")
def trigger_workflow_event(call: ApiCall) -> JsonObject:
    return _run_step(call, lambda step: step.trigger(call.body["event"], call.body.get("payload", {})))


@handles("cancel_workflow_instance")
def cancel_workflow_instance(call: ApiCall) -> None:
    _run_step(call, engine.Step.cancel)


@handles("get_workflow_thread")
def get_workflow_thread(call: ApiCall) -> JsonObject:
    thread = _thread(call, call.record())
    messages = [record.public for record in call.state.store.all("thread message", call.namespace, parent=thread.id)]
    return data({**thread.public, "messages": messages})


@handles("send_workflow_thread_message")
def send_workflow_thread_message(call: ApiCall) -> JsonObject:
    instance = call.record()
    status, state = instance.public["status"], instance.public["current_state"]
    if status in FINISHED:
        raise conflict(f"The instance is {status}; its conversation is over.")
    thread, content = _thread(call, instance), call.body["content"]
    message = _say(call, thread, "user", content)
    _say(call, thread, "workflow", f"The instance is {status} in the state {state}. You said: {content}")
    return data(message)


def fail(state: State, instance_id: str, error: str) -> Record:
    """Fail an instance. Raises Problem: 404 if the id is unknown, 409 if the instance is over."""
    instance = state.store.lookup("workflow instance", instance_id)
    engine.run_step(state, instance, lambda step: step.fail(error))
    return instance


def _run_step(call: ApiCall, act: Callable[[engine.Step], None]) -> JsonObject:
    instance = call.record()
    engine.run_step(call.state, instance, act)
    return data(instance.public)


def _thread(call: ApiCall, instance: Record) -> Record:
    return next(call.state.store.all("thread", call.namespace, parent=instance.id))


def _say(call: ApiCall, thread: Record, role: str, content: str) -> JsonObject:
    public = {"role": role, "content": content, "created_at": call.state.clock.stamp()}
    return call.state.store.add("thread message", call.namespace, public, parent=thread.id).public
