"""Handlers of workflow definitions, and their validation."""

from __future__ import annotations

from collections.abc import Iterator

from interactor_ext.sandbox.platform.expressions import ExpressionError, compile_expression
from interactor_ext.sandbox.platform.handlers import ApiCall, create, data, handles
from interactor_ext.sandbox.problems import Detail, invalid
from interactor_ext.sandbox.storage.records import JsonObject


@handles("create_workflow")
def create_workflow(call: ApiCall) -> JsonObject:
    """State names must be unique, transitions must lead to existing states, and conditions must parse."""
    if wrong := list(definition_errors(call.body)):
        raise invalid(*wrong)
    return data(create(call, {"description": ""}).public)


def definition_errors(workflow: JsonObject) -> Iterator[Detail]:
    """Yield the errors of a definition that the schema can't express."""
    names: set[str] = set()
    for index, state in enumerate(workflow["states"]):
        if state["name"] in names:
            yield f"states[{index}].name", "is also the name of another state"
        names.add(state["name"])
    if workflow["initial_state"] not in names:
        yield "initial_state", "isn't the name of a state"
    for index, state in enumerate(workflow["states"]):
        for number, transition in enumerate(state.get("transitions", ())):
            field = f"states[{index}].transitions[{number}]"
            if transition["to"] not in names:
                yield f"{field}.to", "isn't the name of a state"
            try:
                compile_expression(transition.get("condition", "true"))
            except ExpressionError as error:
                yield f"{field}.condition", f"isn't a valid expression: {error}"
