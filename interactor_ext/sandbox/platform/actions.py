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

from interactor_ext.sandbox.platform.expressions import look_up
from interactor_ext.sandbox.storage.records import JsonObject

PLACEHOLDER = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9_]+)*)\s*\}\}")
# Characters of a context as JSON: a workflow that feeds its context back into itself must fail before it fills memory.
MAX_CONTEXT = 64 * 1024
# Characters that the placeholders of one step may fill in.
MAX_FILLED = 16 * MAX_CONTEXT
# Digits of an index; no list has an item beyond it.
MAX_DIGITS = 9


class ContextTooLarge(Exception):
    """The context would be larger than 64 KiB of JSON."""

    def __init__(self) -> None:
        super().__init__(f"the context grew beyond {MAX_CONTEXT >> 10} KiB")


class Context:
    """The context of an instance during one step. `values` is replaced and never changed in place, as records are."""

    def __init__(self, values: JsonObject) -> None:
        self.values: JsonObject = {}
        self._left = MAX_FILLED
        self.merge(values)

    def merge(self, more: JsonObject) -> None:
        """Update the context with `more`. Raises ContextTooLarge."""
        values = {**self.values, **more}
        if len(json.dumps(values)) > MAX_CONTEXT:
            raise ContextTooLarge
        self.values = values

    def filled(self, value: Any) -> Any:
        """A part of a config with its placeholders replaced. Raises ContextTooLarge."""
        if isinstance(value, dict):
            return {key: self.filled(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.filled(item) for item in value]
        if not isinstance(value, str):
            return value
        if whole := PLACEHOLDER.fullmatch(value):
            return self._value(whole)
        return PLACEHOLDER.sub(lambda match: _text(self._value(match)), value)

    def _value(self, match: re.Match[str]) -> Any:
        steps = match[1].split(".")
        path = [int(step) if step.isdigit() and len(step) <= MAX_DIGITS else step for step in steps]
        value = look_up(self.values, path)
        self._left -= len(json.dumps(value))
        if self._left < 0:
            raise ContextTooLarge
        return value


def perform(action: JsonObject, context: Context, send: Callable[[JsonObject], None]) -> None:
    """Perform one action on the context; emails go to `send`. Raises ContextTooLarge."""
    config = context.filled(action["config"])
    save_as = _text(config.pop("save_as", action["type"]))
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
            outcome = f"Processed: {_text(config.get('prompt', ''))}"
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


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
