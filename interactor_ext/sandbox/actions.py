"""What a workflow's action states do. Nothing leaves the machine: requests are simulated, emails are only recorded.

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
from typing import Any

from .expressions import look_up
from .records import JsonObject
from .state import State

PLACEHOLDER = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9_]+)*)\s*\}\}")
# A workflow that feeds its context back into itself must end in a clear failure, not in a machine without memory.
MAX_CONTEXT = 250_000
MAX_CONTEXT_DEPTH = 64


class ContextTooLarge(Exception):
    """The context would hold more than 250,000 characters and values, or be nested deeper than 64 levels."""

    def __init__(self) -> None:
        super().__init__(f"the context grew beyond {MAX_CONTEXT} characters or {MAX_CONTEXT_DEPTH} levels")


def merged(context: JsonObject, more: JsonObject) -> JsonObject:
    """A new context with `more` over it. Raises ContextTooLarge."""
    result = {**context, **more}
    _weigh(result)
    return result


def perform(state: State, namespace: str, action: JsonObject, context: JsonObject) -> JsonObject:
    """The context after one action. Raises ContextTooLarge."""
    config = _filled(action["config"], context)
    save_as = str(config.pop("save_as", action["type"]))
    match action["type"]:
        case "transform":
            return merged(context, config)
        case "http":
            outcome: Any = _http(config)
        case "email":
            state.emails.append({**config, "namespace": namespace, "sent_at": state.clock.stamp()})
            outcome = {"to": config.get("to"), "subject": config.get("subject"), "sent": True}
        case _:
            outcome = f"Processed: {_text(config.get('prompt', ''))}"
    return merged(context, {save_as: outcome})


def _http(config: JsonObject) -> JsonObject:
    simulated = config.get("simulate")
    simulated = simulated if isinstance(simulated, dict) else {}
    return {
        "status": simulated.get("status", 200),
        "method": config.get("method", "GET"),
        "url": config.get("url"),
        "body": simulated.get("body", {}),
    }


def _filled(value: Any, context: JsonObject) -> Any:
    if isinstance(value, dict):
        return {key: _filled(item, context) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, context) for item in value]
    if not isinstance(value, str):
        return value
    if whole := PLACEHOLDER.fullmatch(value):
        return _value(whole, context)
    return PLACEHOLDER.sub(lambda match: _text(_value(match, context)), value)


def _value(match: re.Match[str], context: JsonObject) -> Any:
    return look_up(context, [int(step) if step.isdigit() else step for step in match[1].split(".")])


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _weigh(root: Any) -> None:
    weight, pending = 0, [(root, 1)]
    while pending:
        value, depth = pending.pop()
        weight += len(value) + 1 if isinstance(value, str) else 1
        if isinstance(value, dict | list):
            children = value.values() if isinstance(value, dict) else value
            weight += sum(map(len, value)) if isinstance(value, dict) else 0
            pending.extend((child, depth + 1) for child in children)
        if weight + len(pending) > MAX_CONTEXT or depth > MAX_CONTEXT_DEPTH:
            raise ContextTooLarge
