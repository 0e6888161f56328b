"""The workflow engine: moves an instance from state to state.

- An *action* state runs its actions in order, then leaves by the first transition whose condition holds. If it only has
  transitions with an event, it waits for one of them, `running`. If none fits, the instance has `failed`.
- A *halting* state waits, `halted`. Input is merged into the context; then the first transition without an event whose
  condition holds is taken. If none holds, it continues to wait.
- A *terminal* state ends the instance, `completed`.

A transition without a condition always holds. One with an `event` is taken only at that event, and its condition, if
any, must hold as well. An instance keeps the definition it was started with.

A step is everything that follows from one call, and is written at once. A step whose context grows beyond 64 KiB fails
the instance.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from interactor_ext.sandbox.platform.actions import ContextTooLarge, merged, perform
from interactor_ext.sandbox.platform.expressions import compile_expression
from interactor_ext.sandbox.platform.state import FINISHED, State
from interactor_ext.sandbox.problems import conflict, invalid
from interactor_ext.sandbox.storage.records import JsonObject, Record

# Consecutive action states without a wait; more count as a loop.
MAX_STEPS = 100
# The presentation of a halting state that defines none.
PLAIN_PRESENTATION: JsonObject = {"type": "form", "config": {}}


class Step:
    """One call's effect on an instance. Publishes the events in order; the caller stores `public`, the new instance."""

    def __init__(self, state: State, instance: Record) -> None:
        self.public: JsonObject = instance.public
        self._state = state
        self._instance = instance
        self._now = state.clock.stamp()

    def start(self) -> None:
        """Enter the initial state and continue. The context must already be checked."""
        self._publish("started")
        self._run(self.public["current_state"], begun=False)

    def give_input(self, given: JsonObject) -> None:
        """Merge input and continue. Raises Problem: 409 unless the instance is halted, 422 if it becomes too large."""
        if self.public["status"] != "halted":
            raise conflict(f"The instance is {self.public['status']} and isn't waiting for input.")
        self._change(context=checked_context(self.public["context"], given), updated_at=self._now)
        self._run(self._next(event=None))

    def trigger(self, event: str, payload: JsonObject) -> None:
        """Trigger an event. Raises Problem: 409 if the instance is over or no transition here accepts the event, 422 as
        for input.
        """
        self._check_not_over()
        self._change(context=checked_context(self.public["context"], payload))
        target = self._next(event)
        if target is None:
            raise conflict("No transition of the current state accepts this event now.")
        self._run(target)

    def cancel(self) -> None:
        """Cancel the instance. Raises Problem 409 if it is over."""
        self._check_not_over()
        self._end("cancelled")

    def fail(self, reason: str) -> None:
        """Fail the instance. Raises Problem 409 if it is over."""
        self._check_not_over()
        self._fail(reason)

    def _check_not_over(self) -> None:
        if self.public["status"] in FINISHED:
            raise conflict(f"The instance is already {self.public['status']}.")

    def _run(self, target: str | None, *, begun: bool = True) -> None:
        """Move from state to state until one waits or ends."""
        steps = 0
        while target is not None:
            if steps == MAX_STEPS:
                self._fail(f"{MAX_STEPS} states in a row without waiting or ending: the workflow loops")
                return
            self._enter(target, announced=begun or steps > 0)
            steps += 1
            try:
                target = self._run_state()
            except ContextTooLarge as error:
                self._fail(str(error))
                return

    def _enter(self, target: str, *, announced: bool) -> None:
        previous = self.public["current_state"]
        self._change(current_state=target, status="running", updated_at=self._now)
        self._emit({"type": "workflow.state_changed", "state": target, "context": self.public["context"]})
        # `started` has already published the initial state.
        if announced:
            self._publish("state_changed", previous_state=previous)

    def _run_state(self) -> str | None:
        """Run the entered state; returns the next state, or None if it waits or ends."""
        definition = self._definition()
        match definition["type"]:
            case "terminal":
                self._end("completed")
                return None
            case "halting":
                presentation = definition.get("presentation", PLAIN_PRESENTATION)
                self._change(status="halted")
                self._emit({"type": "workflow.halted", "presentation": presentation})
                self._publish("halted", presentation=presentation)
                return None
        for action in definition.get("actions", ()):
            self._change(context=perform(action, self.public["context"], self._email))
        target = self._next(event=None)
        if target is None and not any("event" in each for each in definition.get("transitions", ())):
            self._fail(f"no transition of the state {definition['name']} matches")
        return target

    def _next(self, event: str | None) -> str | None:
        for transition in self._definition().get("transitions", ()):
            holds = compile_expression(transition.get("condition", "true"))
            if transition.get("event") == event and holds(self.public["context"]):
                return str(transition["to"])
        return None

    def _definition(self) -> JsonObject:
        found: JsonObject = self._instance.private["states"][self.public["current_state"]]
        return found

    def _fail(self, reason: str) -> None:
        # The contract's instance has no field for the reason, but allows additional fields.
        self._change(error=reason)
        self._emit({"type": "error", "error": reason})
        self._end("failed", error=reason)

    def _end(self, status: str, **more: Any) -> None:
        self._change(status=status, updated_at=self._now)
        self._publish(status, **more)
        self._state.streams.finish(self._instance.id)

    def _change(self, **values: Any) -> None:
        self.public = {**self.public, **values}

    def _email(self, fields: JsonObject) -> None:
        sent = {**fields, "namespace": self._instance.namespace, "sent_at": self._now}
        self._state.emails.append(sent)

    def _emit(self, event: JsonObject) -> None:
        self._state.streams.emit(self._instance.id, event)

    def _publish(self, moment: str, **more: Any) -> None:
        facts = {"instance_id": self._instance.id, "namespace": self._instance.namespace}
        shown = {name: self.public[name] for name in ("workflow_id", "current_state", "context")}
        self._state.publish(f"workflow.instance.{moment}", self._instance.namespace, {**facts, **shown, **more})


def checked_context(values: JsonObject, more: JsonObject, field: str = "") -> JsonObject:
    """Return the context with `more` added. Raises Problem 422 if it is too large."""
    try:
        return merged(values, more)
    except ContextTooLarge as error:
        raise invalid((field, str(error))) from None


def run_step(state: State, instance: Record, act: Callable[[Step], None]) -> None:
    """Run a step on an instance. Raises Problem as `act` does."""
    step = Step(state, instance)
    act(step)
    state.store.change(instance, step.public)
