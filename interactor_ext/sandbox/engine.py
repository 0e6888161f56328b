"""How a workflow instance moves.

- An *action* state runs its actions in order, then leaves by the first transition whose condition holds. If it has only
  transitions by event it waits, `running`, for one of them. If none fits, the instance has `failed`.
- A *halting* state waits, `halted`. Input is merged into the context; then the first transition without an event whose
  condition holds is taken. If none holds, it goes on waiting.
- A *terminal* state ends it, `completed`.

A transition without a condition always holds. One with an `event` is taken by that event alone, and its condition, if
any, must hold as well. An instance keeps the definition it was started with.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .actions import ContextTooLarge, merged, perform
from .expressions import compile_expression
from .problems import conflict, invalid
from .records import JsonObject, Record
from .state import FINISHED, State

# Action states in a row, without a wait: beyond it is a loop.
MAX_STEPS = 100
# What a halting state shows that says nothing of its own.
PLAIN_PRESENTATION: JsonObject = {"type": "form", "config": {}}


def start(state: State, instance: Record) -> None:
    """From a new record into its initial state, and as far as it goes."""
    _publish(state, "started", instance)
    _run(state, instance, instance.public["current_state"], begun=False)


def give_input(state: State, instance: Record, given: JsonObject) -> None:
    """Raises Problem 409 unless the instance is halted."""
    if instance.public["status"] != "halted":
        raise conflict(f"The instance is {instance.public['status']}, it waits for no input.")
    context = _merged_or_refused(instance, given)
    state.store.change(instance, {"context": context, "updated_at": state.clock.stamp()})
    if target := _next(_definition(instance), context, event=None):
        _run(state, instance, target)


def trigger(state: State, instance: Record, event: str, payload: JsonObject) -> None:
    """Raises Problem 409 if the instance is over or nothing here is taken by this event."""
    if instance.public["status"] in FINISHED:
        raise conflict(f"The instance is {instance.public['status']}.")
    context = _merged_or_refused(instance, payload)
    target = _next(_definition(instance), context, event=event)
    if target is None:
        raise conflict("No transition of the current state is taken by this event now.")
    state.store.change(instance, {"context": context})
    _run(state, instance, target)


def cancel(state: State, instance: Record) -> None:
    """Raises Problem 409 if the instance is over."""
    if instance.public["status"] in FINISHED:
        raise conflict(f"The instance is {instance.public['status']} already.")
    _end(state, instance, "cancelled")


def fits(transition: Mapping[str, Any], context: JsonObject, event: str | None) -> bool:
    """Whether a transition is taken now: by this event, or, with None, by no event."""
    if transition.get("event") != event:
        return False
    condition = transition.get("condition")
    return condition is None or compile_expression(condition)(context)


def _run(state: State, instance: Record, target: str | None, *, begun: bool = True) -> None:
    """Move on from state to state until one waits or ends."""
    steps = 0
    while target is not None:
        if steps == MAX_STEPS:
            return _fail(state, instance, f"{MAX_STEPS} states in a row without a wait or an end: the workflow loops")
        _enter(state, instance, target, announced=begun or steps > 0)
        steps += 1
        try:
            target = _do(state, instance, _definition(instance))
        except ContextTooLarge as error:
            return _fail(state, instance, str(error))
    return None


def _enter(state: State, instance: Record, target: str, *, announced: bool) -> None:
    previous = instance.public["current_state"]
    now = state.clock.stamp()
    state.store.change(instance, {"current_state": target, "status": "running", "updated_at": now})
    event = {"type": "workflow.state_changed", "state": target, "context": instance.public["context"]}
    state.streams.emit(instance.id, event)
    # `started` has said already which state comes first.
    if announced:
        _publish(state, "state_changed", instance, previous_state=previous)


def _do(state: State, instance: Record, definition: JsonObject) -> str | None:
    """What the entered state does; returns where it leads at once, or None if it waits or ends."""
    match definition["type"]:
        case "terminal":
            _end(state, instance, "completed")
            return None
        case "halting":
            presentation = definition.get("presentation", PLAIN_PRESENTATION)
            state.store.change(instance, {"status": "halted"})
            state.streams.emit(instance.id, {"type": "workflow.halted", "presentation": presentation})
            _publish(state, "halted", instance, presentation=presentation)
            return None
    context = instance.public["context"]
    for action in definition.get("actions", ()):
        context = perform(state, instance.namespace, action, context)
    state.store.change(instance, {"context": context})
    target = _next(definition, context, event=None)
    if target is None and not any("event" in each for each in definition.get("transitions", ())):
        _fail(state, instance, f"no transition of the state {definition['name']} fits")
    return target


def _next(definition: JsonObject, context: JsonObject, event: str | None) -> str | None:
    transitions = definition.get("transitions", ())
    return next((each["to"] for each in transitions if fits(each, context, event)), None)


def _definition(instance: Record) -> JsonObject:
    found: JsonObject = instance.private["states"][instance.public["current_state"]]
    return found


def _merged_or_refused(instance: Record, more: JsonObject) -> JsonObject:
    try:
        return merged(instance.public["context"], more)
    except ContextTooLarge as error:
        raise invalid(("", str(error))) from None


def _fail(state: State, instance: Record, reason: str) -> None:
    # The contract's instance has no place for the reason, but allows further fields.
    state.store.change(instance, {"error": reason})
    state.streams.emit(instance.id, {"type": "error", "error": reason})
    _end(state, instance, "failed", error=reason)


def _end(state: State, instance: Record, status: str, **more: Any) -> None:
    state.store.change(instance, {"status": status, "updated_at": state.clock.stamp()})
    _publish(state, status, instance, **more)
    state.streams.finish(instance.id)


def _publish(state: State, moment: str, instance: Record, **more: Any) -> None:
    facts = {"instance_id": instance.id, "namespace": instance.namespace}
    shown = {name: instance.public[name] for name in ("workflow_id", "current_state", "context")}
    state.publish(f"workflow.instance.{moment}", instance.namespace, {**facts, **shown, **more})
