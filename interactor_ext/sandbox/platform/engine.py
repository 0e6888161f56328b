"""The workflow engine: moves an instance from state to state.

- An *action* state runs its actions in order, then leaves by the first transition whose condition holds. If it has only
  transitions by event it waits, `running`, for one of them. If none fits, the instance has `failed`.
- A *halting* state waits, `halted`. Input is merged into the context; then the first transition without an event whose
  condition holds is taken. If none holds, it goes on waiting.
- A *terminal* state ends it, `completed`.

A transition without a condition always holds. One with an `event` is taken by that event alone, and its condition, if
any, must hold as well. An instance keeps the definition it was started with.

A step is everything that follows from one call; it is computed first, and then written at once. One whose context
grows beyond 64 KiB fails the instance.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from interactor_ext.sandbox.platform.actions import Context, ContextTooLarge, perform
from interactor_ext.sandbox.platform.expressions import compile_expression
from interactor_ext.sandbox.platform.state import FINISHED, State
from interactor_ext.sandbox.problems import conflict, invalid
from interactor_ext.sandbox.storage.records import JsonObject, Record
from interactor_ext.sandbox.storage.strict_json import compact

# Consecutive action states without a wait; more count as a loop.
MAX_STEPS = 100
# The presentation of a halting state that defines none.
PLAIN_PRESENTATION: JsonObject = {"type": "form", "config": {}}

Effect = Callable[[State, Record], None]


class Step:
    """The result of one call: the new state of the instance, and the events to publish in order.

    `public` starts as the current instance. Nothing is stored until `apply`.
    """

    def __init__(self, states: Mapping[str, JsonObject], public: JsonObject, now: str) -> None:
        self.public = public
        self._states = states
        self._now = now
        self._effects: list[Effect] = []

    def start(self) -> None:
        """Enter the initial state and move on. Raises Problem 422 for a context that is too large."""
        context = self._context({}, self.public["context"], "context")
        self._publish("started")
        self._run(context, lambda: str(self.public["current_state"]), begun=False)

    def give_input(self, given: JsonObject) -> None:
        """Raises Problem: 409 unless the instance is halted, 422 for an input that makes it too large."""
        if self.public["status"] != "halted":
            raise conflict(f"The instance is {self.public['status']}, it waits for no input.")
        context = self._context(self.public["context"], given)
        self._change(context=context.values, updated_at=self._now)
        self._run(context, lambda: self._next(context, event=None))

    def trigger(self, event: str, payload: JsonObject) -> None:
        """Raises Problem: 409 if the instance is over or nothing here is taken by this event, 422 as for an input."""
        if self.public["status"] in FINISHED:
            raise conflict(f"The instance is {self.public['status']}.")
        context = self._context(self.public["context"], payload)

        def target() -> str:
            found = self._next(context, event=event)
            if found is None:
                raise conflict("No transition of the current state is taken by this event now.")
            self._change(context=context.values)
            return found

        self._run(context, target)

    def cancel(self) -> None:
        """Raises Problem 409 if the instance is over."""
        self._check_not_over()
        self._end("cancelled")

    def fail(self, reason: str) -> None:
        """Raises Problem 409 if the instance is over."""
        self._check_not_over()
        self._fail(reason)

    def apply(self, state: State, instance: Record) -> None:
        state.store.change(instance, self.public)
        for effect in self._effects:
            effect(state, instance)

    def _check_not_over(self) -> None:
        if self.public["status"] in FINISHED:
            raise conflict(f"The instance is {self.public['status']} already.")

    def _run(self, context: Context, first: Callable[[], str | None], *, begun: bool = True) -> None:
        """Move from state to state until one waits or ends."""
        try:
            target, steps = first(), 0
            while target is not None:
                if steps == MAX_STEPS:
                    self._fail(f"{MAX_STEPS} states in a row without a wait or an end: the workflow loops")
                    return
                self._enter(target, announced=begun or steps > 0)
                steps += 1
                target = self._do(context)
        except ContextTooLarge as error:
            self._fail(str(error))

    def _enter(self, target: str, *, announced: bool) -> None:
        previous = self.public["current_state"]
        self._change(current_state=target, status="running", updated_at=self._now)
        self._emit({"type": "workflow.state_changed", "state": target, "context": self.public["context"]})
        # `started` has published the initial state already.
        if announced:
            self._publish("state_changed", previous_state=previous)

    def _do(self, context: Context) -> str | None:
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
            perform(action, context, self._email)
        self._change(context=context.values)
        target = self._next(context, event=None)
        if target is None and not any("event" in each for each in definition.get("transitions", ())):
            self._fail(f"no transition of the state {definition['name']} fits")
        return target

    def _next(self, context: Context, event: str | None) -> str | None:
        for transition in self._definition().get("transitions", ()):
            if transition.get("event") == event and self._is_true(transition.get("condition"), context):
                return str(transition["to"])
        return None

    def _is_true(self, condition: str | None, context: Context) -> bool:
        return condition is None or compile_expression(condition)(context.values)

    def _definition(self) -> JsonObject:
        return self._states[self.public["current_state"]]

    def _context(self, values: JsonObject, more: JsonObject, field: str = "") -> Context:
        try:
            context = Context(values)
            context.merge(more)
        except ContextTooLarge as error:
            raise invalid((field, str(error))) from None
        return context

    def _fail(self, reason: str) -> None:
        # The contract's instance has no field for the reason, but allows additional fields.
        self._change(error=reason)
        self._emit({"type": "error", "error": reason})
        self._end("failed", error=reason)

    def _end(self, status: str, **more: Any) -> None:
        self._change(status=status, updated_at=self._now)
        self._publish(status, **more)
        self._effects.append(lambda state, instance: state.streams.finish(instance.id))

    def _change(self, **values: Any) -> None:
        self.public = {**self.public, **values}

    def _email(self, fields: JsonObject) -> None:
        size = len(json.dumps(fields))

        def send(state: State, instance: Record) -> None:
            state.emails.append({**fields, "namespace": instance.namespace, "sent_at": self._now}, size)

        self._effects.append(send)

    def _emit(self, event: JsonObject) -> None:
        text = compact(event)
        self._effects.append(lambda state, instance: state.streams.emit_json(instance.id, text))

    def _publish(self, moment: str, **more: Any) -> None:
        shown = {name: self.public[name] for name in ("workflow_id", "current_state", "context")}

        def publish(state: State, instance: Record) -> None:
            facts = {"instance_id": instance.id, "namespace": instance.namespace}
            state.publish(f"workflow.instance.{moment}", instance.namespace, {**facts, **shown, **more})

        self._effects.append(publish)


def run_step(state: State, instance: Record, act: Callable[[Step], None]) -> None:
    """Run a step on an instance. Raises Problem as `act` does."""
    step = Step(instance.private["states"], instance.public, state.clock.stamp())
    act(step)
    step.apply(state, instance)
