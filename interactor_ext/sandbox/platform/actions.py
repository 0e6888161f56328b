"""Actions of workflow states. Nothing leaves the machine: requests are simulated, emails are only recorded.

| type | config | into the context |
|---|---|---|
| `transform` | any keys | each of them |
| `http` | `url`, `method`, `simulate: {status, body}` | `http: {status, method, url, body}`, by default 200 and `{}` |
| `email` | `to`, `subject`, `body` | `email: {to, subject, sent}`; the whole of it is in `sandbox.emails` |
| `ai_process` | `prompt` | `ai_process: "Processed: <prompt>"` |

`save_as` names another key than the type's. `{{ path }}` in any string of a config is the value at that path of the
context: the value itself where the string is nothing else, its text where it stands among other words.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from interactor_ext.sandbox.http.strict_json import size_of
from interactor_ext.sandbox.platform.expressions import look_up
from interactor_ext.sandbox.platform.work import Budget
from interactor_ext.sandbox.storage.records import JsonObject

PLACEHOLDER = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9_]+)*)\s*\}\}")
# A workflow that feeds its context back into itself must fail before it exhausts memory.
MAX_CONTEXT = 250_000
MAX_CONTEXT_DEPTH = 64
# Digits of an index; no list has an item beyond it.
MAX_DIGITS = 9
# Characters that C code processes in the time of one unit of work.
CHARACTERS = 10
# Values that are counted in that time.
VALUES = 4


class ContextTooLarge(Exception):
    """The context would hold more than 250,000 characters and values, or be nested deeper than 64 levels."""

    def __init__(self) -> None:
        super().__init__(f"the context grew beyond {MAX_CONTEXT} characters or {MAX_CONTEXT_DEPTH} levels")


class Context:
    """The context of an instance during one step. `values` is replaced and never changed in place, as records are."""

    def __init__(self, values: JsonObject, budget: Budget) -> None:
        self.values: JsonObject = {}
        self.weight = 1
        self._budget = budget
        self.merge(values)

    def merge(self, more: JsonObject) -> None:
        """Update the context with `more`. Raises ContextTooLarge."""
        values = {**self.values, **more}
        size = size_of(values, MAX_CONTEXT)
        self._budget.spend(1 + size.values // VALUES)
        if size.weight > MAX_CONTEXT or size.levels > MAX_CONTEXT_DEPTH:
            raise ContextTooLarge
        self.values, self.weight = values, size.weight


def perform(action: JsonObject, context: Context, budget: Budget, send: Callable[[JsonObject], None]) -> None:
    """Perform one action on the context; emails go to `send`. Raises ContextTooLarge and TooMuchWork."""
    budget.spend(10)
    config = _filled(action["config"], context.values, budget)
    save_as = _text(config.pop("save_as", action["type"]), budget)
    match action["type"]:
        case "transform":
            context.merge(config)
            return
        case "http":
            outcome: Any = _http(config)
        case "email":
            send(config)
            outcome = {"to": config.get("to"), "subject": config.get("subject"), "sent": True}
        case _:
            outcome = f"Processed: {_text(config.get('prompt', ''), budget)}"
    context.merge({save_as: outcome})


def _http(config: JsonObject) -> JsonObject:
    simulated = config.get("simulate")
    simulated = simulated if isinstance(simulated, dict) else {}
    return {
        "status": simulated.get("status", 200),
        "method": config.get("method", "GET"),
        "url": config.get("url"),
        "body": simulated.get("body", {}),
    }


def _filled(value: Any, context: JsonObject, budget: Budget) -> Any:
    if isinstance(value, dict):
        budget.spend(len(value) + 1)
        return {key: _filled(item, context, budget) for key, item in value.items()}
    if isinstance(value, list):
        budget.spend(len(value) + 1)
        return [_filled(item, context, budget) for item in value]
    if not isinstance(value, str):
        return value
    budget.spend(1 + len(value) // CHARACTERS)
    if "{{" not in value:
        return value
    if whole := PLACEHOLDER.fullmatch(value):
        return _value(whole, context)
    return PLACEHOLDER.sub(lambda match: _text(_value(match, context), budget), value)


def _value(match: re.Match[str], context: JsonObject) -> Any:
    steps = match[1].split(".")
    return look_up(context, [int(step) if step.isdigit() and len(step) <= MAX_DIGITS else step for step in steps])


def _text(value: Any, budget: Budget) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    budget.spend(1 + len(text) // CHARACTERS)
    return text
